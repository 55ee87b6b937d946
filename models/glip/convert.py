"""From a checkpoint to a teacher folder: model.onnx, vocab.txt and teacher.json.

    python -m glip.convert --checkpoint glip_tiny_model_o365_goldg_cc_sbu.pth --vocab vocab.txt --to DIR
    python -m glip.convert --checkpoint glip.pth --vocab vocab.txt --to DIR --precision fp16 --probe PICTURES
    python -m glip.convert --checkpoint training/nano/checkpoint.pt --to ../teachers/glip-nano --id glip-nano

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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch

from glip.agreement import MIN_DETECTIONS, SCENE_SEED, Comparison, Drift, compare, drift
from glip.checkpoint import build_from, open_checkpoint, recognise
from glip.config import STRIDES
from glip.export import export, save_graph
from glip.image import LONG_SIDE, MEAN, SHORT_SIDE, STD
from glip.model import Glip
from glip.postprocess import PostprocessOptions
from glip.predict import DEFAULT_VOCAB, NANO_LONG_SIDE, NANO_SHORT_SIDE
from glip.probe import CAPTIONS, Picture, own_pictures, rendered
from glip.reading import in_place_of_text
from glip.text import Tokenizer, load_vocab

PRECISIONS = ("fp32", "fp16", "int8")
# Largest differences of phrase probability, box deltas and centerness that float32 kernels explain.
FP32_LIMITS = (2e-3, 2e-2, 2e-2)
MAX_LOSS = 1.0  # points that reduced precision may lose
SCENES, SCENES_OF_LARGE = 100, 40  # to measure it on; the latter at most
COMPARED_SHORT_SIDE = 320  # of the batch that every graph is compared on
PROBE_SIDES = (480, 800)  # of the pictures that reduced precision is measured on; nano has its own
BERT_PLACES = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}


@dataclass(frozen=True)
class ConvertOptions:
    """name: id of the teacher, by default its variant. score: default score of the teacher. weights: key in
    the file, where there are several sets. scenes: on how many rendered ones reduced precision is measured
    (default by variant), at most; probe: pictures or folders of the user's own instead, with their captions from
    `captions` or one `caption`. allow_loss: write it though it loses more than `MAX_LOSS` points, or though that
    could not be measured. force: replace an older teacher folder."""

    name: str | None = None
    precision: str = "fp32"
    raw: bool = False
    score: float = 0.5
    licence: str = "unknown"
    weights: str | None = None
    scenes: int | None = None
    probe: Sequence[Path] = ()
    captions: Path | None = None
    caption: str | None = None
    allow_loss: bool = False
    force: bool = False


def _file_entry(path: Path) -> dict:
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def quantise(source: Path, target: Path) -> None:
    """Dynamic int8: weights of products per output channel, activations by their range at run time.

    Seven bits of the eight, since the sums of two eight-bit products overflow on CPUs without VNNI.
    Only two-dimensional weights: ONNX Runtime has no kernel per channel for stacked ones.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load(source, load_external_data=False).graph
    stacked = {tensor.name for tensor in graph.initializer if len(tensor.dims) > 2}
    quantize_dynamic(
        source,
        target,
        op_types_to_quantize=["MatMul", "Gemm"],
        weight_type=QuantType.QInt8,
        per_channel=True,
        reduce_range=True,
        nodes_to_exclude=[node.name for node in graph.node if node.op_type == "MatMul" and node.input[1] in stacked],
    )


def read_vocabulary(path: Path) -> dict[str, int]:
    """Raises ValueError unless it has BERT's special tokens in BERT's places."""
    other = in_place_of_text(path)
    if other:
        raise ValueError(f"{path}: is no vocabulary but {other}")
    words = load_vocab(path)
    moved = [f"{token} at {words[token]}, not {place}" for token, place in BERT_PLACES.items() if words[token] != place]
    if moved:
        raise ValueError(f"{path} is not the vocabulary of an uncased BERT: {'; '.join(moved)}")
    return words


def teacher_json(model: Glip, folder: Path, options: ConvertOptions, provenance: Mapping[str, str]) -> dict:
    """What the engine reads (formatVersion 1). `files` covers everything in the folder but itself."""
    post = PostprocessOptions()
    nano = model.config.name == "nano"
    return {
        "formatVersion": 1,
        "id": options.name or model.config.name,
        "architecture": "glip",
        "variant": model.config.name,
        "precision": options.precision,
        "raw": options.raw,
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
            "candidateScore": post.candidate_score,
            "preNms": post.pre_nms,
            "nmsIou": post.nms_iou,
            "maxBoxes": post.max_boxes,
        },
        "defaultScore": options.score,
        "licence": options.licence,
        "provenance": dict(provenance),
    }


@dataclass(frozen=True)
class Converted:
    """variant: as recognised; comparison: on one batch; drift: of reduced precision on pictures; weights: which
    ones of the file they are."""

    variant: str
    comparison: Comparison
    drift: Drift | None
    weights: str = "weights"

    def __str__(self) -> str:
        return f"{self.variant}, {self.weights}; {self.comparison}" + (f"; {self.drift}" if self.drift else "")


def check_target(to: Path, force: bool) -> None:
    """Raises ValueError when the folder must not be written."""
    if not to.exists():
        return
    if not force:
        raise ValueError(f"{to} exists; choose another folder, or add --force to replace it")
    if not to.is_dir() or (any(to.iterdir()) and not (to / "teacher.json").exists()):
        raise ValueError(f"{to} is no teacher folder (it has no teacher.json); it is not replaced, even with --force")


def check_options(options: ConvertOptions) -> list[Picture]:
    """The user's own pictures to measure reduced precision on. Raises ValueError for what does not fit."""
    if not 0 <= options.score <= 1:
        raise ValueError(f"the default score is {options.score}; it must be between 0 and 1")
    if options.scenes is not None and options.scenes < 1:
        raise ValueError(f"--scenes is {options.scenes}; it must be at least 1")
    if not options.probe:
        if options.captions or options.caption:
            raise ValueError("captions are given without pictures; name these with --probe")
        return []
    if options.precision == "fp32" or options.raw:
        raise ValueError("--probe is for --precision fp16 or int8 without --raw; fp32 is compared on every value")
    return own_pictures(options.probe, options.captions, options.caption)[: options.scenes]


def convert(checkpoint: Path, vocab: Path | None, to: Path, options: ConvertOptions = ConvertOptions()) -> Converted:
    """Writes the folder in one step: it is complete or not there.

    vocab: vocab.txt; None means that of glip-nano. Raises CheckpointError for weights, ValueError for anything
    else that does not fit, and when ONNX Runtime does not agree with PyTorch; then nothing was written.
    """
    check_target(to, options.force)
    pictures = check_options(options)
    # Before the checkpoint, which takes long to read.
    words = read_vocabulary(vocab or DEFAULT_VOCAB)
    given = open_checkpoint(checkpoint, options.weights)
    config = given.config or recognise(given.tensors)
    if vocab is None and config.name != "nano":
        raise ValueError(f"{checkpoint} is {config.name}: name its vocab.txt with --vocab")
    if len(words) != config.vocab_size:
        raise ValueError(
            f"{vocab or DEFAULT_VOCAB} has {len(words)} tokens, the model {config.vocab_size}: "
            "it belongs to another model (--vocab)"
        )
    model = build_from(given.tensors, config)
    given.tensors.clear()
    # Beside the target, so that moving it there is one rename; parents are made only for a finished folder.
    beside = next(parent for parent in to.absolute().parents if parent.exists())
    with tempfile.TemporaryDirectory(prefix=f".{to.name}-", dir=beside) as temporary:
        folder = Path(temporary) / "teacher"
        folder.mkdir()
        shutil.copyfile(vocab or DEFAULT_VOCAB, folder / "vocab.txt")
        write_graph(model, folder / "model.onnx", options)
        result = check_graph(model, folder / "model.onnx", Tokenizer(words), options, pictures)
        result = replace(result, weights=str(given))
        provenance = {
            "vocabSize": str(len(words)),
            "checkpoint": checkpoint.name,
            "checkpointSha256": _file_entry(checkpoint)["sha256"],
            "weights": given.source or "the file itself",
            "namesOf": given.names,
            "torch": torch.__version__,
            "onnx": onnx.__version__,
            "agreementWithPyTorch": str(result.comparison),
        }
        if result.drift:
            provenance["agreementWithFp32"] = str(result.drift)
        content = teacher_json(model, folder, options, provenance)
        (folder / "teacher.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        to.parent.mkdir(parents=True, exist_ok=True)
        if to.exists():
            os.replace(to, Path(temporary) / "replaced")
        os.replace(folder, to)
    return result


def write_graph(model: Glip, path: Path, options: ConvertOptions) -> None:
    if options.precision != "int8":
        save_graph(export(model, raw=options.raw, half=options.precision == "fp16"), path)
        return
    with tempfile.TemporaryDirectory(dir=path.parent.parent) as temporary:
        full = Path(temporary) / "full.onnx"
        graph = export(model, raw=options.raw)
        # Written without superfluous nodes already: says so, or the quantiser logs a warning.
        graph.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
        save_graph(graph, full)
        del graph
        quantise(full, path)


def check_graph(
    model: Glip, path: Path, tokenizer: Tokenizer, options: ConvertOptions, pictures: Sequence[Picture] = ()
) -> Converted:
    """Compares with PyTorch. Raises ValueError when the graph does not agree well enough to be kept."""
    nano = model.config.name == "nano"
    comparison = compare(model, path, NANO_SHORT_SIDE if nano else COMPARED_SHORT_SIDE, raw=options.raw)
    differences = comparison.phrase_prob, comparison.box_reg, comparison.centerness
    limits = FP32_LIMITS if options.precision == "fp32" else (np.inf,) * 3
    if not all(np.isfinite(d) and d <= limit for d, limit in zip(differences, limits)):
        raise ValueError(f"ONNX Runtime and PyTorch disagree, nothing was written: {comparison}")
    if options.precision == "fp32" or options.raw:
        return Converted(model.config.name, comparison, None)
    sides = (NANO_SHORT_SIDE, NANO_LONG_SIDE) if nano else PROBE_SIDES
    scenes = options.scenes or (SCENES if nano else SCENES_OF_LARGE)
    found = drift(
        model, path, tokenizer, sides, options.score, pictures or rendered(SCENE_SEED, scenes),
        "pictures" if pictures else "scenes", gold=nano and not pictures,
    )  # fmt: skip
    if found.loss > MAX_LOSS and found.detections and not options.allow_loss:
        raise ValueError(
            f"{options.precision} loses {found.loss:.1f} points, more than {MAX_LOSS:g}; nothing was written. "
            f"Convert with another precision, or add --allow-loss to have it nevertheless. {found}"
        )
    if not found.enough and not options.allow_loss:
        more = "more pictures" if pictures else "pictures of the kind the model is for"
        raise ValueError(
            f"{options.precision} cannot be judged, nothing was written: on {found.scenes} {found.kind} the float32 "
            f"network has {found.detections} detections at or above the default score of {options.score:g}, and "
            f"{MIN_DETECTIONS} are needed. Give {more} (--probe FOLDER with a {CAPTIONS} in it, or with "
            "--probe-caption TEXT), or a lower --default-score; --allow-loss writes it without evidence"
        )
    return Converted(model.config.name, comparison, found)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help=".pth of the authors, of mmdetection or ours")
    parser.add_argument("--vocab", type=Path, help="vocab.txt of bert-base-uncased; glip-nano's own is bundled")
    parser.add_argument("--to", type=Path, required=True, help="folder to make")
    parser.add_argument("--id", help="name of the teacher; default: its variant")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32")
    parser.add_argument("--raw", action="store_true", help="graph with token logits, for parity tests")
    parser.add_argument("--default-score", type=float, default=0.5)
    parser.add_argument("--licence", default="unknown")
    parser.add_argument(
        "--weights", metavar="KEY", help="which weights of the file, e.g. model_ema; default: those of the model"
    )
    parser.add_argument(
        "--scenes", type=int,
        help=f"rendered scenes to measure fp16 or int8 on, default {SCENES} (glip-nano), or as many as it takes, at "
        f"most {SCENES_OF_LARGE}; with --probe: that many pictures at most",
    )  # fmt: skip
    parser.add_argument(
        "--probe", type=Path, nargs="+", default=(), metavar="IMAGES",
        help="pictures or folders of your own to measure fp16 or int8 on, instead of scenes",
    )  # fmt: skip
    parser.add_argument(
        "--probe-captions", type=Path, metavar="FILE",
        help=f"their captions, JSON Lines with image and caption; default: {CAPTIONS} in their folder",
    )  # fmt: skip
    parser.add_argument("--probe-caption", metavar="TEXT", help="one caption for those without")
    parser.add_argument(
        "--allow-loss", action="store_true", help=f"write it though it loses over {MAX_LOSS:g} point or is not judged"
    )
    parser.add_argument("--force", action="store_true", help="replace an older teacher folder")
    args = parser.parse_args(argv)
    options = ConvertOptions(
        name=args.id, precision=args.precision, raw=args.raw, score=args.default_score, licence=args.licence,
        weights=args.weights, scenes=args.scenes, probe=args.probe, captions=args.probe_captions,
        caption=args.probe_caption, allow_loss=args.allow_loss, force=args.force,
    )  # fmt: skip
    try:
        result = convert(args.checkpoint, args.vocab, args.to, options)
    except (ValueError, OSError) as error:
        print(f"glip.convert: {error}", file=sys.stderr)
        return 1
    print(f"{args.to}: {result}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
