// Geometry of boxes with edge coordinates (no "+ 1"), see types.ts. GLIP's own NMS counts "+ 1" and
// lives with its post-processing.

import type { Box, Size } from './types.ts'

/** px. */
export function boxWidth(box: Box): number {
  return box.x2 - box.x1
}

/** px. */
export function boxHeight(box: Box): number {
  return box.y2 - box.y1
}

/** px², 0 for a degenerate box. */
export function boxArea(box: Box): number {
  return Math.max(0, boxWidth(box)) * Math.max(0, boxHeight(box))
}

/** Area of the intersection, px². */
export function intersectionArea(a: Box, b: Box): number {
  const width = Math.min(a.x2, b.x2) - Math.max(a.x1, b.x1)
  const height = Math.min(a.y2, b.y2) - Math.max(a.y1, b.y1)
  return width > 0 && height > 0 ? width * height : 0
}

/** Intersection over union, [0, 1]; 0 when both are degenerate. */
export function boxIou(a: Box, b: Box): number {
  const intersection = intersectionArea(a, b)
  const union = boxArea(a) + boxArea(b) - intersection
  return union > 0 ? intersection / union : 0
}

/** The part of the box inside [0, width] x [0, height]; may be degenerate. */
export function clipBox(box: Box, { width, height }: Size): Box {
  const clamp = (value: number, max: number) => Math.min(Math.max(value, 0), max)
  return {
    x1: clamp(box.x1, width),
    y1: clamp(box.y1, height),
    x2: clamp(box.x2, width),
    y2: clamp(box.y2, height),
  }
}
