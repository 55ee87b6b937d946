import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toExportSample } from '../../src/export/sample.ts'
import type { GroundingRow } from '../../src/core/types.ts'
import { makeRow } from '../helpers/runs.ts'

const exported = (row: GroundingRow) =>
  toExportSample(
    { row, regions: row.candidates },
    { fileName: 'a.jpg', categoryOf: (phrase) => phrase },
  )!

const points = (text: string, [start, end]: readonly [number, number]) =>
  [...text].slice(start, end).join('')

describe('toExportSample', () => {
  it.each([
    ['emoji before and inside', 'a 🐕 and two 🪁 kites', ['two 🪁 kites']],
    ['a flag of two code points, a family of seven', '🇫🇷 👨‍👩‍👧‍👦 with a dog', ['a dog']],
    ['İ', 'İstanbul café 🐕 dog', ['dog', 'İstanbul']],
    [
      'combining marks',
      'a cafe\u0301 table and a nai\u0308ve dog',
      ['a cafe\u0301 table', 'a nai\u0308ve dog'],
    ],
    ['CJK', '一只棕色的狗追逐两只风筝', ['一只棕色的狗', '两只风筝']],
    ['ideographs beyond 16 bits', '𠮷野家 and a dog', ['a dog']],
    ['outer white space', ' \u3000\x1f\u0085 a brown dog \n', ['a brown dog']],
    ['a final sigma', 'ΟΔΥΣΣΕΥΣ and a dog', ['a dog']],
  ])('keeps spans right for %s', (_name, caption, phrases) => {
    const row = makeRow({ caption, boxes: phrases.map((text) => [text, 0.9, 0, 0, 9, 9]) })

    const sample = exported(row)

    const { length } = [...sample.caption]
    expect([...sample.caption.toLowerCase()]).toHaveLength(length)
    expect(sample.caption).toBe(sample.caption.trim())
    for (const [index, phrase] of sample.phrases.entries()) {
      expect(points(sample.caption, phrase.span)).toBe(phrase.text)
      expect(phrase.text).toBe(phrases[index]!.replaceAll('İ', 'I'))
    }
  })

  it('gives boxes two decimals, inside the image, with sides of at least a pixel', () => {
    const edge = fc.double({ min: -20, max: 700, noNaN: true })
    fc.assert(
      fc.property(edge, edge, edge, edge, (a, b, c, d) => {
        const [x1, x2] = [Math.min(a, b), Math.max(a, b)]
        const [y1, y2] = [Math.min(c, d), Math.max(c, d)]
        const row = makeRow({ boxes: [['a brown dog', 0.123456, x1, y1, x2, y2]] })

        const { xyxy, score } = exported(row).regions[0]!

        expect(score).toBe(0.1235)
        expect(xyxy.every((value) => Math.round(value * 100) / 100 === value)).toBe(true)
        expect(Math.min(...xyxy)).toBeGreaterThanOrEqual(0)
        expect(xyxy[2]).toBeLessThanOrEqual(640)
        expect(xyxy[3]).toBeLessThanOrEqual(480)
        expect(xyxy[2] - xyxy[0]).toBeGreaterThanOrEqual(1 - 1e-9)
        expect(xyxy[3] - xyxy[1]).toBeGreaterThanOrEqual(1 - 1e-9)
      }),
    )
  })

  it('drops regions without a category, and a sample that has no other', () => {
    const row = makeRow({
      boxes: [
        ['a brown dog', 0.9, 0, 0, 50, 50],
        ['two kites', 0.8, 0, 0, 50, 50],
      ],
    })
    const sample = { row, regions: row.candidates }

    const some = toExportSample(sample, {
      fileName: 'a.jpg',
      categoryOf: (_phrase, lemma) => (lemma === 'dog' ? 'd' : undefined),
    })

    expect(some?.regions.map(({ category }) => category)).toEqual(['d'])
    expect(
      toExportSample(sample, { fileName: 'a.jpg', categoryOf: () => undefined }),
    ).toBeUndefined()
  })
})
