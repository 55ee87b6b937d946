"""Sizes, pixels, anchors, box coding and post-processing against recorded outputs of the reference."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from glip.boxes import anchors, clip, decode, encode, level_anchors, nms
from glip.image import normalise, pad_batch, padded_size, resize, resized_size
from glip.postprocess import PostprocessOptions, detect, phrase_probabilities, positive_map


def test_sizes(golden):
    for case in golden.json("glip-ops/resize_sizes.json"):
        size = resized_size(*case["orig_wh"])
        assert list(size) == case["eval_resized_wh"]
        assert list(resized_size(*case["orig_wh"], long_side=None)) == case["demo_resized_wh"]
        assert list(padded_size(*size)) == case["eval_padded_wh"]


def test_preprocessing(golden):
    data = golden.npz("glip-ops/preprocess.npz")
    tensors = []
    for case in ("down", "up", "clamped", "same"):
        image = Image.fromarray(data[f"{case}/image_rgb"])
        short, long = (int(n) for n in data[f"{case}/min_max"])
        pixels = resize(image, resized_size(*image.size, short, long))
        np.testing.assert_array_equal(pixels, data[f"{case}/resized_rgb"])
        tensors.append(normalise(pixels))
        np.testing.assert_allclose(tensors[-1], data[f"{case}/tensor"], atol=1e-6)

    np.testing.assert_allclose(pad_batch(tensors[:3]), data["batch/tensor"], atol=1e-6)


def test_anchors(golden):
    data = golden.npz("glip-ops/anchors.npz")
    for size in ("320x480", "800x1216", "352x1344"):
        height, width = (int(n) for n in size.split("x"))
        for i, level in enumerate(anchors(height, width)):
            np.testing.assert_array_equal(level, data[f"{size}/{i}"])
    cells = np.concatenate([level_anchors(i, 1, 1) for i in range(5)])
    np.testing.assert_array_equal(cells, data["cell_anchors"])


def test_box_decoding(golden):
    data = golden.npz("glip-ops/box_decode.npz")
    width, height = (int(n) for n in data["image_size_wh"])

    decoded = decode(data["preds"], data["anchors"])
    clipped = clip(decoded, width, height)
    scale = np.array(list(data["orig_size_wh"] / data["image_size_wh"]) * 2, np.float32)

    np.testing.assert_allclose(decoded, data["decoded"], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(clipped, data["clipped"], rtol=1e-6, atol=1e-4)
    sides = clipped[:, 2:] - clipped[:, :2] + 1
    np.testing.assert_array_equal(np.flatnonzero((sides >= 0).all(1)), data["kept_after_remove_small_min0"])
    np.testing.assert_allclose(clipped * scale, data["resized_to_orig"], rtol=1e-6, atol=1e-4)


def test_encoding_undoes_decoding():
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 100, (50, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    base = level_anchors(1, 5, 10)

    np.testing.assert_allclose(decode(encode(boxes, base), base), boxes, atol=1e-3)


def test_phrase_probabilities(golden):
    data = golden.npz("glip-ops/aggregate.npz")
    for name, phrases in golden.json("glip-ops/aggregate.json").items():
        indices = [phrases.get(str(label), []) for label in range(1, 81)]
        prob = phrase_probabilities(data["logits"][0], positive_map(indices, 256))
        # The reference has NaN for a phrase without tokens; a probability of 0 passes no threshold either.
        np.testing.assert_allclose(prob, np.nan_to_num(data[f"{name}/MEAN"][0]), atol=1e-6)


@pytest.mark.parametrize("iou", ["0.6", "0.5"])
def test_nms(golden, iou):
    data = golden.npz("glip-ops/nms.npz")

    keep = nms(data["boxes"], data["scores"], data["labels"], float(iou))

    np.testing.assert_array_equal(keep, data[f"th{iou}/keep_ml_nms"])


def test_postprocessing(golden):
    data = golden.npz("glip-ops/postprocess.npz")
    phrases = list(golden.json("glip-ops/postprocess.json")["label_to_token"].values())
    positive = positive_map(phrases, 14)
    height, width = (int(n) for n in data["padded_hw"])
    settings = [name.removesuffix("/settings") for name in data if name.endswith("/settings")]
    assert len(settings) == 6
    for name in settings:
        threshold, top, iou, limit = data[f"{name}/settings"].tolist()
        options = PostprocessOptions(threshold, int(top), iou, int(limit))
        for i in range(2):
            flat = [data[f"in/bbox_reg/{level}"][i].reshape(4, -1).T for level in range(5)]
            found = detect(
                phrase_probabilities(
                    np.concatenate([data[f"in/dot_logits/{level}"][i] for level in range(5)]), positive
                ),
                np.concatenate(flat),
                np.concatenate([data[f"in/centerness/{level}"][i].ravel() for level in range(5)]),
                (width, height),
                tuple(int(n) for n in data["image_sizes_hw"][i][::-1]),
                tuple(int(n) for n in data["orig_sizes_hw"][i][::-1]),
                options,
            )
            order = np.lexsort((found.phrases, -found.scores))
            np.testing.assert_array_equal(found.phrases[order] + 1, data[f"{name}/{i}/labels"])
            np.testing.assert_allclose(found.scores[order], data[f"{name}/{i}/scores"], atol=1e-6)
            np.testing.assert_allclose(found.boxes[order], data[f"{name}/{i}/boxes"], atol=1e-3)
            np.testing.assert_allclose(found.boxes_resized[order], data[f"{name}/{i}/boxes_resized"], atol=1e-3)


def test_outputs_of_another_size_are_refused():
    with pytest.raises(ValueError, match="10, 10, 10 positions; 64x32 px has 44"):
        detect(np.zeros((10, 1)), np.zeros((10, 4)), np.zeros(10), (64, 32), (64, 32), (64, 32))
