"""Anchors and box coding, in the reference's pixel-index convention: a width is ``x2 - x1 + 1``."""

from __future__ import annotations

import math

import numpy as np

from glip.config import STRIDES

ANCHOR_SCALE = 8  # anchor side / stride
BOX_WEIGHTS = np.array([10, 10, 5, 5], np.float32)
MAX_LOG_SIZE = np.float32(math.log(1000 / 16))


def level_sizes(height: int, width: int) -> list[tuple[int, int]]:
    """(height, width) of P3..P7 for an input padded to multiples of 32."""
    sizes = [(height // stride, width // stride) for stride in STRIDES[:3]]
    for _ in STRIDES[3:]:
        h, w = sizes[-1]
        sizes.append(((h + 1) // 2, (w + 1) // 2))
    return sizes


def level_anchors(level: int, height: int, width: int) -> np.ndarray:
    """Anchors of a level's grid of this size, [height * width, 4] float32 xyxy, row-major."""
    stride = STRIDES[level]
    half = (ANCHOR_SCALE * stride - 1) / 2
    y = np.arange(height) * stride + (stride - 1) / 2
    x = np.arange(width) * stride + (stride - 1) / 2
    cy, cx = (axis.reshape(-1) for axis in np.meshgrid(y, x, indexing="ij"))
    return np.stack([cx - half, cy - half, cx + half, cy + half], axis=1).astype(np.float32)


def anchors(height: int, width: int) -> list[np.ndarray]:
    """Anchors per level for a padded input of this size."""
    return [level_anchors(i, h, w) for i, (h, w) in enumerate(level_sizes(height, width))]


def _centers(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2] + 1


def decode(deltas: np.ndarray, anchor_boxes: np.ndarray) -> np.ndarray:
    """Deltas [n, 4] on anchors [n, 4] -> boxes [n, 4]."""
    center, size = _centers(anchor_boxes)
    shift = deltas[:, :2] / BOX_WEIGHTS[:2]
    log_size = np.minimum(deltas[:, 2:] / BOX_WEIGHTS[2:], MAX_LOG_SIZE)
    center = shift * size + center
    half = np.float32(0.5) * (np.exp(log_size) * size - 1)
    return np.concatenate([center - half, center + half], axis=1)


def encode(boxes: np.ndarray, anchor_boxes: np.ndarray) -> np.ndarray:
    """Deltas that `decode` turns into the boxes."""
    center, size = _centers(boxes)
    anchor_center, anchor_size = _centers(anchor_boxes)
    shift = (center - anchor_center) / anchor_size
    return np.concatenate([shift, np.log(size / anchor_size)], axis=1) * BOX_WEIGHTS


def clip(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes inside the pixel indices of an image of this size."""
    limit = np.array([width - 1, height - 1] * 2, boxes.dtype)
    return np.clip(boxes, 0, limit)


def pairwise_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """IoU [n, m] of [n, 4] and [m, 4]."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(high - low + 1, 0, None).prod(-1)
    areas = [(x[:, 2:] - x[:, :2] + 1).prod(-1) for x in (a, b)]
    return inter / (areas[0][:, None] + areas[1][None, :] - inter)


def nms(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou: float) -> np.ndarray:
    """Indices that survive, ascending. Greedy by score within each label; strictly above `iou` goes."""
    keep: list[int] = []
    for label in np.unique(labels):
        order = np.flatnonzero(labels == label)
        order = order[np.argsort(-scores[order], kind="stable")]
        suppressed = pairwise_iou(boxes[order], boxes[order]) > np.float32(iou)
        alive = np.ones(len(order), bool)
        for i in range(len(order)):
            if alive[i]:
                alive[i + 1 :] &= ~suppressed[i, i + 1 :]
        keep.extend(order[alive])
    return np.sort(np.array(keep, np.int64))
