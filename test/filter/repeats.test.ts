import fs from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { filterOptionsSchema } from '../../src/filter/options.ts'
import {
  createNearFinder,
  createRepeatFinder,
  pairOf,
  readBlockedImages,
  surveyCaptions,
} from '../../src/filter/repeats.ts'
import { makeRow } from '../helpers/runs.ts'
import { temporaryFolder } from '../helpers/temporary-folder.ts'

/** Images by a letter; their dHashes are of 4 bits: A 0000, B 0001, C 0011, D 1111. */
const DHASHES = { A: '0', B: '1', C: '3', D: 'f' }
type Image = keyof typeof DHASHES
const imageOf = (name: Image) => ({
  sha256: name.repeat(64),
  dhash: DHASHES[name].padStart(16, '0'),
})
const rowOf = (image: Image, caption = 'a dog') => makeRow({ caption, ...imageOf(image) })

/** What becomes of the rows, in order. */
function drops(
  options: Parameters<typeof filterOptionsSchema.parse>[0],
  rows: readonly (readonly [Image, string?])[],
) {
  const find = createRepeatFinder(filterOptionsSchema.parse(options))
  return rows.map(([image, caption]) => find(rowOf(image, caption)))
}

describe('createRepeatFinder', () => {
  const rows = [
    ['A', 'a dog'],
    ['A', 'a cat'],
    ['B', 'a dog'],
    ['A', 'a dog'],
  ] as const

  it('keeps the first of a pair, or of an image', () => {
    const none = [undefined, undefined, undefined, undefined]

    expect(drops({ dedup: 'none' }, rows)).toEqual(none)
    expect(drops({ dedup: 'pair' }, rows)).toEqual([...none.slice(1), 'duplicate_pair'])
    expect(drops({ dedup: 'image' }, rows)).toEqual([
      undefined,
      'duplicate_image',
      undefined,
      'duplicate_image',
    ])
  })

  it('tells a pair from one whose parts are cut elsewhere', () => {
    expect(pairOf('ab', 'c')).not.toBe(pairOf('a', 'bc'))
  })

  it('drops near images, by what was kept', () => {
    // C is near B, which is gone; another caption of A is no near-duplicate of A.
    expect(drops({ dedup: 'none', nearDuplicateBits: 1 }, [['A'], ['B'], ['C'], ['A']])).toEqual([
      undefined,
      'near_duplicate',
      undefined,
      undefined,
    ])
  })

  it('calls the pair of a dropped near-duplicate a pair', () => {
    expect(drops({ nearDuplicateBits: 1 }, [['A'], ['B'], ['B']])).toEqual([
      undefined,
      'near_duplicate',
      'duplicate_pair',
    ])
  })
})

describe('createNearFinder', () => {
  it('names the first image that looks alike', () => {
    const find = createNearFinder(2)

    expect(find(imageOf('A'))).toBeUndefined()
    expect(find(imageOf('A'))).toBeUndefined()
    expect(find(imageOf('B'))).toBe(imageOf('A').dhash)
    expect(find(imageOf('C'))).toBe(imageOf('A').dhash)
    expect(find(imageOf('D'))).toBeUndefined()
    expect(find(imageOf('B'))).toBe(imageOf('A').dhash)
  })
})

describe('surveyCaptions', () => {
  it('counts all rows before it judges the first', async () => {
    const rows = ['a dog', 'a cat', 'a dog'].map((caption) => makeRow({ caption }))
    async function* all() {
      yield* rows
    }

    const gate = await surveyCaptions(all(), 1)

    expect(rows.map(gate)).toEqual(['repeated_caption', undefined, 'repeated_caption'])
  })
})

describe('readBlockedImages', () => {
  it('takes sha256 and dHash in any case, comments and empty lines', async () => {
    const file = path.join(await temporaryFolder(), 'list')
    const lines = ['# evaluation', '', `${'aA'.repeat(32)}  # one`, '000000000000000F']
    await fs.writeFile(file, lines.join('\r\n'))

    const exact = await readBlockedImages(file, 0)
    const near = await readBlockedImages(file, 2)

    expect(exact(makeRow({ sha256: 'aa'.repeat(32) }))).toBe('blocked_image')
    expect(exact(rowOf('D'))).toBe('blocked_image')
    expect(exact(rowOf('C'))).toBeUndefined()
    expect(near(rowOf('C'))).toBe('blocked_image')
    expect(near(rowOf('B'))).toBeUndefined()
  })

  it.each(['0123', 'g'.repeat(64), '0'.repeat(17)])('refuses "%s"', async (line) => {
    const file = path.join(await temporaryFolder(), 'list')
    await fs.writeFile(file, `# 1\n${line}\n`)

    await expect(readBlockedImages(file, 0)).rejects.toThrow(`line 2: "${line}" is neither`)
  })
})
