import { describe, expect, it } from 'vitest'
import type { Reject } from '../../src/core/reasons.ts'
import { readRejects } from '../../src/store/rejects.ts'
import { createMemory, createMemoryStore } from '../helpers/memory-store.ts'

const REJECTS: Reject[] = [
  { key: '0', row: 0, stage: 'caption', code: 'caption_empty', detail: 'a\u2028line\rend' },
  {
    key: '1',
    row: 1,
    stage: 'fetch',
    code: 'http_5xx',
    detail: 'HTTP 503',
    url: 'http://a/b',
    httpStatus: 503,
    host: 'a',
    attempts: 3,
  },
  {
    key: '2',
    row: 2,
    stage: 'fetch',
    code: 'blocklist_hash',
    detail: 'list a',
    time: '2026-01-01T00:00:00.000Z',
    urlDigest: 'ab',
  },
]

async function read(lines: readonly string[]): Promise<Reject[]> {
  const store = createMemoryStore(createMemory(''))
  await store.publish('rejects.jsonl', lines.map((line) => `${line}\n`).join(''))
  const rejects: Reject[] = []
  for await (const reject of readRejects(store, 'rejects.jsonl')) rejects.push(reject)
  return rejects
}

describe('readRejects', () => {
  it('gives back what was written, with its keys in the same order', async () => {
    const lines = REJECTS.map((reject) => JSON.stringify(reject))

    const read1 = await read(lines)

    expect(read1).toEqual(REJECTS)
    expect(read1.map((reject) => JSON.stringify(reject))).toEqual(lines)
  })

  it('names the line of a code that is none', async () => {
    const lines = [REJECTS[0], { ...REJECTS[1], code: 'http_999' }].map((one) =>
      JSON.stringify(one),
    )

    await expect(read(lines)).rejects.toThrow(/rejects\.jsonl, line 2: not a reject/)
  })
})
