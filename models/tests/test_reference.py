"""`reference.run_variant`, the function for outsiders: batches, captions, spans and errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from glip.checkpoint import CheckpointError
from glip.config import CONFIGS
from glip.model import build
from glip.postprocess import PostprocessOptions
from glip.predict import DEFAULT_VOCAB
from glip.reference import encode_prompt, run_variant
from glip.text import Prompt, Tokenizer, demo_prompt, evaluation_prompt, load_vocab

LOW = PostprocessOptions(candidate_score=0.0, max_boxes=30)
SIDES = {"short_side": 64, "long_side": 128}


@pytest.fixture(scope="module")
def weights() -> dict[str, np.ndarray]:
    torch.manual_seed(0)
    return {name: value.numpy() for name, value in build(CONFIGS["nano"]).state_dict().items()}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer(load_vocab(DEFAULT_VOCAB))


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def run(weights, images, captions, spans, **more):
    return run_variant("nano", weights, images, captions, spans, DEFAULT_VOCAB, **(SIDES | {"options": LOW} | more))


def test_a_landscape_and_a_portrait_with_a_caption_each(weights, tmp_path):
    Image.fromarray(picture(90, 60)).save(tmp_path / "a.png")
    images = [tmp_path / "a.png", Image.fromarray(picture(50, 70, 1))]
    captions = ["a red cat", "two blue dogs near the small yellow house"]
    spans = [[[(0, 9)]], [[(0, 13)], [(19, 41)]]]

    torch_run = run(weights, images, captions, spans)
    onnx_run = run(weights, images, captions, spans, engine="onnx")

    assert torch_run.raw["image/tensor"].shape == (2, 3, 96, 96)
    assert torch_run.raw["image/sizes"].tolist() == [[64, 96], [89, 64]]
    mask = torch_run.raw["text/attention_mask"]
    assert mask.sum(1).tolist() == [5, 10]
    assert torch_run.raw["logits"].shape == (2, 144 + 36 + 9 + 4 + 1, 10)
    for name in ("logits", "box_reg", "centerness"):
        np.testing.assert_allclose(onnx_run.raw[name], torch_run.raw[name], atol=2e-4)
    for found, size, phrases in zip(torch_run.detections, [(90, 60), (50, 70)], [{0}, {0, 1}]):
        assert set(found.phrases) == phrases
        assert (np.diff(found.scores) <= 0).all()
        assert (found.boxes >= 0).all() and (found.boxes[:, 2:] <= np.array(size) - 0.5).all()


def test_a_caption_in_a_batch_does_not_change_another(weights):
    images = [picture(80, 64), picture(80, 64, 1)]
    captions, spans = ["a red cat", "a dog and a long caption with more words"], [[[(0, 9)]], [[(0, 5)]]]

    both = run(weights, images, captions, spans)

    for i in range(2):
        alone = run(weights, images[i : i + 1], captions[i], spans[i])
        tokens = alone.raw["logits"].shape[2]
        np.testing.assert_allclose(both.raw["logits"][i, :, :tokens], alone.raw["logits"][0], atol=1e-4)
        np.testing.assert_allclose(both.raw["box_reg"][i], alone.raw["box_reg"][0], atol=1e-4)
        np.testing.assert_allclose(both.detections[i].scores, alone.detections[0].scores, atol=1e-4)


def test_one_caption_serves_all_images_and_text_may_be_padded(weights):
    result = run(weights, [picture(64, 64), picture(64, 64, 1)], "a red cat", [[(0, 9)]], pad_text_to=256)

    assert result.raw["logits"].shape[2] == 256
    assert result.raw["head/dot_logits_valid/0"].shape == (2, 64, 5)
    assert len(result.detections) == 2


@pytest.mark.parametrize("build_prompt", [evaluation_prompt, demo_prompt])
def test_more_than_80_class_names(weights, build_prompt):
    names = [word for word in load_vocab(DEFAULT_VOCAB) if word.isalpha() and len(word) > 2][:90]
    prompt = build_prompt(names)

    result = run(weights, [picture(64, 64)], prompt.caption, prompt.spans, options=PostprocessOptions(0.0, max_boxes=0))

    assert set(result.detections[0].phrases) == set(range(90))


def test_a_phrase_without_tokens_has_no_detections(weights):
    result = run(weights, [picture(64, 64)], "a    cat", [[(2, 4)], [(5, 8)], []])

    assert set(result.detections[0].phrases) == {1}


def test_a_caption_past_256_tokens_loses_the_phrases_it_cannot_hold(weights, tokenizer):
    caption = "a " * 252 + "cat dog bird cow"
    start = caption.index("cat")
    spans = [[(0, 1)], [(start, start + 3)], [(start + 4, start + 7)], [(start, start + 12)], [(start + 8, start + 12)]]

    text = encode_prompt(Prompt(caption, spans), tokenizer)
    result = run(weights, [picture(64, 64)], caption, spans)

    # [CLS] and 254 words fit: "cat" is token 253, "dog" 254; "bird" would be 255, where [SEP] stands.
    assert text.phrases == [[1], [253], [254], [], []]
    assert result.raw["text/input_ids"].shape == (1, 256)
    assert set(result.detections[0].phrases) == {0, 1, 2}


def test_spans_count_code_points(tokenizer):
    caption = "😀 a 🐶 dog, İstanbul cafe\u0301 sign"
    words = ["dog", "cafe\u0301", "sign"]
    spans = [[(caption.index(word), caption.index(word) + len(word))] for word in words]

    text = encode_prompt(Prompt(caption, spans), tokenizer)

    assert spans[0] == [(6, 9)]
    pieces = ["".join(text.encoding.tokens[t].removeprefix("##") for t in phrase) for phrase in text.phrases]
    assert pieces == ["dog", "cafe", "sign"]


def test_what_does_not_fit_is_said(weights, tmp_path):
    image = picture(64, 64)

    def refused(message: str, *, error=ValueError, variant="nano", images=(image,), caption="a cat", spans=(((0, 5),),),
                tensors=weights, vocab=DEFAULT_VOCAB, **more):  # fmt: skip
        with pytest.raises(error, match=message):
            run_variant(variant, tensors, list(images), caption, spans, vocab, **(SIDES | more))

    refused(r"variant is 'glip-x'; it can be nano, glip-t-a", variant="glip-x")
    refused("engine is 'tensorflow'", engine="tensorflow")
    refused("no images are given", images=())
    refused(r"image 0 is float64 \[64, 64, 3\]; it must be RGB uint8", images=(image.astype(float),))
    refused(r"caption, phrase 0: span \(0, 6\) is empty or outside the caption, which has 5", spans=[[(0, 6)]])
    refused(r"span \(3, 3\) is empty", spans=[[(0, 1)], [(3, 3)]])
    refused(r"phrase 0: a phrase is a list of \(start, end\) pairs", spans=[(0, 5)])
    refused("1 images, 2 captions and spans of 1 captions", caption=["a", "b"], spans=[[[(0, 1)]]])
    refused(r"caption 0, phrase 0: span \(0, 9\)", caption=["a"], spans=[[[(0, 9)]]])
    refused("pad_text_to is 3, but a caption has 4 tokens", pad_text_to=3)
    refused("pad_text_to is 300; nano has 256 positions", pad_text_to=300)
    refused("no short side left at 128 px", images=(picture(1000, 1),))
    refused(r"missing \(1\):\n  rpn.head.bias0", error=CheckpointError,
            tensors={k: v for k, v in weights.items() if k != "rpn.head.bias0"})  # fmt: skip
    longer = tmp_path / "vocab.txt"
    longer.write_text(DEFAULT_VOCAB.read_text() + "another\n")
    refused("has 1025 tokens, nano has 1024", vocab=longer)


def test_the_smallest_image_is_grounded(weights):
    result = run(weights, [picture(1, 1)], "a cat", [[(0, 5)]])

    assert result.raw["image/tensor"].shape == (1, 3, 64, 64)
    assert (result.detections[0].boxes[:, 2:] <= 1).all()
