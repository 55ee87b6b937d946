import { describe, expect, it } from 'vitest'
import { ShardError } from '../../../../src/core/errors.ts'
import type { Json } from '../../../../src/core/types.ts'
import {
  DamagedFile,
  isMarked,
  markedRows,
  survivingDamage,
  numberPosition,
  toPosition,
  type SoundFormat,
} from '../../../../src/ingest/source/formats/format.ts'
import { collectAll, failure, memoryFiles } from '../../../helpers/sources.ts'

const file = memoryFiles({}).file('a')

/** Rows whose position is their number, up to where an error comes. */
function rowsUntil(rows: number, error?: Error) {
  const read: unknown[] = []
  const sound: SoundFormat = {
    columns: async () => {
      if (error !== undefined) throw error
      return ['n']
    },
    marks: async function* (_path, { seen, ...grid }) {
      for (; seen.rows < rows; seen.rows++) {
        if (isMarked(seen.rows, grid)) yield { row: seen.rows, position: seen.rows }
      }
      if (error !== undefined) throw error
    },
    read: async function* ({ path }, position) {
      read.push(position)
      const first = toPosition(numberPosition, path, position) ?? 0
      for (let n = first; n < rows; n++) yield { fields: { n } }
      if (error !== undefined) throw error
    },
  }
  return { format: survivingDamage(sound), read }
}

describe('survivingDamage', () => {
  it('leaves a sound file as it is', async () => {
    const { format } = rowsUntil(5)

    expect(await format.columns(file)).toEqual(['n'])
    expect(await collectAll(format.marks(file, { first: 1, stride: 2 }))).toEqual([
      { row: 1, position: 1 },
      { row: 3, position: 3 },
      { rows: 5 },
    ])
    expect(await collectAll(format.read(file, 3))).toEqual([
      { fields: { n: 3 } },
      { fields: { n: 4 } },
    ])
  })

  it('has one more row for damage, in the plan and in what is read', async () => {
    const { format, read } = rowsUntil(2, new DamagedFile('cut at byte 9'))
    const damaged = { code: 'source_damaged', detail: 'a: cut at byte 9' }

    const marks = await collectAll(format.marks(file, { first: 0, stride: 2 }))

    expect(marks).toEqual([
      { row: 0, position: 0 },
      { row: 2, position: { damage: 'cut at byte 9' } },
      { rows: 3 },
    ])
    expect(await collectAll(format.read(file, undefined))).toEqual([
      { fields: { n: 0 } },
      { fields: { n: 1 } },
      damaged,
    ])
    // A shard that begins at the damage does not meet it again.
    expect(await collectAll(format.read(file, { damage: 'cut at byte 9' }))).toEqual([damaged])
    expect(read).toEqual([undefined])
  })

  it('counts damage that no shard begins at', async () => {
    const { format } = rowsUntil(2, new DamagedFile('cut'))

    expect(await collectAll(format.marks(file, { first: 0, stride: 3 }))).toEqual([
      { row: 0, position: 0 },
      { rows: 3 },
    ])
  })

  it('has no columns of a damaged file, and passes on what is no damage', async () => {
    const damaged = rowsUntil(0, new DamagedFile('cut')).format
    const gone = rowsUntil(0, new ShardError('gone')).format

    expect(await failure(damaged.columns(file))).toBe('InputError: a: cut')
    for (const work of [
      gone.columns(file),
      collectAll(gone.marks(file, { first: 0, stride: 1 })),
      collectAll(gone.read(file, undefined)),
    ]) {
      expect(await failure(work)).toBe('ShardError: gone')
    }
  })
})

describe('markedRows', () => {
  it.each([
    [{ first: 0, stride: 3 }, 0, 7, [0, 3, 6]],
    [{ first: 2, stride: 3 }, 0, 2, []],
    [{ first: 2, stride: 3 }, 2, 1, [2]],
    [{ first: 2, stride: 3 }, 3, 5, [5]],
    [{ first: 100, stride: 3 }, 0, 7, []],
  ])('%j among %d and %d more', (grid, from, count, expected) => {
    expect([...markedRows(grid, from, count)]).toEqual(expected)
    expect(
      Array.from({ length: count }, (_, n) => from + n).filter((row) => isMarked(row, grid)),
    ).toEqual(expected)
  })
})

it('takes a number for a position, and no other JSON', () => {
  const toNumber = (position: Json) => toPosition(numberPosition, 'a', position)

  expect(toNumber(7)).toBe(7)
  for (const other of [-1, 0.5, '7', null, [7], 2 ** 60]) {
    expect(() => toNumber(other)).toThrow(/is no position of this format$/)
  }
})
