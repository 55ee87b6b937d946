import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  boxArea,
  boxHeight,
  boxIou,
  boxWidth,
  clipBox,
  intersectionArea,
} from '../../src/core/box.ts'

const side = fc.integer({ min: 0, max: 40 })
const box = fc
  .record({ x: side, y: side, width: side, height: side })
  .map(({ x, y, width, height }) => ({ x1: x, y1: y, x2: x + width, y2: y + height }))

describe('boxes', () => {
  it('are measured from edge to edge', () => {
    const b = { x1: 10, y1: 20, x2: 15, y2: 22 }

    expect([boxWidth(b), boxHeight(b), boxArea(b)]).toEqual([5, 2, 10])
  })

  it('that are turned inside out have no area', () => {
    expect(boxArea({ x1: 5, y1: 0, x2: 0, y2: 5 })).toBe(0)
    expect(boxIou({ x1: 5, y1: 0, x2: 0, y2: 5 }, { x1: 0, y1: 0, x2: 5, y2: 5 })).toBe(0)
  })

  it('share the pixels that lie in both', () => {
    fc.assert(
      fc.property(box, box, (a, b) => {
        let shared = 0
        for (let x = 0; x < 80; x++) {
          for (let y = 0; y < 80; y++) {
            const isIn = (c: typeof a) => x >= c.x1 && x < c.x2 && y >= c.y1 && y < c.y2
            if (isIn(a) && isIn(b)) shared++
          }
        }
        expect(intersectionArea(a, b)).toBe(shared)
        const union = boxArea(a) + boxArea(b) - shared
        expect(boxIou(a, b)).toBe(union === 0 ? 0 : shared / union)
      }),
      { numRuns: 30 },
    )
  })

  it('overlap with themselves wholly, and either way round alike', () => {
    fc.assert(
      fc.property(box, box, (a, b) => {
        expect(boxIou(a, b)).toBe(boxIou(b, a))
        expect(boxIou(a, a)).toBe(boxArea(a) > 0 ? 1 : 0)
      }),
    )
  })

  it('are clipped into the image', () => {
    expect(clipBox({ x1: -3, y1: 2, x2: 50, y2: 60 }, { width: 40, height: 30 })).toEqual({
      x1: 0,
      y1: 2,
      x2: 40,
      y2: 30,
    })
    expect(boxArea(clipBox({ x1: 50, y1: 0, x2: 60, y2: 10 }, { width: 40, height: 30 }))).toBe(0)
  })
})
