"""From a checkpoint to a teacher folder: model.onnx, vocab.txt and teacher.json.

    python -m glip.convert --checkpoint glip_tiny_model_o365_goldg_cc_sbu.pth --vocab vocab.txt --to DIR
    python -m glip.convert --checkpoint work/nano/checkpoint.pt --to ../teachers/glip-nano --id glip-nano

The variant follows from the shapes of the weights. Nothing is kept unless ONNX Runtime and PyTorch agree.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from glip.checkpoint import CheckpointError, build_from, read_checkpoint
from glip.config import STRIDES
from glip.export import export, save_graph
from glip.image import LONG_SIDE, MEAN, SHORT_SIDE, STD, normalise
from glip.model import Glip
from glip.postprocess import PostprocessOptions, detect, phrase_probabilities
from glip.predict import DEFAULT_VOCAB, NANO_LONG_SIDE, NANO_SHORT_SIDE
from glip.text import load_vocab

PRECISIONS = ("fp32", "fp16", "int8")
# Largest differences of phrase probability, box deltas and centerness that float32 kernels explain.
FP32_LIMITS = (2e-3, 2e-2, 2e-2)
# A detection counts as found again with the same phrase, this IoU, and this score difference.
SAME_IOU, SAME_SCORE = 0.8, 0.05


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


def torch_outputs(model: Glip, batch: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    images = np.zeros((len(batch["images"]), 3, *batch["images"].shape[1:3]), np.float32)
    for image, pixels, (height, width) in zip(images, batch["images"], batch["image_sizes"]):
        image[:, :height, :width] = normalise(pixels[:height, :width])
    with torch.no_grad():
        outputs = model(*(torch.from_numpy(v) for v in (images, batch["input_ids"], batch["attention_mask"])))
    logits, box_reg, centerness = (value.float().numpy() for value in outputs)
    prob = np.stack([phrase_probabilities(*pair) for pair in zip(logits, batch["positive_map"])])
    return [prob, box_reg, centerness]


def compare(model: Glip, path: Path, short_side: int) -> Comparison:
    """The graph at `path` against the module, on the probe."""
    batch = probe(model, short_side)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(["phrase_prob", "box_reg", "centerness"], dict(batch))
    wanted = torch_outputs(model, batch)
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
            near = np.abs(ours.scores - score)[(ours.phrases == phrase) & (_iou(ours.boxes, box) >= SAME_IOU)]
            if len(near) and near.min() <= SAME_SCORE:
                matched += 1
                worst = max(worst, float(near.min()))
    return Comparison(*differences, total, matched, worst)


def _iou(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    sides = np.minimum(boxes[:, 2:], box[2:]) - np.maximum(boxes[:, :2], box[:2])
    inner = np.clip(sides, 0, None).prod(axis=1)
    return inner / np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + (box[2:] - box[:2]).prod() - inner, 1e-9)


def _file_entry(path: Path) -> dict:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _quantised(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, op_types_to_quantize=["MatMul", "Gemm"], weight_type=QuantType.QInt8)


def teacher_json(
    model: Glip, folder: Path, *, name: str, precision: str, raw: bool, vocab_size: int, score: float, licence: str,
    provenance: Mapping[str, object],
) -> dict:  # fmt: skip
    """What the engine reads (formatVersion 1). `files` covers everything in the folder but itself."""
    options = PostprocessOptions()
    nano = model.config.name == "nano"
    return {
        "formatVersion": 1,
        "id": name,
        "architecture": "glip",
        "variant": model.config.name,
        "precision": precision,
        "raw": raw,
        "files": {path.name: _file_entry(path) for path in sorted(folder.iterdir()) if path.name != "teacher.json"},
        "inputs": {
            "images": "images",
            "imageSizes": "image_sizes",
            "inputIds": "input_ids",
            "attentionMask": "attention_mask",
            "positiveMap": "positive_map",
        },
        "outputs": {"phraseProb": "phrase_prob", "boxReg": "box_reg", "centerness": "centerness"},
        "image": {
            "shortSide": NANO_SHORT_SIDE if nano else SHORT_SIDE,
            "longSide": NANO_LONG_SIDE if nano else LONG_SIDE,
            "padMultiple": 32,
            "channelOrder": "BGR",
            "mean": [round(float(v), 4) for v in MEAN],
            "std": [round(float(v), 4) for v in STD],
        },
        "text": {"maxTokens": min(256, model.config.max_positions), "lowerCase": True},
        "anchors": {"strides": list(STRIDES), "sizes": [8 * stride for stride in STRIDES]},
        "boxWeights": [10, 10, 5, 5],
        "postprocess": {
            "candidateScore": options.candidate_score,
            "preNms": options.pre_nms,
            "nmsIou": options.nms_iou,
            "maxBoxes": options.max_boxes,
        },
        "defaultScore": score,
        "licence": licence,
        "provenance": {"vocabSize": str(vocab_size), **provenance},
    }


def convert(
    checkpoint: Path, vocab: Path, to: Path, *, name: str | None = None, precision: str = "fp32", raw: bool = False,
    score: float = 0.5, licence: str = "unknown", force: bool = False,
) -> Comparison | None:  # fmt: skip
    """Writes the folder in one step: it is complete or not there.

    Returns how well ONNX Runtime agrees with PyTorch (None for a raw graph, which `glip.parity` compares).
    Raises CheckpointError for weights, ValueError for a vocabulary or a folder that does not fit.
    """
    if to.exists() and not force:
        raise ValueError(f"{to} exists; choose another folder, or add --force to replace it")
    tensors, config = read_checkpoint(checkpoint)
    model = build_from(tensors, config)
    words = load_vocab(vocab)
    if len(words) > model.config.vocab_size:
        raise ValueError(f"{vocab} has {len(words)} lines, but the model knows {model.config.vocab_size} tokens")
    if model.config.name != "nano" and len(words) < model.config.vocab_size:
        raise ValueError(f"{vocab} has {len(words)} of the model's {model.config.vocab_size} tokens: another vocabulary")
    to.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=to.parent) as temporary:
        folder = Path(temporary) / "teacher"
        folder.mkdir()
        graph = folder / "model.onnx"
        save_graph(export(model, raw=raw, half=precision == "fp16"), graph)
        if precision == "int8":
            full = Path(temporary) / "full.onnx"
            save_graph(export(model, raw=raw), full)
            for file in folder.iterdir():
                file.unlink()
            _quantised(full, graph)
        shutil.copyfile(vocab, folder / "vocab.txt")
        comparison = None
        if raw:
            onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        else:
            comparison = compare(model, graph, NANO_SHORT_SIDE if model.config.name == "nano" else 320)
            limits = (comparison.phrase_prob, comparison.box_reg, comparison.centerness)
            if precision == "fp32" and any(d > limit or np.isnan(d) for d, limit in zip(limits, FP32_LIMITS)):
                raise ValueError(f"ONNX Runtime and PyTorch disagree, nothing was written: {comparison}")
        provenance: dict[str, object] = {
            "checkpoint": checkpoint.name,
            "checkpointSha256": _file_entry(checkpoint)["sha256"],
            "torch": torch.__version__,
            "onnx": onnx.__version__,
        }
        if comparison is not None:
            provenance["agreementWithPyTorch"] = str(comparison)
        content = teacher_json(
            model, folder, name=name or model.config.name, precision=precision, raw=raw, vocab_size=len(words),
            score=score, licence=licence, provenance=provenance,
        )  # fmt: skip
        (folder / "teacher.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        if to.exists():
            shutil.rmtree(to)
        os.replace(folder, to)
    return comparison


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, help="vocab.txt of the text encoder; default for our own: the bundled one")
    parser.add_argument("--to", type=Path, required=True, help="folder to make")
    parser.add_argument("--id", help="name of the teacher; default: its variant")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--raw", action="store_true", help="graph with token logits, for parity tests")
    parser.add_argument("--default-score", type=float, default=0.5)
    parser.add_argument("--licence", default="unknown")
    parser.add_argument("--force", action="store_true", help="replace the folder")
    args = parser.parse_args(argv)
    try:
        comparison = convert(
            args.checkpoint, args.vocab or DEFAULT_VOCAB, args.to, name=args.id, precision=args.precision, raw=args.raw,
            score=args.default_score, licence=args.licence, force=args.force,
        )  # fmt: skip
    except (CheckpointError, ValueError, OSError) as error:
        print(f"glip.convert: {error}", file=sys.stderr)
        return 1
    print(f"{args.to}: {comparison or 'raw graph, opens in ONNX Runtime'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
