"""From the graph's outputs to detections, as the reference's GPU path does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glip.boxes import anchors, clip, decode, nms


@dataclass(frozen=True)
class PostprocessOptions:
    """candidate_score: on the phrase's probability, before centerness. pre_nms: candidates per level.
    max_boxes: detections per image (ties at the cut stay), 0 for no limit."""

    candidate_score: float = 0.05
    pre_nms: int = 1000
    nms_iou: float = 0.6
    max_boxes: int = 100


@dataclass(frozen=True)
class Detections:
    """Best first. boxes [K, 4] xyxy in pixels of the original image, boxes_resized in those the model
    saw, scores [K] in [0, 1], phrases [K] 0-based indices (the reference's label minus 1)."""

    boxes: np.ndarray
    boxes_resized: np.ndarray
    scores: np.ndarray
    phrases: np.ndarray


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Float32, without overflow."""
    e = np.exp(-np.abs(x.astype(np.float32)))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e))


def positive_map(tokens_of_phrases: Sequence[Sequence[int]], tokens: int) -> np.ndarray:
    """[P, T] float32, rows 1/n on the phrase's n tokens; zeros for a phrase without tokens."""
    rows = np.zeros((len(tokens_of_phrases), tokens), np.float32)
    for row, indices in zip(rows, tokens_of_phrases, strict=True):
        if len(indices):
            row[list(indices)] = 1 / len(indices)
    return rows


def phrase_probabilities(logits: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Mean token probability per position and phrase: logits [N, T], positive [P, T] -> [N, P]."""
    return sigmoid(logits) @ positive.T


def detect(
    phrase_prob: np.ndarray,
    box_reg: np.ndarray,
    centerness: np.ndarray,
    padded: tuple[int, int],
    resized: tuple[int, int],
    original: tuple[int, int],
    options: PostprocessOptions = PostprocessOptions(),
) -> Detections:
    """Detections of one image.

    phrase_prob [N, P], box_reg [N, 4], centerness [N] logits; padded, resized, original: (width, height)
    of the model's input, of the image inside it, and of the file. Raises ValueError if N does not belong
    to the padded size.
    """
    levels = anchors(padded[1], padded[0])
    count = sum(len(level) for level in levels)
    if not len(phrase_prob) == len(box_reg) == len(centerness) == count:
        raise ValueError(
            f"{len(phrase_prob)}, {len(box_reg)}, {len(centerness)} positions; {padded[0]}x{padded[1]} px has {count}"
        )
    center_prob = sigmoid(centerness)
    boxes, scores, phrases = [], [], []
    start = 0
    for level in levels:
        prob = phrase_prob[start : start + len(level)]
        position, phrase = np.nonzero(prob > np.float32(options.candidate_score))
        rank = prob[position, phrase] * center_prob[start + position]
        best = np.argsort(-rank, kind="stable")[: options.pre_nms]
        position, phrase, rank = position[best], phrase[best], rank[best]
        boxes.append(clip(decode(box_reg[start + position], level[position]), *resized))
        scores.append(np.sqrt(rank))
        phrases.append(phrase)
        start += len(level)
    all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
    all_phrases = np.concatenate(phrases)
    kept = nms(all_boxes, all_scores, all_phrases, options.nms_iou)
    if 0 < options.max_boxes < len(kept):
        cut = np.sort(all_scores[kept])[-options.max_boxes]
        kept = kept[all_scores[kept] >= cut]
    kept = kept[np.argsort(-all_scores[kept], kind="stable")]
    scale = np.array([original[0] / resized[0], original[1] / resized[1]] * 2, np.float32)
    return Detections(all_boxes[kept] * scale, all_boxes[kept], all_scores[kept], all_phrases[kept])
