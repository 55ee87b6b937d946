import { describe, expect, it } from 'vitest'
import { readSample } from '../../src/commands/teacher-sample.ts'

describe('readSample', () => {
  it('has the first images as files hold them, with their captions', async () => {
    const samples = await readSample(3)

    expect(samples.map(({ caption }) => caption).slice(0, 2)).toEqual([
      'The white crown | free shipping',
      'Wallpaper with a yellow tent',
    ])
    expect(samples).toHaveLength(3)
    for (const { bytes } of samples)
      expect(Buffer.from(bytes.subarray(0, 2)).toString('hex')).toBe('ffd8')
  })

  it('has phrases whose spans are those of the caption', async () => {
    const samples = await readSample(40)

    expect(samples.flatMap(({ phrases }) => phrases).length).toBeGreaterThan(40)
    for (const { caption, phrases } of samples) {
      for (const { start, end, text, head, lemma } of phrases) {
        expect(caption.slice(start, end)).toBe(text)
        expect(lemma).toBe(head)
      }
    }
  })

  it('has no more than there are', async () => {
    expect(await readSample(0)).toEqual([])
    expect(await readSample(100_000)).toHaveLength(200)
  })
})
