"""Losses and ATSS assignment against plain implementations and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from glip.boxes import anchors, pairwise_iou
from glip.boxes import decode as decode_boxes
from glip.loss import (
    Targets,
    anchor_centers,
    assign,
    decode,
    detection_loss,
    giou_loss,
    token_focal_loss,
)

HEIGHT, WIDTH = 96, 128


def targets_of(*images: list[list[float]], tokens: int = 6) -> Targets:
    """One padded batch; box g of an image has token g + 1."""
    most = max(len(boxes) for boxes in images)
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]]).repeat(len(images), most, 1)
    valid = torch.zeros(len(images), most, dtype=torch.bool)
    positive = torch.zeros(len(images), most, tokens, dtype=torch.bool)
    for i, image in enumerate(images):
        for g, box in enumerate(image):
            boxes[i, g] = torch.tensor(box)
            valid[i, g] = positive[i, g, g + 1] = True
    return Targets(boxes, valid, positive)


def plain_atss(boxes: list[list[float]]) -> np.ndarray:
    """ATSS (arXiv 1912.02424, algorithm 1) for one image, box by box; a box without a positive anchor gets
    the candidate that overlaps it most."""
    levels = anchors(HEIGHT, WIDTH)
    flat = np.concatenate(levels).astype(np.float64)
    centers = (flat[:, :2] + flat[:, 2:]) / 2
    owner, best = np.full(len(flat), -1), np.full(len(flat), -1.0)
    for g, box in enumerate(np.array(boxes, float)):
        iou = pairwise_iou(box[None], flat)[0]
        middle = (box[:2] + box[2:]) / 2
        candidates, start = [], 0
        for level in levels:
            distance = np.hypot(*(centers[start : start + len(level)] - middle).T)
            candidates += list(start + np.argsort(distance, kind="stable")[:9])
            start += len(level)
        threshold = iou[candidates].mean() + iou[candidates].std(ddof=1)
        inside = [bool((centers[c] > box[:2]).all() and (centers[c] < box[2:]).all()) for c in candidates]
        positive = [c for c, within in zip(candidates, inside) if within and iou[c] >= threshold]
        for anchor in positive or [candidates[int(np.argmax(iou[candidates]))]]:
            if iou[anchor] > best[anchor]:
                owner[anchor], best[anchor] = g, iou[anchor]
    return owner


def test_assignment_is_that_of_the_paper():
    rng = np.random.default_rng(3)
    images = []
    for count in (1, 3, 5):
        # Off the grid of anchor centres, so that no two anchors are equally near.
        corner = rng.uniform(0, [WIDTH - 40, HEIGHT - 40], (count, 2))
        images.append(np.concatenate([corner, corner + rng.uniform(5, 39, (count, 2))], axis=1).tolist())
    images.append([[30.3, 20.2, 34.1, 23.7]])  # too small to hold the centre of an anchor of its size

    owner = assign(targets_of(*images), *anchor_centers(HEIGHT, WIDTH, torch.device("cpu")))

    for found, image in zip(owner.numpy(), images):
        np.testing.assert_array_equal(found, plain_atss(image))
        assert set(range(len(image))) == set(found[found >= 0])


def test_padding_boxes_get_no_anchor():
    owner = assign(targets_of([[8.0, 9.0, 70.0, 60.0]], []), *anchor_centers(HEIGHT, WIDTH, torch.device("cpu")))

    assert (owner[0] == 0).any()
    assert (owner[1] == -1).all()


def test_an_anchor_equal_to_the_box_is_its_own():
    # Level 1: stride 16, side 128; row 2, column 3 has its centre at (55.5, 39.5).
    box = [55.5 - 63.5, 39.5 - 63.5, 55.5 + 63.5, 39.5 + 63.5]
    owner = assign(targets_of([box]), *anchor_centers(HEIGHT, WIDTH, torch.device("cpu")))

    assert owner[0, 12 * 16 + 2 * 8 + 3] == 0


def test_focal_loss():
    logits = torch.tensor([0.0, 0.0, 2.0, -2.0])
    target = torch.tensor([1.0, 0.0, 0.0, 1.0])
    p = 1 / (1 + math.exp(-2))
    wrong = p * p * -math.log(1 - p)

    expected = [0.25 * 0.25 * math.log(2), 0.75 * 0.25 * math.log(2), 0.75 * wrong, 0.25 * wrong]

    assert token_focal_loss(logits, target).tolist() == pytest.approx(expected)


def test_giou_loss():
    box = [0.0, 0.0, 9.0, 9.0]  # 10 x 10 pixels
    cases = {
        (0.0, 0.0, 9.0, 9.0): 0.0,
        (20.0, 0.0, 29.0, 9.0): 1 + 100 / 300,  # the hull is 30 x 10, a third of it empty
        (5.0, 0.0, 14.0, 9.0): 1 - 50 / 150,
        (10.0, 10.0, 19.0, 19.0): 1 + 200 / 400,
    }
    predicted = torch.tensor([list(other) for other in cases])

    assert giou_loss(predicted, torch.tensor([box]).expand(4, 4)).tolist() == pytest.approx(list(cases.values()))


def test_decoding_in_training_is_that_of_inference():
    deltas = torch.randn(1, 12 * 16 + 6 * 8 + 3 * 4 + 2 * 2 + 1, 4, generator=torch.Generator().manual_seed(0)) * 4
    centers, sides, _ = anchor_centers(HEIGHT, WIDTH, torch.device("cpu"))

    expected = decode_boxes(deltas[0].numpy(), np.concatenate(anchors(HEIGHT, WIDTH)))

    np.testing.assert_allclose(decode(deltas, centers, sides)[0].numpy(), expected, rtol=1e-5, atol=1e-3)


def test_a_perfect_answer_costs_nothing_but_the_uncertainty_of_centerness():
    targets = targets_of([[20.0, 16.0, 83.0, 79.0]])
    centers, sides, counts = anchor_centers(HEIGHT, WIDTH, torch.device("cpu"))
    owner = assign(targets, centers, sides, counts)[0]
    logits = torch.full((1, len(owner), 6), -30.0)
    logits[0, owner == 0, 1] = 30
    box = targets.boxes[0, 0]
    middle, size = (box[:2] + box[2:]) / 2, box[2:] - box[:2] + 1
    shift = 10 * (middle - centers) / sides[:, None]
    deltas = torch.cat([shift, 5 * (size / sides[:, None]).log()], dim=1)[None]
    mask = torch.ones(1, 6, dtype=torch.long)

    def losses(**changed):
        given = {"logits": logits, "box_reg": deltas, "centerness": torch.zeros(1, len(owner))} | changed
        return detection_loss(*given.values(), mask, targets, HEIGHT, WIDTH)

    perfect = losses()
    assert perfect.token.item() < 1e-6
    assert perfect.box.item() < 1e-4
    assert perfect.centerness.item() == pytest.approx(math.log(2))  # a logit of 0, whatever the target
    assert losses(box_reg=deltas + 0.5).box > 0.05
    assert losses(logits=-logits).token > 1
    # A token that is padding does not count.
    mask[0, 3] = 0
    padded = logits.clone()
    padded[..., 3] = 30
    assert losses(logits=padded).token.item() < 1e-6
