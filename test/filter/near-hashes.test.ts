import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dhashDistance } from '../../src/core/dhash-distance.ts'
import { NearHashes } from '../../src/filter/near-hashes.ts'

const hex = (value: bigint) => value.toString(16).padStart(16, '0')

describe('NearHashes', () => {
  it('finds the first one added of those that are near enough', () => {
    const hashes = new NearHashes(2)
    hashes.add('000000000000000f', 'far')
    hashes.add('0000000000000003', 'first')
    hashes.add('0000000000000000', 'second')

    expect(hashes.find('0000000000000000')).toMatchObject({
      dhash: '0000000000000003',
      image: 'first',
    })
    expect(hashes.find('ffffffffffffffff')).toBeUndefined()
  })

  it('at 0 bits finds equal hashes alone', () => {
    const hashes = new NearHashes(0)
    hashes.add('8000000000000001')

    expect(hashes.find('8000000000000001')?.dhash).toBe('8000000000000001')
    expect(hashes.find('0000000000000001')).toBeUndefined()
    expect(hashes.find('8000000000000000')).toBeUndefined()
  })

  it.each(Array.from({ length: 17 }, (_, bits) => bits))(
    'finds what a comparison with all finds, within %i bits',
    (bits) => {
      const bit = fc.integer({ min: 0, max: 63 })
      // Around two hashes, so that some are near each other.
      const hash = fc
        .tuple(
          fc.constantFrom<bigint>(0n, 0x0123456789abcdefn),
          fc.array(bit, { maxLength: bits + 2 }),
        )
        .map(([base, turned]) =>
          hex(turned.reduce<bigint>((all, one) => all ^ (1n << BigInt(one)), base)),
        )
      fc.assert(
        fc.property(fc.array(hash, { maxLength: 30 }), hash, (added, asked) => {
          const hashes = new NearHashes(bits)
          for (const one of added) hashes.add(one)

          const expected = added.find((one) => dhashDistance(one, asked) <= bits)

          expect(hashes.find(asked)?.dhash).toBe(expected)
        }),
        { numRuns: 50 },
      )
    },
  )
})
