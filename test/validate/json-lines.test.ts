import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { isJsonLinesName, readJsonLines, type JsonLine } from '../../src/validate/json-lines.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

async function linesOf(content: string | Buffer): Promise<JsonLine[]> {
  const file = path.join(await temporaryFolder(), 'a.jsonl')
  await fs.writeFile(file, content)
  const lines: JsonLine[] = []
  for await (const line of readJsonLines(file)) lines.push(line)
  return lines
}

describe('readJsonLines', () => {
  it('numbers lines from 1 and needs no newline at the end', async () => {
    expect(await linesOf('1\n{"a": "é"}\r\n[2]')).toEqual([
      { line: 1, value: 1 },
      { line: 2, value: { a: 'é' } },
      { line: 3, value: [2] },
    ])
    expect(await linesOf('')).toEqual([])
  })

  it('says what is wrong with a line and goes on', async () => {
    const text = Buffer.from('\ufeff1\n \t\n{"a": \n2\n')
    const lines = await linesOf(Buffer.concat([text, Buffer.from([0x22, 0xff, 0x22, 0x0a])]))

    expect(lines.map((line) => ('problem' in line ? line.problem : line.value))).toEqual([
      'file_bom',
      'line_blank',
      'json_invalid',
      2,
      'utf8_invalid',
    ])
    expect(lines.map(({ line }) => line)).toEqual([1, 2, 3, 4, 5])
  })

  it('joins a character that two chunks of the file share', async () => {
    // The stream reads 64 KiB at once; the dog has four bytes, two in each.
    const text = `"${'x'.repeat(65_533)}🐕"`

    expect(await linesOf(`${text}\n3\n`)).toEqual([
      { line: 1, value: `${'x'.repeat(65_533)}🐕` },
      { line: 2, value: 3 },
    ])
  })
})

describe('isJsonLinesName', () => {
  it.each([
    ['a.jsonl', true],
    ['coco_od.json', true],
    ['flickr_vg.json', true],
    ['god.json', false],
    ['a.json', false],
    ['a.jsonl.gz', false],
  ])('%s: %s', (name, expected) => {
    expect(isJsonLinesName(name)).toBe(expected)
  })
})
