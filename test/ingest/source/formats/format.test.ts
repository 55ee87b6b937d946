import { describe, expect, it } from 'vitest'
import { ShardError } from '../../../../src/core/errors.ts'
import {
  DamagedFile,
  isMarked,
  markedRows,
  survivingDamage,
  toNumber,
  type SoundFormat,
} from '../../../../src/ingest/source/formats/format.ts'
import { collectAll, failure } from '../../../helpers/sources.ts'

const { signal } = new AbortController()

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
    read: async function* (path, position) {
      read.push(position)
      const first = position === undefined ? 0 : toNumber(path, position)
      for (let n = first; n < rows; n++) yield { fields: { n } }
      if (error !== undefined) throw error
    },
  }
  return { format: survivingDamage(sound), read }
}

describe('survivingDamage', () => {
  it('leaves a sound file as it is', async () => {
    const { format } = rowsUntil(5)

    expect(await format.columns('a', signal)).toEqual(['n'])
    expect(await collectAll(format.marks('a', { first: 1, stride: 2 }, signal))).toEqual([
      { row: 1, position: 1 },
      { row: 3, position: 3 },
      { rows: 5 },
    ])
    expect(await collectAll(format.read('a', 3, signal))).toEqual([
      { fields: { n: 3 } },
      { fields: { n: 4 } },
    ])
  })

  it('has one more row for damage, in the plan and in what is read', async () => {
    const { format, read } = rowsUntil(2, new DamagedFile('cut at byte 9'))
    const damaged = { code: 'source_damaged', detail: 'a: cut at byte 9' }

    const marks = await collectAll(format.marks('a', { first: 0, stride: 2 }, signal))

    expect(marks).toEqual([
      { row: 0, position: 0 },
      { row: 2, position: { damage: 'cut at byte 9' } },
      { rows: 3 },
    ])
    expect(await collectAll(format.read('a', undefined, signal))).toEqual([
      { fields: { n: 0 } },
      { fields: { n: 1 } },
      damaged,
    ])
    // A shard that begins at the damage does not meet it again.
    expect(await collectAll(format.read('a', { damage: 'cut at byte 9' }, signal))).toEqual([
      damaged,
    ])
    expect(read).toEqual([undefined])
  })

  it('counts damage that no shard begins at', async () => {
    const { format } = rowsUntil(2, new DamagedFile('cut'))

    expect(await collectAll(format.marks('a', { first: 0, stride: 3 }, signal))).toEqual([
      { row: 0, position: 0 },
      { rows: 3 },
    ])
  })

  it('has no columns of a damaged file, and passes on what is no damage', async () => {
    const damaged = rowsUntil(0, new DamagedFile('cut')).format
    const gone = rowsUntil(0, new ShardError('gone')).format

    expect(await failure(damaged.columns('a', signal))).toBe('InputError: a: cut')
    for (const work of [
      gone.columns('a', signal),
      collectAll(gone.marks('a', { first: 0, stride: 1 }, signal)),
      collectAll(gone.read('a', undefined, signal)),
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
  expect(toNumber('a', 7)).toBe(7)
  for (const other of [-1, 0.5, '7', null, [7], 2 ** 60]) {
    expect(() => toNumber('a', other)).toThrow(/is no position of this format$/)
  }
})
