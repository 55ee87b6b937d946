// Non-maximum suppression over boxes with edge coordinates.

import { boxIou } from '../core/box.ts'
import type { Box } from '../core/types.ts'

/** Indices of the kept boxes, in input order; the input must be by score descending. */
export function nms(boxes: readonly Box[], iou: number): number[] {
  const kept: number[] = []
  for (const [index, box] of boxes.entries()) {
    if (kept.every((other) => boxIou(boxes[other]!, box) <= iou)) kept.push(index)
  }
  return kept
}
