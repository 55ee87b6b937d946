"""GLIP-T (A) as a whole on rule-filled weights, in PyTorch and in ONNX Runtime, against the reference.

The other recorded cases and variants need minutes and gigabytes: `python -m glip.parity`.
"""

from __future__ import annotations

import numpy as np

from glip.parity import Report, check_fill, check_recorded, match_detections, rule_filled
from glip.postprocess import Detections
from tests.conftest import OWN


def test_glip_t_a_equals_the_reference(capsys):
    report = Report()
    tensors, sha256, count = rule_filled("glip-t-a", OWN)

    check_fill("glip-t-a", OWN, sha256, count, report)
    check_recorded("glip-t-a", tensors, OWN, ["torch", "onnx"], ["landscape-320"], report)

    printed = capsys.readouterr().out
    assert (report.failures, report.skipped) == (0, 0), printed
    assert printed.count("100 of 100 matched, 100 found") == 4


def detections(*rows: tuple[list[float], float, int]) -> Detections:
    boxes, scores, phrases = (np.array(column) for column in zip(*rows))
    return Detections(boxes, boxes, scores, phrases)


def test_detections_are_matched_as_sets():
    found = detections(([0, 0, 9, 9], 0.5, 0), ([0, 0, 9, 9], 0.5, 1), ([20, 0, 29, 9], 0.4, 0))
    recorded = [np.array([[20.1, 0, 29, 9], [0, 0, 9, 9], [0, 0, 9, 9]]), np.array([0.4, 0.5, 0.5])]

    same = match_detections(found, *recorded, np.array([0, 1, 0]), 1e-3, 0.15)
    other_phrase = match_detections(found, *recorded, np.array([1, 1, 0]), 1e-3, 0.15)
    stricter = match_detections(found, *recorded, np.array([0, 1, 0]), 1e-3, 0.05)
    twice = match_detections(found, *(np.repeat(x[2:], 2, 0) for x in recorded), np.array([0, 0]), 1e-3, 0.15)

    assert (same.recorded, same.found, same.matched) == (3, 3, 3)
    assert abs(same.box - 0.1) < 1e-9
    assert other_phrase.matched == stricter.matched == 2
    assert twice.matched == 1
