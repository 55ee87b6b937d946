import fs from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GroundingRow } from '../../src/core/types.ts'
import { encodeGroundings, readGroundings } from '../../src/store/groundings.ts'
import { openStoredFile } from '../../src/store/posix/stored-file.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

const ROW: GroundingRow = {
  key: '0000000001',
  row: 1,
  url: 'https://example.org/a.jpg',
  caption: 'a 🐕 dog and a cat',
  width: 640,
  height: 480,
  format: 'jpg',
  sha256: 'ab'.repeat(32),
  dhash: '0123456789abcdef',
  phrases: [{ start: 5, end: 8, text: 'dog', head: 'dog', lemma: 'dog' }],
  candidates: [{ phrase: 0, score: 0.5, box: { x1: 1.5, y1: 2, x2: 30, y2: 40 } }],
}

async function readAll(file: string): Promise<GroundingRow[]> {
  const stored = await openStoredFile(file)
  const rows: GroundingRow[] = []
  try {
    for await (const row of readGroundings(stored)) rows.push(row)
  } finally {
    await stored.close()
  }
  return rows
}

async function roundTrip(rows: readonly GroundingRow[]): Promise<GroundingRow[]> {
  const file = path.join(await temporaryFolder(), 'groundings.parquet')
  await fs.writeFile(file, encodeGroundings(rows, 'run'))
  return readAll(file)
}

const float = fc.float({ min: 0, max: 4096, noNaN: true })
const anyRow: fc.Arbitrary<GroundingRow> = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
  .chain((caption) =>
    fc.record({
      key: fc.stringMatching(/^[0-9]{10}$/),
      row: fc.nat(),
      url: fc.option(fc.webUrl()),
      caption: fc.constant(caption),
      width: fc.integer({ min: 1, max: 20_000 }),
      height: fc.integer({ min: 1, max: 20_000 }),
      format: fc.constantFrom('jpg', 'png', 'webp'),
      sha256: fc.constant('cd'.repeat(32)),
      dhash: fc.constant('0'.repeat(16)),
      phrases: fc.array(
        fc.nat({ max: [...caption].length - 1 }).map((index) => {
          const characters = [...caption]
          const start = characters.slice(0, index).join('').length
          const text = characters[index]!
          return { start, end: start + text.length, text, head: text, lemma: text }
        }),
        { maxLength: 4 },
      ),
      candidates: fc.array(
        fc.record({
          phrase: fc.nat({ max: 9 }),
          score: fc.float({ min: 0, max: 1, noNaN: true }),
          box: fc.record({ x1: float, y1: float, x2: float, y2: float }),
        }),
        { maxLength: 5 },
      ),
    }),
  )

describe('groundings.parquet', () => {
  it('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRow, { maxLength: 12 }), async (rows) => {
        expect(await roundTrip(rows)).toEqual(rows)
      }),
      { numRuns: 50 },
    )
  })

  it('gives the same bytes for the same rows', () => {
    expect(encodeGroundings([ROW], 'run')).toEqual(encodeGroundings([ROW], 'run'))
  })

  it('keeps more rows than one row group, extra columns and rows without phrases', async () => {
    const rows = Array.from({ length: 4500 }, (_, row) => ({
      ...ROW,
      row,
      ...(row % 3 === 0 ? { phrases: [], candidates: [] } : {}),
      ...(row % 5 === 0 ? { extra: { id: row, tags: ['a'] } } : {}),
    }))

    expect(await roundTrip(rows)).toEqual(rows)
  })

  it('keeps no rows', async () => {
    expect(await roundTrip([])).toEqual([])
  })

  it('names a file that is cut', async () => {
    const file = path.join(await temporaryFolder(), 'groundings.parquet')
    await fs.writeFile(file, encodeGroundings([ROW], 'run').subarray(0, 200))

    await expect(readAll(file)).rejects.toThrow(/groundings\.parquet: cannot be read as groundings/)
  })
})
