"""How well an exported graph in ONNX Runtime agrees with the PyTorch module it was made from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from tqdm import tqdm

from glip.evaluate import box_iou, measure
from glip.image import normalise
from glip.model import Glip
from glip.postprocess import PostprocessOptions, detect, phrase_probabilities
from glip.predict import predictor_of_graph, predictor_of_model
from glip.probe import Picture
from glip.text import Tokenizer

# A detection counts as found again with the same phrase, this IoU, and this score difference.
SAME_IOU, SAME_SCORE = 0.8, 0.05
LOSS_OF = ("recall_at_1", "ap50")
SCENE_SEED = 11  # of no training, validation, sample or test scene
# Evidence that says something of a loss of one percent, from more than a few pictures (if there are as many).
MIN_DETECTIONS, MIN_PICTURES = 100, 10


@dataclass(frozen=True)
class Comparison:
    """ONNX Runtime against PyTorch on the same batch: largest differences, and detections found again."""

    phrase_prob: float
    box_reg: float
    centerness: float
    detections: int
    matched: int
    score: float

    def __str__(self) -> str:
        return (
            f"phrase_prob {self.phrase_prob:.1e}, box_reg {self.box_reg:.1e}, centerness {self.centerness:.1e}; "
            f"{self.matched} of {self.detections} detections found again, scores within {self.score:.4f}"
        )


def probe(model: Glip, short_side: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A batch of two pictures of different size with captions of different length: inputs of the graph."""
    rng = np.random.default_rng(seed)
    height, width = short_side // 32 * 32, short_side // 32 * 32 + 32
    sizes = np.array([[height, width - 5], [height - 20, width]], np.int64)
    images = np.zeros((2, height, width, 3), np.uint8)
    for image, (h, w) in zip(images, sizes):
        coarse = rng.integers(0, 256, (h // 16 + 1, w // 16 + 1, 3)).repeat(16, 0).repeat(16, 1)[:h, :w]
        image[:h, :w] = np.clip(coarse + rng.integers(-20, 21, (h, w, 3)), 0, 255)
    tokens = min(12, model.config.max_positions)
    input_ids = rng.integers(5, model.config.vocab_size, (2, tokens))
    attention_mask = np.ones_like(input_ids)
    attention_mask[1, tokens - 4 :] = 0
    input_ids[1, tokens - 4 :] = 0
    positive_map = np.zeros((2, 3, tokens), np.float32)
    for row, (first, last) in enumerate([(1, 3), (3, 4), (5, 8)]):
        positive_map[:, row, first:last] = 1 / (last - first)
    return {
        "images": images,
        "image_sizes": sizes,
        "input_ids": input_ids.astype(np.int64),
        "attention_mask": attention_mask.astype(np.int64),
        "positive_map": positive_map,
    }


def raw_inputs(batch: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the module and a raw graph take: images normalised, channels first."""
    images = np.zeros((len(batch["images"]), 3, *batch["images"].shape[1:3]), np.float32)
    for image, pixels, (height, width) in zip(images, batch["images"], batch["image_sizes"]):
        image[:, :height, :width] = normalise(pixels[:height, :width])
    return {"images": images, "input_ids": batch["input_ids"], "attention_mask": batch["attention_mask"]}


def _with_probabilities(logits: np.ndarray, rest: list[np.ndarray], batch: Mapping[str, np.ndarray]):
    return [np.stack([phrase_probabilities(*pair) for pair in zip(logits, batch["positive_map"])]), *rest]


def compare(model: Glip, path: Path, short_side: int, *, raw: bool) -> Comparison:
    """The graph at `path` against the module, on the probe."""
    batch = probe(model, short_side)
    with torch.no_grad():
        outputs = model(*(torch.from_numpy(value) for value in raw_inputs(batch).values()))
    logits, *rest = (value.float().numpy() for value in outputs)
    wanted = _with_probabilities(logits, rest, batch)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    if raw:
        logits, *rest = session.run(["logits", "box_reg", "centerness"], raw_inputs(batch))
        found = _with_probabilities(logits, rest, batch)
    else:
        found = session.run(["phrase_prob", "box_reg", "centerness"], dict(batch))
    differences = [float(np.abs(a - b).max()) for a, b in zip(found, wanted)]
    padded = batch["images"].shape[2], batch["images"].shape[1]
    total = matched = 0
    worst = 0.0
    for index, (height, width) in enumerate(batch["image_sizes"]):
        size = int(width), int(height)
        # Weights that fit the probe badly give few scores above the usual floor; compare the best anyway.
        floor = min(0.05, float(np.quantile(wanted[0][index], 0.999)))
        options = PostprocessOptions(candidate_score=floor)
        ours, theirs = (detect(*(o[index] for o in outs), padded, size, size, options) for outs in (found, wanted))
        for box, score, phrase in zip(theirs.boxes, theirs.scores, theirs.phrases):
            total += 1
            same = (ours.phrases == phrase) & (box_iou(ours.boxes, box[None])[:, 0] >= SAME_IOU)
            near = np.abs(ours.scores - score)[same]
            if len(near) and near.min() <= SAME_SCORE:
                matched += 1
                worst = max(worst, float(near.min()))
    return Comparison(*differences, total, matched, worst)


@dataclass(frozen=True)
class Drift:
    """What reduced precision changes on a probe, against PyTorch in float32.

    scenes: pictures looked at; detections: those of float32 at or above the default score; matched: those found
    again; score_mean, score_max: score differences of the matched. recall_at_1, ap50: points lost (negative:
    won), for models trained on scenes; None where there is no gold. kind: what the pictures are.
    """

    scenes: int
    detections: int
    matched: int
    score_mean: float
    score_max: float
    recall_at_1: float | None
    ap50: float | None
    kind: str = "scenes"

    @property
    def loss(self) -> float:
        """Points lost: the larger of recall@1 and AP50, or detections not found again in percent."""
        if self.recall_at_1 is not None and self.ap50 is not None:
            return max(self.recall_at_1, self.ap50)
        return 100 * (self.detections - self.matched) / max(self.detections, 1)

    @property
    def enough(self) -> bool:
        """Whether there were detections enough to judge by."""
        return self.detections >= MIN_DETECTIONS

    def __str__(self) -> str:
        text = (
            f"{self.scenes} {self.kind}: {self.matched} of {self.detections} detections found again, "
            f"scores differ by {self.score_mean:.4f}, at most {self.score_max:.4f}"
        )
        if self.recall_at_1 is not None:
            text += f"; recall@1 {0 - self.recall_at_1:+.2f}, AP50 {0 - self.ap50:+.2f} points"
        return text if self.enough else f"{text}; fewer than {MIN_DETECTIONS} detections prove nothing"


def drift(
    model: Glip, graph: Path, tokenizer: Tokenizer, sides: tuple[int, int], score: float,
    pictures: Iterable[Picture], kind: str, *, gold: bool,
) -> Drift:  # fmt: skip
    """Measures the graph on the pictures; `gold`: whether to use their boxes, and so to take them all. Else it ends
    as soon as there is evidence enough. `sides`: short and long side of what the networks see."""
    predictors = (
        predictor_of_model(model, tokenizer, score, *sides),
        predictor_of_graph(graph, tokenizer, score, *sides),
    )
    measured: list[list[tuple[dict | None, dict]]] = [[], []]
    differences: list[float] = []
    seen = total = 0
    for picture in tqdm(pictures, desc=f"comparing on {kind}", unit="picture", disable=None):
        image = picture.image()
        found = [predictor.ground(image, picture.caption, picture.phrases) for predictor in predictors]
        for pairs, phrases in zip(measured, found):
            pairs.append((picture.gold, {"phrases": phrases}))
        for theirs, ours in zip(*found, strict=True):
            confident = sum(value >= score for value in theirs["scores"])
            differences += _found_again(theirs, ours, confident)
            total += confident
        seen += 1
        if not gold and total >= MIN_DETECTIONS and seen >= MIN_PICTURES:
            break
    lost: list[float | None] = [None, None]
    if gold:
        a, b = (measure(pairs, score) for pairs in measured)
        lost = [100 * (getattr(a, name) - getattr(b, name)) for name in LOSS_OF]
    mean, worst = (float(np.mean(differences)), max(differences)) if differences else (0.0, 0.0)
    return Drift(seen, total, len(differences), mean, worst, *lost, kind=kind)


def _found_again(theirs: Mapping, ours: Mapping, count: int) -> list[float]:
    """Score differences of the `count` best boxes of a phrase that have a counterpart."""
    boxes, scores = np.array(ours["boxes"]).reshape(-1, 4), np.array(ours["scores"])
    differences = []
    for box, value in zip(theirs["boxes"][:count], theirs["scores"]):
        near = np.abs(scores - value)[box_iou(boxes, np.array([box]))[:, 0] >= SAME_IOU]
        if len(near) and near.min() <= SAME_SCORE:
            differences.append(float(near.min()))
    return differences
