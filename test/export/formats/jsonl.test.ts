import { describe, expect, it } from 'vitest'
import { makeRow } from '../../helpers/runs.ts'
import { written } from './written.ts'

describe('jsonl', () => {
  it('writes all that is known, spans in code points', async () => {
    const row = makeRow({
      caption: 'two 🪁 kites',
      phrases: ['two 🪁 kites/kites/kite', 'kites'],
      sha256: 'ab'.repeat(32),
      url: null,
      boxes: [['two 🪁 kites', 0.123456, 0, 0, 10, 10.005]],
    })

    const files = await written([row], { format: 'jsonl', filter: { score: 0.1 } })

    expect(files['annotations.jsonl']).toBe(
      `{"key":"0000000000","url":null,"sha256":"${'ab'.repeat(32)}",` +
        '"file_name":"00000/0000000000.jpg","width":640,"height":480,"caption":"two 🪁 kites",' +
        '"phrases":[{"start":0,"end":11,"text":"two 🪁 kites","head":"kites","lemma":"kite"},' +
        '{"start":6,"end":11,"text":"kites","head":"kites","lemma":"kites"}],' +
        '"regions":[{"phrase":0,"score":0.1235,"box":[0,0,10,10.01]}]}\n',
    )
  })
})
