import { describe, expect, it } from 'vitest'
import { createCaptionLimit, createDuplicateFinder } from '../../src/run/duplicates.ts'
import { runOptionsSchema } from '../../src/run/options.ts'

type Options = Parameters<typeof createDuplicateFinder>[0]

/** Codes for rows of [caption, sha256, dhash], each row told of those before. */
function codesOf(options: Partial<Options>, rows: readonly (readonly [string, string, string])[]) {
  const finder = createDuplicateFinder({
    ...runOptionsSchema.parse({}).duplicates,
    ...options,
  })
  return rows.map(
    ([caption, sha256, dhash]) => finder.checkImage(caption, { sha256, dhash })?.code ?? 'ok',
  )
}

const ROWS = [
  ['a dog', 'A', '0000000000000000'],
  ['a cat', 'A', '0000000000000000'],
  ['a dog', 'A', '0000000000000000'],
  ['a dog', 'B', '0000000000000003'],
  ['a dog', 'C', '8000000000000001'],
  ['a dog', 'D', 'ffffffff00000000'],
] as const

describe('createDuplicateFinder', () => {
  it('keeps everything unless it is told otherwise', () => {
    expect(codesOf({}, ROWS)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'ok'])
  })
  it('refuses the same image, or the same image and caption', () => {
    expect(codesOf({ content: 'reject' }, ROWS.slice(0, 4))).toEqual([
      'ok',
      'duplicate_content',
      'duplicate_content',
      'ok',
    ])
    expect(codesOf({ pair: 'reject' }, ROWS.slice(0, 4))).toEqual([
      'ok',
      'ok',
      'duplicate_pair',
      'ok',
    ])
  })
  it('refuses near copies, by the first of them', () => {
    expect(codesOf({ nearBits: 1 }, ROWS).slice(3)).toEqual(['ok', 'ok', 'ok'])
    // C is 2 bits from A, which is there; that B is near it as well does not matter.
    expect(codesOf({ nearBits: 2 }, ROWS)).toEqual([
      'ok',
      'ok',
      'ok',
      'duplicate_near',
      'duplicate_near',
      'ok',
    ])
  })
  it('refuses a URL that came before, whatever became of it', () => {
    const finder = createDuplicateFinder({ url: 'reject', content: 'keep', pair: 'keep' })
    const check = (url: string) => finder.checkUrl({ image: { kind: 'url', url } })?.code

    expect([check('http://a/1'), check('http://a/2'), check('http://a/1')]).toEqual([
      undefined,
      undefined,
      'duplicate_url',
    ])
    expect(finder.checkUrl({ image: { kind: 'file', path: 'x' } })).toBeUndefined()
  })
})

describe('createCaptionLimit', () => {
  it('keeps the first rows of a caption, and all where there is no limit', () => {
    const captions = ['a dog', 'a cat', 'a dog', 'a dog', 'A dog', 'a dog']
    const codes = (limit?: number) => {
      const check = createCaptionLimit(limit)
      return captions.map((caption) => check(caption)?.code ?? 'ok')
    }

    expect(codes(2)).toEqual(['ok', 'ok', 'ok', 'caption_repeated', 'ok', 'caption_repeated'])
    expect(codes()).toEqual(captions.map(() => 'ok'))
    const check = createCaptionLimit(1)
    check('a dog')
    expect(check('a dog')?.message).toBe(
      '1 earlier rows of the shard have it; caption.maxRepeats is 1',
    )
  })
})
