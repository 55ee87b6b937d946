import { describe, expect, it } from 'vitest'
import { nms } from '../../src/filter/nms.ts'

/** A 10 x 10 box, moved to the right. */
const at = (x: number) => ({ x1: x, y1: 0, x2: x + 10, y2: 10 })

describe('nms', () => {
  it('drops boxes that overlap a kept one by more than the IoU', () => {
    // IoU of boxes moved by 2: 80 / 120; by 4: 60 / 140; by 6: 40 / 160.
    const boxes = [at(0), at(2), at(4), at(6)]

    expect(nms(boxes, 0.7)).toEqual([0, 1, 2, 3])
    expect(nms(boxes, 0.5)).toEqual([0, 2])
    expect(nms(boxes, 0.3)).toEqual([0, 3])
  })

  it('keeps a box that overlaps by just the IoU', () => {
    expect(nms([at(0), { x1: 0, y1: 0, x2: 10, y2: 5 }], 0.5)).toEqual([0, 1])
  })

  it('compares with kept boxes alone', () => {
    // The second is gone, so that the third, which is near it, stays.
    expect(nms([at(0), at(4), at(8)], 0.4)).toEqual([0, 2])
  })

  it('at an IoU of 1 keeps even equal boxes, and of none makes none', () => {
    expect(nms([at(0), at(0)], 1)).toEqual([0, 1])
    expect(nms([], 0.5)).toEqual([])
  })
})
