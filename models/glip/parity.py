"""Compares GLIP on rule-filled weights with recorded outputs of the reference.

    python -m glip.parity --model glip-t
    python -m glip.parity --model glip-t-a --engine onnx --case landscape-320
    python -m glip.parity --model glip-l
    python -m glip.parity --model glip-t-a --write DIR      the model as a teacher folder, for other engines

Every recorded intermediate is compared in PyTorch, then the exported graph in ONNX Runtime: head outputs and
final detections. Of GLIP-L only names and shapes are recorded: there ONNX Runtime is compared with PyTorch.
Exits with 1 when a tolerance is passed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glip.checkpoint import DROPPED, build_from
from glip.config import CONFIGS
from glip.export import export, save_graph
from glip.model import Glip
from glip.postprocess import Detections, PostprocessOptions
from glip.reference import (
    Inputs,
    RawModel,
    Rules,
    detections_of,
    largest_difference,
    load_images,
    named_outputs,
    onnx_model,
    prepare,
    recorded,
    rule_tensor,
    text_outputs,
    torch_model,
)
from glip.text import MAX_TOKENS, Prompt, Tokenizer, load_vocab

GOLDEN = os.environ.get("GROUNDMILL_GOLDEN")
FOLDERS = {"glip-t": "glip-t", "glip-t-a": "glip-a", "glip-l": "glip-l"}  # names among the recordings
BORROWED = "glip-a", "landscape-320"  # picture and caption for a variant without recorded outputs
# Suggested with the recordings: a few times the spread of float32 on other kernels.
TOLERANCES = (
    (r"^image/", 1e-5), (r"^text/", 1e-6), (r"^lang/", 1e-4), (r"^swin/", 5e-5), (r"^fpn/", 1e-4),
    (r"^tower/0/", 1e-4), (r"^tower/./.*lang$", 2e-4), (r"^tower/[12]/", 4e-4), (r"^tower/", 4e-3),
    (r"^head/(bbox_reg|centerness)/", 4e-3), (r"^head/dot_logits", 6e-3),
)  # fmt: skip
UNFUSED_HEAD = 3e-4
SCORE, BOX = {True: 3e-4, False: 3e-5}, {True: 0.15, False: 1e-2}  # by config.fused


@dataclass(frozen=True)
class Agreement:
    """How many recorded detections have a partner of the same phrase, and how far the partners are off."""

    recorded: int
    found: int
    matched: int
    score: float
    box: float


def match_detections(
    found: Detections, boxes: np.ndarray, scores: np.ndarray, phrases: np.ndarray, score_limit: float, box_limit: float
) -> Agreement:
    """Pairs recorded detections with the nearest free one of the same phrase within the limits."""
    free = np.ones(len(found.scores), bool)
    matched, worst_score, worst_box = 0, 0.0, 0.0
    for box, score, phrase in zip(boxes, scores, phrases):
        distance = np.abs(found.boxes - box).max(axis=1, initial=0.0)
        score_distance = np.abs(found.scores - score)
        allowed = free & (found.phrases == phrase) & (score_distance <= score_limit) & (distance <= box_limit)
        if not allowed.any():
            continue
        nearest = int(np.where(allowed, distance, np.inf).argmin())
        free[nearest] = False
        matched += 1
        worst_score = max(worst_score, float(score_distance[nearest]))
        worst_box = max(worst_box, float(distance[nearest]))
    return Agreement(len(scores), len(found.scores), matched, worst_score, worst_box)


def tolerance(name: str, fused: bool) -> float:
    if name.startswith("head/") and not fused:
        return UNFUSED_HEAD
    return next(limit for pattern, limit in TOLERANCES if re.match(pattern, name))


def rule_filled(variant: str, golden: Path, seed: int = 5) -> tuple[dict[str, np.ndarray], str, int]:
    """All weights of a variant by the recorded rules; sha256 and number of all filled tensors, the dropped
    ones included, to compare with the recorded ones."""
    rules: Rules = json.loads((golden / "fill-rules.json").read_text())["glip"]
    listing = json.loads((golden / "state-dict" / f"{FOLDERS[variant]}.json").read_text())
    tensors, digest, count = {}, hashlib.sha256(), 0
    for name, shape, _dtype, _kind in sorted(listing["tensors"]):
        value = rule_tensor(name, shape, seed, rules)
        if value is None:
            continue
        digest.update(name.encode() + b"\0")
        digest.update(value)
        count += 1
        if not DROPPED.search(name):
            tensors[name] = value
    return tensors, digest.hexdigest(), count


@dataclass
class Report:
    """Collects the worst difference per group of outputs; prints one line each."""

    failures: int = 0
    skipped: int = 0

    def compare(self, values: Mapping[str, np.ndarray], golden: Mapping[str, np.ndarray], fused: bool) -> None:
        names = sorted({re.sub(r"/(shape|stats|samples)$", "", name) for name in golden if not name.startswith("det/")})
        worst: dict[str, tuple[float, float]] = {}
        for name in names:
            if name not in values:
                continue
            difference, limit = largest_difference(name, values[name], golden), tolerance(name, fused)
            group = "/".join(part for part in name.split("/")[:3] if not part.isdigit() or name.startswith("tower"))
            group = re.sub(r"/v\d$", "", group)
            if difference / limit >= worst.get(group, (-1.0, 1.0))[0] / worst.get(group, (-1.0, 1.0))[1]:
                worst[group] = (difference, limit)
        for group, (difference, limit) in worst.items():
            self.line(difference <= limit, f"{group:24} {difference:.1e}  (limit {limit:.0e})")

    def detections(self, found: Detections, golden: Mapping[str, np.ndarray], key: str, fused: bool) -> None:
        agreement = match_detections(
            found,
            *(golden[f"{key}/{part}"] for part in ("boxes", "scores")),
            golden[f"{key}/labels"] - 1,
            SCORE[fused],
            BOX[fused],
        )
        self.line(
            agreement.recorded == agreement.found == agreement.matched,
            f"{key:24} {agreement.matched} of {agreement.recorded} matched, {agreement.found} found; "
            f"scores {agreement.score:.1e}, boxes {agreement.box:.1e} px",
        )

    def line(self, good: bool, text: str) -> None:
        self.failures += not good
        print(f"    {'ok  ' if good else 'FAIL'} {text}", flush=True)


def case_inputs(case: Mapping, folder: Path, pad_text_to: int | None) -> Inputs:
    spans = [[tuple(span) for span in phrase] for phrase in case["spans"]]
    return prepare(
        load_images([folder / image["file"] for image in case["images"]]),
        [Prompt(case["caption"], spans)] * len(case["images"]),
        Tokenizer(load_vocab(folder / "vocab.txt")),
        short_side=case["min_size"],
        pad_text_to=pad_text_to,
    )


def check_case(case: Mapping, folder: Path, run: RawModel, model: Glip | None, fused: bool, report: Report) -> None:
    """One recorded case through one engine; `model` gives access to what is inside."""
    path = folder / f"{case['name']}.npz"
    if not path.exists():
        print(f"  {case['name']}: skipped, there is no {path}")
        report.skipped += 1
        return
    with np.load(path) as archive:
        expected = {name: archive[name] for name in archive.files}
    inputs = case_inputs(case, folder, MAX_TOKENS if model else None)
    arrays = inputs.images, inputs.input_ids, inputs.attention_mask
    values: dict[str, np.ndarray] = {}
    started = time.perf_counter()
    if model:
        with recorded(model, values):
            outputs = run(*arrays)
        values |= text_outputs(values["lang/hidden"], inputs.attention_mask)
    else:
        outputs = run(*arrays)
    print(f"  {case['name']}: {' x '.join(map(str, inputs.images.shape))}, {time.perf_counter() - started:.1f} s")
    values |= named_outputs(inputs, outputs)
    if not model:  # the graph ran without padding tokens
        values = {k: v for k, v in values.items() if k.startswith("head/") and not k.startswith("head/dot_logits/")}
    report.compare(values, expected, fused)
    for threshold in case["pre_nms_thresh"]:
        found = detections_of(inputs, outputs, PostprocessOptions(candidate_score=threshold))
        for i, detections in enumerate(found):
            report.detections(detections, expected, f"det/th{threshold}/{i}", fused)


def check_fill(variant: str, golden: Path, sha256: str, count: int, report: Report) -> None:
    recorded_fill = json.loads((golden / "fill-check.json").read_text())["whole_model"].get(FOLDERS[variant])
    if recorded_fill is None:
        print(f"  {count} tensors filled; no checksum is recorded")
        return
    good = (recorded_fill["sha256"], recorded_fill["filled_tensors"]) == (sha256, count)
    report.line(good, f"{count} filled tensors, sha256 {sha256[:12]}")


def onnx_of(model: Glip, folder: str) -> RawModel:
    """The exported raw graph, opened; the caller should let go of the module."""
    path = Path(folder) / "model.onnx"
    save_graph(export(model, raw=True), path)
    size = sum(file.stat().st_size for file in path.parent.iterdir())
    print(f"  exported: {', '.join(sorted(f.name for f in path.parent.iterdir()))}, {size / 1e6:.0f} MB", flush=True)
    return onnx_model(path)


def check_unrecorded(variant: str, tensors: dict[str, np.ndarray], golden: Path, report: Report) -> None:
    """PyTorch against ONNX Runtime, with a picture and caption of another variant's recordings."""
    folder = golden / BORROWED[0]
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    inputs = case_inputs(next(case for case in cases if case["name"] == BORROWED[1]), folder, None)
    arrays = inputs.images, inputs.input_ids, inputs.attention_mask
    model = build_from(tensors, CONFIGS[variant])
    tensors.clear()
    wanted = torch_model(model)(*arrays)
    with tempfile.TemporaryDirectory() as temporary:
        run = onnx_of(model, temporary)
        del model
        found = run(*arrays)
    for name, theirs, ours in zip(("dot_logits", "bbox_reg", "centerness"), wanted, found):
        difference, limit = float(np.abs(ours - theirs).max()), tolerance(f"head/{name}/", True)
        report.line(difference <= limit, f"head/{name:19} {difference:.1e}  (limit {limit:.0e})")
    theirs, ours = (detections_of(inputs, outputs, PostprocessOptions())[0] for outputs in (wanted, found))
    recorded_form = {"d/boxes": theirs.boxes, "d/scores": theirs.scores, "d/labels": theirs.phrases + 1}
    report.detections(ours, recorded_form, "d", True)


def check_recorded(
    variant: str, tensors: dict[str, np.ndarray], golden: Path, engines: Sequence[str], names: Sequence[str] | None,
    report: Report,
) -> None:  # fmt: skip
    """The recorded cases through PyTorch and through the exported graph in ONNX Runtime."""
    folder, config = golden / FOLDERS[variant], CONFIGS[variant]
    cases = json.loads((folder / "cases.json").read_text(encoding="utf-8"))["cases"]
    cases = [case for case in cases if not names or case["name"] in names]
    model = build_from(tensors, config)
    tensors.clear()
    if "torch" in engines:
        print(f"{variant}, torch")
        for case in cases:
            check_case(case, folder, torch_model(model), model, config.fused, report)
    if "onnx" in engines:
        print(f"{variant}, onnx")
        with tempfile.TemporaryDirectory() as temporary:
            run = onnx_of(model, temporary)
            del model
            for case in cases:
                check_case(case, folder, run, None, config.fused, report)


def write_folder(model: Glip, vocab: Path, to: Path) -> None:
    """The model as the engine reads it; nothing is compared."""
    from glip.convert import ConvertOptions, teacher_json

    to.mkdir(parents=True)
    save_graph(export(model), to / "model.onnx")
    shutil.copyfile(vocab, to / "vocab.txt")
    options = ConvertOptions(name=f"{model.config.name}-by-rule", licence="none: weights by rule")
    content = teacher_json(model, to, options, {"vocabSize": str(len(load_vocab(vocab)))})
    (to / "teacher.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--model", choices=FOLDERS, required=True)
    parser.add_argument("--engine", choices=["torch", "onnx"], action="append", help="default: both")
    parser.add_argument("--case", action="append", help="default: all recorded cases")
    parser.add_argument(
        "--golden", type=Path, default=GOLDEN, required=not GOLDEN, help="recorded outputs, default GROUNDMILL_GOLDEN"
    )
    parser.add_argument("--write", type=Path, metavar="DIR", help="write a teacher folder and compare nothing")
    args = parser.parse_args(argv)
    if not (args.golden / "fill-rules.json").exists():
        raise SystemExit(f"no recorded outputs at {args.golden}; name their folder with --golden")
    report = Report()
    tensors, sha256, count = rule_filled(args.model, args.golden)
    if args.write:
        vocab = args.golden / BORROWED[0] / "vocab.txt"
        write_folder(build_from(tensors, CONFIGS[args.model]), vocab, args.write)
        return 0
    check_fill(args.model, args.golden, sha256, count, report)
    if (args.golden / FOLDERS[args.model] / "cases.json").exists():
        check_recorded(args.model, tensors, args.golden, args.engine or ["torch", "onnx"], args.case, report)
    else:
        check_unrecorded(args.model, tensors, args.golden, report)
    if report.skipped:
        print(f"{report.skipped} cases were skipped")
    print("all within tolerance" if report.failures == 0 else f"{report.failures} comparisons out of tolerance")
    return int(report.failures > 0)


if __name__ == "__main__":
    sys.exit(main())
