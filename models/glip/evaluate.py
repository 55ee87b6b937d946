"""How good a teacher grounds phrases: the same measures for PyTorch and for any other engine.

    python -m glip.evaluate --model ../teachers/glip-nano --split test --seed 7 --count 1000
    python -m glip.evaluate --model ../teachers/glip-nano --scenes DIR --write detections.jsonl
    python -m glip.evaluate --gold DIR/gold.jsonl --detections detections.jsonl

Without `--scenes` the rendered pixels are used; with it the JPEGs of a folder that `glip.scenes` wrote.

Detections are JSON Lines ``{"key", "phrases": [{"boxes": [[x1, y1, x2, y2], ...], "scores": [...]}]}``:
one entry per phrase of the gold line, boxes in pixels of the stored image (edges), best first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

IOU = 0.5


@dataclass(frozen=True)
class Metrics:
    """Shares in [0, 1]; counts beside them say what each share is of.

    recall_at_1: phrases that are in the picture whose best box has IoU >= 0.5 with one of their boxes.
    ap50: average precision over all phrases pooled (a box is right if it hits a gold box of its own
    phrase that no better box has taken), area under the interpolated curve at 101 recalls, as COCO.
    contrast: phrases with a rival that differs in one attribute, whose best box lies on the right
    object rather than on the rival.
    absent: phrases for things that are not in the picture that get a box at ``threshold``.
    precision, recall: of boxes at ``threshold`` (greedy matching).
    """

    images: int
    phrases: int
    recall_at_1: float
    ap50: float
    contrast: float
    contrast_pairs: int
    absent: float
    absent_phrases: int
    threshold: float
    precision: float
    recall: float


def box_iou(boxes: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """IoU of [n, 4] with [m, 4] edge boxes -> [n, m]."""
    low = np.maximum(boxes[:, None, :2], gold[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], gold[None, :, 2:])
    inter = np.clip(high - low, 0, None).prod(-1)
    area_b = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
    area_g = np.clip(gold[:, 2:] - gold[:, :2], 0, None).prod(-1)
    return inter / np.maximum(area_b[:, None] + area_g[None, :] - inter, 1e-9)


def match(boxes: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Greedy by rank: which boxes (best first) take a gold box no better box has taken. [n] bool."""
    hit = np.zeros(len(boxes), bool)
    if len(boxes) == 0 or len(gold) == 0:
        return hit
    overlap = box_iou(boxes, gold)
    taken = np.zeros(len(gold), bool)
    for i in range(len(boxes)):
        free = np.where(taken, -1.0, overlap[i])
        j = int(free.argmax())
        if free[j] >= IOU:
            hit[i] = taken[j] = True
    return hit


def average_precision(scores: np.ndarray, hits: np.ndarray, gold_count: int) -> float:
    """Interpolated at 101 recalls; 0 without gold."""
    if gold_count == 0 or len(scores) == 0:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    true = np.cumsum(hits[order])
    precision = true / np.arange(1, len(true) + 1)
    recall = true / gold_count
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101), side="left")
    return float(np.where(at < len(envelope), envelope[np.minimum(at, len(envelope) - 1)], 0).mean())


def measure(pairs: Iterable[tuple[Mapping, Mapping]], threshold: float = 0.5) -> Metrics:
    """Measures (gold, detections) pairs; both have ``phrases`` in the same order.

    Raises ValueError when a pair's phrase lists differ in length, or boxes are not best first.
    """
    images = present = first = contrasts = contrasts_right = absents = absents_hit = gold_total = 0
    scores: list[np.ndarray] = []
    hits: list[np.ndarray] = []
    for gold, found in pairs:
        images += 1
        if len(gold["phrases"]) != len(found["phrases"]):
            raise ValueError(
                f"{gold.get('key')}: {len(found['phrases'])} phrases for {len(gold['phrases'])} of the gold"
            )
        for number, (phrase, detection) in enumerate(zip(gold["phrases"], found["phrases"])):
            boxes = np.asarray(detection["boxes"], float).reshape(-1, 4)
            score = np.asarray(detection["scores"], float)
            where = f"{gold.get('key')}, phrase {number}"
            if len(boxes) != len(score):
                raise ValueError(f"{where}: {len(boxes)} boxes and {len(score)} scores")
            if (np.diff(score) > 0).any():
                raise ValueError(f"{where}: boxes are not best first")
            true = np.asarray(phrase["boxes"], float).reshape(-1, 4)
            gold_total += len(true)
            scores.append(score)
            hits.append(match(boxes, true))
            if not phrase["present"]:
                absents += 1
                absents_hit += bool((score > threshold).any())
                continue
            present += 1
            best = boxes[:1]
            first += bool(len(best)) and bool((box_iou(best, true) >= IOU).any())
            rival = phrase.get("contrast")
            if rival is not None:
                contrasts += 1
                other = np.asarray(gold["phrases"][rival]["boxes"], float).reshape(-1, 4)
                if len(best):
                    own = box_iou(best, true).max()
                    contrasts_right += own >= IOU and own > box_iou(best, other).max(initial=0.0)
    all_scores = np.concatenate(scores) if scores else np.zeros(0)
    all_hits = np.concatenate(hits) if hits else np.zeros(0, bool)
    kept = all_scores > threshold
    return Metrics(
        images=images,
        phrases=present,
        recall_at_1=first / max(present, 1),
        ap50=average_precision(all_scores, all_hits, gold_total),
        contrast=float(contrasts_right / max(contrasts, 1)),
        contrast_pairs=contrasts,
        absent=absents_hit / max(absents, 1),
        absent_phrases=absents,
        threshold=threshold,
        precision=float(all_hits[kept].mean()) if kept.any() else 0.0,
        recall=float(all_hits[kept].sum() / max(gold_total, 1)),
    )


def best_threshold(pairs: Sequence[tuple[Mapping, Mapping]], absent_limit: float = 0.1) -> float:
    """The score with the best F1 of boxes among those that keep ``absent`` within the limit."""
    grid = [round(0.2 + 0.02 * i, 2) for i in range(31)]
    measured = [measure(pairs, threshold) for threshold in grid]
    allowed = [m for m in measured if m.absent <= absent_limit] or measured[-1:]
    return max(allowed, key=lambda m: 2 * m.precision * m.recall / max(m.precision + m.recall, 1e-9)).threshold


def read_jsonl(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def pair_up(gold: list[dict], detections: list[dict]) -> list[tuple[dict, dict]]:
    by_key = {line["key"]: line for line in detections}
    missing = [line["key"] for line in gold if line["key"] not in by_key]
    if missing:
        raise SystemExit(f"no detections for {len(missing)} gold keys, the first is {missing[0]}")
    return [(line, by_key[line["key"]]) for line in gold]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", type=Path, help="teacher folder (model.onnx, vocab.txt, teacher.json)")
    parser.add_argument("--checkpoint", type=Path, help="training checkpoint instead of a teacher folder")
    parser.add_argument("--split", default="test", choices=["test", "novel"])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--scenes", type=Path, help="stored scenes instead of --split, --seed, --count")
    parser.add_argument("--write", type=Path, help="keep the detections of --scenes")
    parser.add_argument("--gold", type=Path, help="gold.jsonl; with --detections, no model is run")
    parser.add_argument("--detections", type=Path)
    parser.add_argument("--threshold", type=float, help="default: defaultScore of the teacher, else 0.5")
    args = parser.parse_args(argv)

    if args.write and not args.scenes:
        parser.error("--write needs --scenes")
    if args.detections:
        if not args.gold:
            parser.error("--detections needs --gold")
        pairs = pair_up(read_jsonl(args.gold), read_jsonl(args.detections))
        threshold = 0.5 if args.threshold is None else args.threshold
    elif args.model or args.checkpoint:
        from glip.predict import load_predictor, predict_folder, predict_scenes

        try:
            predictor = load_predictor(args.model, args.checkpoint)
        except (ValueError, OSError) as error:
            raise SystemExit(f"glip.evaluate: {error}") from error
        if args.scenes:
            pairs = predict_folder(predictor, args.scenes, progress=True)
        else:
            pairs = predict_scenes(predictor, args.split, args.seed, args.count, progress=True)
        if args.write:
            lines = [json.dumps(found) + "\n" for _, found in pairs]
            args.write.write_text("".join(lines), encoding="utf-8")
        threshold = predictor.default_score if args.threshold is None else args.threshold
    else:
        parser.error("give --model, --checkpoint, or --gold with --detections")
    try:
        metrics = measure(pairs, threshold)
    except ValueError as error:
        raise SystemExit(f"glip.evaluate: {error}") from error
    json.dump(asdict(metrics), sys.stdout, indent=2)
    print()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
