import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Batcher } from '../../src/teacher/batcher.ts'

/** Batches from groups written as key + number of items: "a2" is two items of key a. */
function batchesOf(groups: readonly string[], size: number, window: number): string[] {
  const batcher = new Batcher<string>(size, window)
  const batches = groups.flatMap((group, index) => {
    const key = group[0]!
    const items = Array.from({ length: Number(group.slice(1)) }, () => `${key}${index}`)
    return batcher.add(key, items)
  })
  return [...batches, ...batcher.flush()].map((batch) => batch.join(' '))
}

describe('Batcher', () => {
  it('fills a batch with items of one key', () => {
    expect(batchesOf(['a1', 'b1', 'a1', 'b1', 'a1'], 2, 8)).toEqual(['a0 a2', 'b1 b3', 'a4'])
  })

  it('gives everything out at once when a batch is one item', () => {
    const batcher = new Batcher<string>(1, 0)

    expect(batcher.add('a', ['x'])).toEqual([['x']])
    expect(batcher.add('a', ['y', 'z'])).toEqual([['y'], ['z']])
    expect(batcher.flush()).toEqual([])
  })

  it('keeps a group together', () => {
    expect(batchesOf(['a3', 'a2', 'a1'], 4, 8)).toEqual(['a0 a0 a0', 'a1 a1 a2'])
  })

  it('splits a group that is larger than a batch', () => {
    expect(batchesOf(['a1', 'a5', 'a1'], 2, 8)).toEqual(['a0', 'a1 a1', 'a1 a1', 'a1 a2'])
  })

  it('gives a partial batch out after the window', () => {
    expect(batchesOf(['a1', 'b1', 'b1', 'b1', 'a1'], 4, 3)).toEqual(['a0', 'b1 b2 b3', 'a4'])
  })

  it('loses nothing, repeats nothing, mixes nothing, and holds back no more than the window', () => {
    const group = fc.record({ key: fc.constantFrom('a', 'b', 'c'), count: fc.nat(7) })
    fc.assert(
      fc.property(
        fc.array(group, { maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(10),
        (groups, size, window) => {
          const batcher = new Batcher<{ group: number; item: number }>(size, window)
          const seen = new Set<string>()
          const given = new Map<number, number>()
          const take = (batches: { group: number; item: number }[][]) => {
            for (const batch of batches) {
              expect(batch.length).toBeGreaterThan(0)
              expect(batch.length).toBeLessThanOrEqual(size)
              expect(new Set(batch.map((each) => groups[each.group]!.key)).size).toBe(1)
              for (const each of batch) {
                seen.add(`${each.group}/${each.item}`)
                given.set(each.group, (given.get(each.group) ?? 0) + 1)
              }
            }
          }
          groups.forEach(({ key, count }, index) => {
            take(
              batcher.add(
                key,
                Array.from({ length: count }, (_, item) => ({ group: index, item })),
              ),
            )
            const old = index - Math.max(window, 1)
            if (old >= 0) expect(given.get(old) ?? 0).toBe(groups[old]!.count)
          })
          take(batcher.flush())

          expect(seen.size).toBe(groups.reduce((sum, { count }) => sum + count, 0))
        },
      ),
    )
  })
})
