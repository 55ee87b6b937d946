"""Scenes: the same for the same seed, true to their captions, and without the combinations held back."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from glip import agreement, sample, train
from glip.captions import detection_prompt
from glip.concepts import COLOURS, NOUNS, PATTERNS, SIZES, is_held_back
from glip.predict import DEFAULT_VOCAB
from glip.scenes import SPLITS, _plan, gold_line, main, render_scene
from glip.text import Tokenizer, load_vocab, positive_tokens
from glip.vocabulary import vocabulary

# Of pixels, caption and gold, with the pinned versions of numpy and Pillow.
KNOWN = {
    ("train", 0): "d3bef8e471a3370a",
    ("test", 3): "0af2b4dc9b616695",
    ("novel", 5): "c4f85be0519f1f62",
}
COUNT = 24


@pytest.fixture(scope="module")
def scenes():
    return {split: [render_scene(31, split, i) for i in range(COUNT)] for split in SPLITS}


def fingerprint(scene) -> str:
    digest = hashlib.sha256(scene.image.tobytes())
    digest.update(json.dumps(gold_line("k", scene)).encode())
    return digest.hexdigest()[:16]


@pytest.mark.parametrize(("split", "index"), KNOWN)
def test_a_seed_gives_the_same_scene_everywhere(split, index):
    assert fingerprint(render_scene(7, split, index)) == KNOWN[split, index]


def test_seed_split_and_number_each_give_another_scene():
    others = [(7, "test", 0), (8, "test", 0), (7, "train", 0), (7, "test", 1)]

    assert len({fingerprint(render_scene(*which)) for which in others}) == 4


def test_there_is_enough_to_learn():
    assert len(set(NOUNS)) >= 40
    assert len(set(COLOURS)) >= 10
    assert len(PATTERNS) >= 3
    assert len(SIZES) >= 3
    held = sum(is_held_back(n, c, "plain") for n in NOUNS for c in COLOURS)
    assert 0.05 < held / (len(NOUNS) * len(COLOURS)) < 0.25


def true_boxes(phrase, scene):
    return [
        list(t.box)
        for t in scene.things
        if t.noun == phrase["noun"]
        and all(phrase[name] in (None, getattr(t, name)) for name in ("colour", "pattern", "size"))
    ]


@pytest.mark.parametrize("split", SPLITS)
def test_phrases_are_spans_that_mean_exactly_their_boxes(scenes, split):
    for scene in scenes[split]:
        assert 1 <= len(scene.things) <= 8
        for phrase in scene.phrases:
            text = scene.caption[phrase["start"] : phrase["end"]]
            assert text == phrase["text"] == text.strip() != ""
            assert phrase["boxes"] == true_boxes(phrase, scene)
            assert phrase["present"] == bool(phrase["boxes"])
        spans = sorted((p["start"], p["end"]) for p in scene.phrases)
        assert all(a[1] <= b[0] for a, b in zip(spans, spans[1:]))
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            assert 0 <= x1 < x2 <= scene.image.width
            assert 0 <= y1 < y2 <= scene.image.height


@pytest.mark.parametrize("split", SPLITS)
def test_detection_prompts_are_spans_as_well(scenes, split):
    rng = np.random.default_rng(0)
    for scene in scenes[split]:
        text, phrases = detection_prompt(rng, scene)
        assert text.split(". ") == [text[p["start"] : p["end"]] for p in phrases] == [p["text"] for p in phrases]
        assert all(p["boxes"] == true_boxes(p, scene) for p in phrases)


def test_rivals_differ_in_one_attribute_and_point_at_each_other(scenes):
    pairs = 0
    for scene in (scene for group in scenes.values() for scene in group):
        for i, phrase in enumerate(scene.phrases):
            if phrase["contrast"] is None:
                continue
            rival = scene.phrases[phrase["contrast"]]
            assert rival["contrast"] == i
            assert rival["noun"] == phrase["noun"]
            assert sum(rival[name] != phrase[name] for name in ("colour", "pattern", "size")) == 1
            pairs += 1
    assert pairs >= 6


def test_combinations_held_back_are_never_seen_in_training(scenes):
    for seed in range(300):
        things, _ = _plan(np.random.default_rng(seed), "train")
        assert not any(is_held_back(t.noun, t.colour, t.pattern) for t in things)
    for scene in [*scenes["train"], *scenes["test"]]:
        assert not any(is_held_back(t.noun, t.colour, t.pattern) for t in scene.things)
        assert not any(phrase["novel"] for phrase in scene.phrases)
    for scene in scenes["train"]:
        named = [*scene.phrases, *detection_prompt(np.random.default_rng(1), scene)[1]]
        assert not any(p["colour"] and is_held_back(p["noun"], p["colour"], "plain") for p in named)
    for scene in scenes["novel"]:
        assert any(is_held_back(t.noun, t.colour, t.pattern) for t in scene.things)


def test_splits_cover_what_they_are_for(scenes):
    phrases = [phrase for group in scenes.values() for scene in group for phrase in scene.phrases]

    assert any(not phrase["present"] for phrase in phrases)
    assert any(len(phrase["boxes"]) > 1 for phrase in phrases)
    assert any(phrase["novel"] for scene in scenes["novel"] for phrase in scene.phrases)


def test_every_phrase_has_tokens_and_the_bundled_vocabulary_is_the_one_that_is_made(scenes):
    tokenizer = Tokenizer(load_vocab(DEFAULT_VOCAB))
    for scene in (scene for group in scenes.values() for scene in group):
        encoding = tokenizer.encode(scene.caption)
        assert "[UNK]" not in encoding.tokens
        assert all(positive_tokens(encoding, [(p["start"], p["end"])]) for p in scene.phrases)
    assert DEFAULT_VOCAB.read_text(encoding="utf-8").split("\n")[:-1] == vocabulary()


def test_validation_sample_and_measured_scenes_have_seeds_of_their_own():
    training, test = 1, 7  # the defaults of glip.train and of glip.evaluate

    assert len({training, test, train.VALIDATION_SEED, sample.SEED, agreement.SCENE_SEED}) == 5


def test_scenes_are_written_as_webdataset_and_gold_lines(tmp_path):
    arguments = ["--split", "novel", "--seed", "31", "--count", "3", "--per-tar", "2"]

    for name in ("a", "b"):
        assert main([*arguments, "--to", str(tmp_path / name)]) == 0

    files = {path.name for path in (tmp_path / "a").iterdir()}
    assert files == {"gold.jsonl", "scenes-000000.tar", "scenes-000001.tar"}
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    gold = [json.loads(line) for line in (tmp_path / "a" / "gold.jsonl").read_text().splitlines()]
    with tarfile.open(tmp_path / "a" / "scenes-000000.tar") as tar:
        assert tar.getnames() == [f"{key:09d}.{kind}" for key in range(2) for kind in ("jpg", "txt", "json")]
        content = {name: tar.extractfile(name).read() for name in tar.getnames()}
    for line in gold[:2]:
        image = Image.open(io.BytesIO(content[f"{line['key']}.jpg"]))
        assert image.size == (line["width"], line["height"])
        assert content[f"{line['key']}.txt"].decode() == line["caption"]
        assert json.loads(content[f"{line['key']}.json"]) == line
