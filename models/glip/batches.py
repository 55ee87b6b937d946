"""Scenes to training batches: rendered on the fly, resized, tokenised, grouped by shape.

The batches of a run follow from (seed, rank, world size, window number) alone, so a resumed training
sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from glip.image import normalise
from glip.loss import Targets
from glip.scenes import Scene, detection_prompt, render_scene
from glip.text import Tokenizer, positive_tokens

PAD = 32
WINDOW = 8  # batches rendered together and sorted by aspect, so that little padding is needed
# What a scene is asked with: its caption, GLIP's evaluation prompt, or else both in one text. Both in one
# is the most to learn from an image, since what a step costs is the image (the paper packs captions, C.1).
CAPTION_SHARE = 0.3
DETECTION_PROMPT_SHARE = 0.2
SHORT_SIDES = (208, 240, 256, 272)


@dataclass(frozen=True)
class Batch:
    """images [B, 3, H, W] float32 normalised BGR; input_ids and attention_mask [B, T] int64."""

    images: torch.Tensor
    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    targets: Targets


@dataclass(frozen=True)
class _Example:
    image: np.ndarray  # [H, W, 3] uint8 RGB, resized
    ids: list[int]
    boxes: np.ndarray  # [G, 4], pixel-index corners in the resized image
    tokens: list[set[int]]


def _text(scene: Scene, rng: np.random.Generator) -> tuple[str, list[dict]]:
    """What the scene is asked with, and its phrases."""
    draw = rng.random()
    if draw < CAPTION_SHARE:
        return scene.caption, scene.phrases
    prompt, asked = detection_prompt(rng, scene)
    if draw < CAPTION_SHARE + DETECTION_PROMPT_SHARE:
        return prompt, asked
    before = scene.caption + ". "
    shifted = [{**p, "start": p["start"] + len(before), "end": p["end"] + len(before)} for p in asked]
    return before + prompt, [*scene.phrases, *shifted]


def _example(scene: Scene, rng: np.random.Generator, tokenizer: Tokenizer, short_side: int) -> _Example:
    text, phrases = _text(scene, rng)
    encoding = tokenizer.encode(text)
    by_box: dict[tuple, set[int]] = {}
    for phrase in phrases:
        tokens = positive_tokens(encoding, [(phrase["start"], phrase["end"])])
        for box in phrase["boxes"]:
            by_box.setdefault(tuple(box), set()).update(tokens)
    image = scene.image
    scale = short_side / min(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    pixels = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    boxes = np.array(list(by_box), np.float32).reshape(-1, 4)
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
        boxes[:, [0, 2]] = image.size[0] - boxes[:, [2, 0]]
    boxes *= np.array([width / image.size[0], height / image.size[1]] * 2, np.float32)
    boxes[:, 2:] -= 1
    return _Example(pixels, encoding.ids, boxes, list(by_box.values()))


def collate(examples: Sequence[_Example]) -> Batch:
    height = -(-max(e.image.shape[0] for e in examples) // PAD) * PAD
    width = -(-max(e.image.shape[1] for e in examples) // PAD) * PAD
    tokens = max(len(e.ids) for e in examples)
    boxes = max(1, max(len(e.boxes) for e in examples))
    n = len(examples)
    images = np.zeros((n, 3, height, width), np.float32)
    ids = np.zeros((n, tokens), np.int64)
    mask = np.zeros((n, tokens), np.int64)
    gold = np.zeros((n, boxes, 4), np.float32)
    gold[..., 2:] = 1.0
    valid = np.zeros((n, boxes), bool)
    positive = np.zeros((n, boxes, tokens), bool)
    for i, example in enumerate(examples):
        h, w, _ = example.image.shape
        images[i, :, :h, :w] = normalise(example.image)
        ids[i, : len(example.ids)] = example.ids
        mask[i, : len(example.ids)] = 1
        gold[i, : len(example.boxes)] = example.boxes
        valid[i, : len(example.boxes)] = True
        for g, token_set in enumerate(example.tokens):
            positive[i, g, sorted(token_set)] = True
    return Batch(
        torch.from_numpy(images),
        torch.from_numpy(ids),
        torch.from_numpy(mask),
        Targets(torch.from_numpy(gold), torch.from_numpy(valid), torch.from_numpy(positive)),
    )


def training_batches(
    seed: int, tokenizer: Tokenizer, batch_size: int, first_step: int, rank: int = 0, world: int = 1
) -> Iterator[Batch]:
    """Endless batches from `first_step` on; the ranks of a world see disjoint scenes."""
    window, skip = divmod(first_step, WINDOW)
    while True:
        rng = np.random.default_rng([seed, rank, window])
        base = (window * world + rank) * WINDOW * batch_size
        short_side = int(rng.choice(SHORT_SIDES))
        examples = [
            _example(render_scene(seed, "train", base + i), rng, tokenizer, short_side)
            for i in range(WINDOW * batch_size)
        ]
        examples.sort(key=lambda e: (e.image.shape[1] / e.image.shape[0], len(e.ids)))
        for k in list(rng.permutation(WINDOW))[skip:]:
            yield collate(examples[k * batch_size : (k + 1) * batch_size])
        window, skip = window + 1, 0
