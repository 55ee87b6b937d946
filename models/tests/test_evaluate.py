"""The measures on cases worked out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glip.evaluate import average_precision, best_threshold, main, match, measure
from glip.predict import predict_scenes, predictor_of_folder
from tests.conftest import ROOT

A, B, C = [0, 0, 10, 10], [20, 0, 30, 10], [40, 0, 50, 10]
HALF = [0, 0, 10, 5]  # IoU 0.5 with A
LESS = [0, 0, 10, 4.9]
TEACHER = ROOT / "teachers" / "glip-nano"


def gold(*boxes, contrast=None):
    return {"boxes": list(boxes), "present": bool(boxes), "contrast": contrast}


def found(*boxes_and_scores):
    return {"boxes": [box for box, _ in boxes_and_scores], "scores": [score for _, score in boxes_and_scores]}


def measured(*phrases, threshold=0.5):
    """Each argument: a gold phrase and what was found for it; all in one picture."""
    return measure(
        [({"key": "k", "phrases": [g for g, _ in phrases]}, {"phrases": [f for _, f in phrases]})], threshold
    )


@pytest.mark.parametrize(
    ("phrase", "detections", "recall"),
    [
        (gold(A), found((A, 0.9)), 1),
        (gold(A), found((HALF, 0.1)), 1),
        (gold(A), found((LESS, 0.9)), 0),
        (gold(A, B), found((B, 0.9)), 1),
        (gold(A), found((B, 0.9), (A, 0.8)), 0),
        (gold(A), found(), 0),
    ],
)
def test_recall_at_1_asks_for_the_best_box_alone(phrase, detections, recall):
    assert measured((phrase, detections)).recall_at_1 == recall


def test_absent_phrases_are_not_part_of_recall():
    result = measured((gold(A), found((A, 0.9))), (gold(), found((B, 0.9))))

    assert (result.phrases, result.recall_at_1, result.absent_phrases) == (1, 1, 1)


def test_a_gold_box_is_taken_once():
    assert match(np.array([A, A, B], float), np.array([B, A], float)).tolist() == [True, False, True]


def test_average_precision_is_the_area_under_the_interpolated_curve():
    # Right, wrong, right of 2: precision 1 up to recall 0.5 (51 of 101 points), then 2/3.
    assert average_precision(np.array([0.7, 0.9, 0.8]), np.array([True, True, False]), 2) == pytest.approx(
        (51 + 50 * 2 / 3) / 101
    )
    # One of two found: nothing beyond recall 0.5.
    assert average_precision(np.array([0.9]), np.array([True]), 2) == pytest.approx(51 / 101)
    assert average_precision(np.array([0.9]), np.array([False]), 2) == 0
    assert average_precision(np.zeros(0), np.zeros(0, bool), 2) == 0


def test_ap50_pools_the_phrases_and_counts_boxes_of_absent_ones_as_wrong():
    present = (gold(A, B), found((A, 0.9), (B, 0.6)))

    assert measured(present).ap50 == pytest.approx(1)
    # The wrong box stands between the two right ones.
    assert measured(present, (gold(), found((C, 0.7)))).ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert measured(present, (gold(), found((C, 0.5)))).ap50 == pytest.approx(1)


@pytest.mark.parametrize(
    ("detections", "contrast"),
    [(found((A, 0.9), (B, 0.8)), 1), (found((B, 0.9), (A, 0.8)), 0), (found((LESS, 0.9)), 0), (found(), 0)],
)
def test_contrast_asks_for_the_right_one_of_two_rivals(detections, contrast):
    result = measured((gold(A, contrast=1), detections), (gold(B, contrast=None), found()))

    assert (result.contrast_pairs, result.contrast) == (1, contrast)


def test_a_box_on_a_rival_that_overlaps_does_not_count():
    wide = [0, 0, 12, 10]
    result = measured((gold(A, contrast=1), found((wide, 0.9))), (gold(wide), found()))

    assert result.contrast == 0


def test_thresholds_are_passed_strictly():
    phrases = (gold(A, B), found((A, 0.9), (C, 0.6), (B, 0.5))), (gold(), found((C, 0.5)))

    at_half, lower = measured(*phrases, threshold=0.5), measured(*phrases, threshold=0.49)

    assert (at_half.absent, at_half.precision, at_half.recall) == (0, 1 / 2, 1 / 2)
    assert (lower.absent, lower.precision, lower.recall) == (1, 2 / 4, 2 / 2)


def test_nothing_found_and_nothing_asked_gives_zeros():
    assert measured((gold(A), found())).ap50 == 0
    empty = measure([])
    assert (empty.recall_at_1, empty.ap50, empty.contrast, empty.absent, empty.precision) == (0, 0, 0, 0, 0)


def test_the_best_threshold_keeps_absent_phrases_within_the_limit():
    good = (gold(A), found((A, 0.9), (C, 0.3)))
    pairs = [({"phrases": [good[0], gold()]}, {"phrases": [good[1], found((B, 0.62))]})]

    assert 0.62 <= best_threshold(pairs) < 0.9
    assert 0.3 <= best_threshold(pairs, absent_limit=1) < 0.9


def test_lists_that_do_not_belong_together_are_refused(tmp_path):
    with pytest.raises(ValueError, match="7: 0 phrases for 1 of the gold"):
        measure([({"key": "7", "phrases": [gold(A)]}, {"phrases": []})])
    with pytest.raises(ValueError, match="7, phrase 0: 1 boxes and 2 scores"):
        measure([({"key": "7", "phrases": [gold(A)]}, {"phrases": [{"boxes": [A], "scores": [0.1, 0.2]}]})])
    with pytest.raises(ValueError, match="7, phrase 0: boxes are not best first"):
        measure([({"key": "7", "phrases": [gold(A)]}, {"phrases": [found((A, 0.1), (B, 0.2))]})])

    lines = tmp_path / "gold.jsonl", tmp_path / "detections.jsonl"
    lines[0].write_text(json.dumps({"key": "7", "phrases": [gold(A)]}) + "\n")
    lines[1].write_text(json.dumps({"key": "8", "phrases": [found()]}) + "\n")
    with pytest.raises(SystemExit, match="no detections for 1 gold keys, the first is 7"):
        main(["--gold", str(lines[0]), "--detections", str(lines[1])])


@pytest.mark.skipif(not (TEACHER / "model.onnx").exists(), reason="the bundled teacher is not there")
def test_a_model_and_its_detections_in_a_file_are_measured_alike(tmp_path, capsys):
    pairs = predict_scenes(predictor_of_folder(TEACHER), "novel", 5, 4)
    lines = tmp_path / "gold.jsonl", tmp_path / "detections.jsonl"
    lines[0].write_text("".join(json.dumps(line) + "\n" for line, _ in pairs))
    detections = [{"key": line["key"], **found_} for line, found_ in pairs]
    lines[1].write_text("".join(json.dumps(line) + "\n" for line in reversed(detections)))

    arguments = ["--model", str(TEACHER), "--split", "novel", "--seed", "5", "--count", "4", "--threshold", "0"]
    assert main(arguments) == 0
    of_model = json.loads(capsys.readouterr().out)
    assert main(["--gold", str(lines[0]), "--detections", str(lines[1]), "--threshold", "0"]) == 0

    assert json.loads(capsys.readouterr().out) == of_model
    assert of_model["images"] == 4
    assert of_model["threshold"] == 0


def test_a_checkpoint_that_is_none_is_said_so(tmp_path):
    (tmp_path / "c.pt").write_bytes(b"<!doctype html><title>Not found</title>")

    with pytest.raises(SystemExit, match=r"glip\.evaluate: .*c\.pt: is no PyTorch file but an HTML page"):
        main(["--checkpoint", str(tmp_path / "c.pt"), "--count", "1"])
