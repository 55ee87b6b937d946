"""`glip.convert` on small made-up checkpoints, good and bad."""

from __future__ import annotations

import hashlib
import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path

import onnxruntime
import pytest
import torch

from glip import export as export_module
from glip.agreement import Comparison, Drift
from glip.checkpoint import CheckpointError, build_from, read_checkpoint, recognise
from glip.config import CONFIGS
from glip.convert import ConvertOptions, convert, main
from glip.model import Glip, build
from glip.predict import DEFAULT_VOCAB, predictor_of_folder

TINY = replace(
    CONFIGS["nano"], depths=(1, 1, 1, 1), blocks=1, channels=32, text_layers=1, text_hidden=64, text_heads=2,
    text_intermediate=64, fusion_dim=64, fusion_heads=2,
)  # fmt: skip
FUSION = "rpn.head.dyhead_tower.0.b_attn.gamma_v"
BBOX = "rpn.head.bbox_pred.weight"


@pytest.fixture(scope="module")
def nano() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build(CONFIGS["nano"]).state_dict()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory) -> Path:
    """A training checkpoint of less than nano, quick to convert; every token has a probability near 0.5."""
    torch.manual_seed(0)
    model = build(TINY)
    torch.nn.init.zeros_(model.rpn.head.bias0)
    path = tmp_path_factory.mktemp("tiny") / "checkpoint.pt"
    content = {"model": model.state_dict(), "average": model.state_dict(), "config": asdict(TINY), "step": 3}
    torch.save(content, path)
    return path


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


# Reading and recognising


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("prefix", ["module.", ""])
def test_prefix_and_wrapping_do_not_matter(tmp_path, nano, prefix, wrapped):
    tensors = {f"{prefix}{name}": value for name, value in nano.items()}
    content = {"model": tensors, "optimizer": {"lr": 1.0}, "iteration": 7} if wrapped else tensors

    found, config = read_checkpoint(saved(tmp_path / "c.pth", content))

    assert config is None
    assert set(found) == set(nano)
    assert recognise(found).name == "nano"


def test_a_training_checkpoint_gives_its_averaged_weights(tmp_path, nano):
    average = {name: value + 1 for name, value in nano.items()}
    content = {"model": nano, "average": average, "config": asdict(CONFIGS["nano"])}

    found, config = read_checkpoint(saved(tmp_path / "c.pt", content))

    assert config == CONFIGS["nano"]
    torch.testing.assert_close(found[BBOX], nano[BBOX] + 1)


def test_entries_inference_never_reads_are_left_out(nano):
    window = {name for name in nano if name.endswith("relative_position_index")}
    extra = {
        "rpn.head.cls_logits.weight": torch.zeros(80, 64, 1, 1),
        "rpn.head.cls_logits.bias": torch.zeros(80),
        "rpn.anchor_generator.cell_anchors.0": torch.zeros(1, 4),
        "rpn.head.mlm_head.bias": torch.zeros(3),
        "language_backbone.body.model.embeddings.position_ids": torch.arange(256)[None],
        "language_backbone.body.model.pooler.dense.weight": torch.zeros(128, 128),
    }

    model = build_from({name: value for name, value in nano.items() if name not in window} | extra)

    assert set(model.state_dict()) == set(nano)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, nano[name])


def test_half_precision_weights_become_float32(nano):
    model = build_from({k: v.half() if v.is_floating_point() else v for k, v in nano.items()})

    assert {v.dtype for v in model.state_dict().values()} == {torch.float32, torch.int64}


def test_every_tensor_that_does_not_fit_is_listed(nano):
    tensors = dict(nano)
    del tensors[FUSION]
    tensors["rpn.head.something"] = torch.zeros(3)
    tensors[BBOX] = torch.zeros(4, 3, 1, 1)
    tensors["rpn.head.bias0"] = torch.tensor([float("nan")])
    index = "backbone.body.layers.0.blocks.0.attn.relative_position_index"
    tensors[index] = tensors[index].flip(0)

    with pytest.raises(CheckpointError) as caught:
        build_from(tensors, CONFIGS["nano"])

    message = str(caught.value)
    assert f"missing (1):\n  {FUSION}" in message
    assert "unexpected (1):\n  rpn.head.something" in message
    assert f"of another shape (1):\n  {BBOX}: (4, 3, 1, 1), expected (4, 64, 1, 1)" in message
    assert "not finite (1):\n  rpn.head.bias0" in message
    assert f"another order of window positions (1):\n  {index}" in message


@pytest.mark.parametrize("variant", ["glip-t-a", "glip-t", "glip-l", "nano"])
def test_the_variant_follows_from_the_shapes(variant):
    with torch.device("meta"):
        tensors = Glip(CONFIGS[variant]).state_dict()

    assert recognise(tensors) == CONFIGS[variant]


def test_shapes_of_no_variant_are_compared_with_the_nearest():
    with torch.device("meta"):
        tensors = Glip(replace(CONFIGS["glip-t"], vocab_size=28996)).state_dict()

    with pytest.raises(CheckpointError, match=r"no known variant.*nearest is glip-t, but these differ \(1\)") as caught:
        recognise(tensors)
    assert "word embeddings: (28996, 768), expected (30522, 768)" in str(caught.value)


def test_a_prompt_tuned_checkpoint_is_refused(nano):
    with pytest.raises(CheckpointError, match="prompt-tuned"):
        build_from(nano | {"rpn.tunable_linear.weight": torch.zeros(1000, 128)})


class Code:
    """Would make a file when unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def test_a_pickle_that_could_run_code_is_refused_and_not_run(tmp_path, nano):
    trap = tmp_path / "trap"
    content = {"model": {"rpn.head.bias0": torch.zeros(1)}, "hook": Code(str(trap))}
    legacy = tmp_path / "legacy.pth"
    legacy.write_bytes(pickle.dumps(content["hook"], protocol=2))

    for path in (saved(tmp_path / "c.pth", content), legacy):
        with pytest.raises(CheckpointError, match="could run code"):
            read_checkpoint(path)
    assert not trap.exists()


def test_files_that_are_no_checkpoint_are_refused(tmp_path, nano):
    whole = saved(tmp_path / "whole.pth", {"model": nano}).read_bytes()
    cases = {
        "truncated": (whole[: len(whole) // 2], "PyTorch file"),
        "text": (b"<html>404: not found</html>\n", "PyTorch file"),
        "empty": (b"", "PyTorch file"),
    }
    for name, (content, message) in cases.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=message) as caught:
            read_checkpoint(path)
        assert str(path) in str(caught.value)
    with pytest.raises(CheckpointError, match="no such file"):
        read_checkpoint(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="holds a list, not a dict"):
        read_checkpoint(saved(tmp_path / "list.pth", [torch.zeros(1)]))
    with pytest.raises(CheckpointError, match="no tensors under 'model'"):
        read_checkpoint(saved(tmp_path / "none.pth", {"model": {}}))
    with pytest.raises(CheckpointError, match="entries that are no tensors.*\n.*epoch: int"):
        read_checkpoint(saved(tmp_path / "mixed.pth", {"epoch": 3, "a.weight": torch.zeros(1)}))


# The folder


def description(folder: Path) -> dict:
    content = json.loads((folder / "teacher.json").read_text())
    files = {path.name for path in folder.iterdir()} - {"teacher.json"}
    assert set(content["files"]) == files
    for name, entry in content["files"].items():
        data = (folder / name).read_bytes()
        assert entry == {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert all(isinstance(value, str) for value in content["provenance"].values())
    return content


def left_over(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_checkpoint_becomes_a_teacher_folder(tmp_path, tiny, capsys):
    to = tmp_path / "new" / "teacher"

    code = main(["--checkpoint", str(tiny), "--to", str(to), "--id", "mine", "--default-score", "0.4"])

    assert code == 0
    assert "found again" in capsys.readouterr().out
    content = description(to)
    assert (content["id"], content["variant"], content["precision"], content["raw"]) == ("mine", "nano", "fp32", False)
    assert content["defaultScore"] == 0.4
    assert (to / "vocab.txt").read_bytes() == DEFAULT_VOCAB.read_bytes()
    assert content["provenance"]["checkpointSha256"] == hashlib.sha256(tiny.read_bytes()).hexdigest()
    assert left_over(to.parent) == {"teacher"}
    session = onnxruntime.InferenceSession(to / "model.onnx", providers=["CPUExecutionProvider"])
    assert {value.name for value in session.get_inputs()} == set(content["inputs"].values())
    assert {value.name for value in session.get_outputs()} == set(content["outputs"].values())
    assert predictor_of_folder(to).default_score == 0.4


def test_a_raw_graph_returns_token_logits_and_cannot_ground(tmp_path, tiny):
    convert(tiny, None, tmp_path / "raw", ConvertOptions(raw=True))

    session = onnxruntime.InferenceSession(tmp_path / "raw" / "model.onnx", providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_outputs()] == ["logits", "box_reg", "centerness"]
    assert description(tmp_path / "raw")["raw"] is True
    with pytest.raises(ValueError, match="raw graph"):
        predictor_of_folder(tmp_path / "raw")


def test_large_weights_go_into_a_file_of_their_own(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(export_module, "EXTERNAL_FROM", 1000)

    convert(tiny, None, tmp_path / "large")

    assert set(description(tmp_path / "large")["files"]) == {"model.onnx", "model.onnx.data", "vocab.txt"}
    folder = tmp_path / "large"
    assert (folder / "model.onnx.data").stat().st_size > (folder / "model.onnx").stat().st_size


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_is_smaller_and_says_how_far_it_agrees(tmp_path, tiny, precision):
    result = convert(tiny, None, tmp_path / precision, ConvertOptions(precision=precision, scenes=2, allow_loss=True))

    content = description(tmp_path / precision)
    assert content["precision"] == precision
    assert content["provenance"]["agreementWithFp32"] == str(result.drift)
    assert result.drift.scenes == 2
    # Untrained: many boxes of almost the same score, so that NMS chooses others.
    assert result.drift.matched >= 0.5 * result.drift.detections > 0
    weights = sum(v.numel() for v in build_from(*read_checkpoint(tiny)).state_dict().values() if v.is_floating_point())
    assert content["files"]["model.onnx"]["size"] < 4 * weights


def test_precision_that_loses_more_than_a_point_is_refused(tmp_path, tiny, monkeypatch, capsys):
    monkeypatch.setattr("glip.convert.write_graph", lambda _model, path, _options: path.write_bytes(b"graph"))
    monkeypatch.setattr("glip.convert.compare", lambda *_, **__: Comparison(0.1, 0.1, 0.1, 9, 9, 0.0))
    monkeypatch.setattr("glip.convert.drift", lambda *_, **__: Drift(100, 50, 49, 0.01, 0.04, 1.25, 0.5))
    arguments = ["--checkpoint", str(tiny), "--to", str(tmp_path / "int8"), "--precision", "int8"]

    assert main(arguments) == 1
    assert "int8 loses 1.2 points, more than 1; nothing was written" in capsys.readouterr().err
    assert left_over(tmp_path) == set()

    assert main([*arguments, "--allow-loss"]) == 0
    assert "recall@1 -1.25, AP50 -0.50 points" in description(tmp_path / "int8")["provenance"]["agreementWithFp32"]


def test_loss_without_gold_counts_detections_that_are_not_found_again():
    assert Drift(2, 200, 197, 0.01, 0.04, None, None).loss == pytest.approx(1.5)
    assert Drift(2, 200, 150, 0.01, 0.04, -0.3, 0.2).loss == 0.2


def test_nothing_is_written_when_the_graph_disagrees(tmp_path, tiny, monkeypatch):
    def other_weights(model, **options):
        with torch.no_grad():
            model.rpn.head.bbox_pred.bias.add_(1)
            graph = export_module.export(model, **options)
            model.rpn.head.bbox_pred.bias.sub_(1)
        return graph

    monkeypatch.setattr("glip.convert.export", other_weights)

    with pytest.raises(ValueError, match="disagree, nothing was written: .*box_reg 1"):
        convert(tiny, None, tmp_path / "deep" / "teacher")
    assert left_over(tmp_path) == set()


def test_bad_arguments_leave_nothing_behind(tmp_path, tiny, nano, capsys):
    short = tmp_path / "short.txt"
    short.write_text("\n".join(DEFAULT_VOCAB.read_text().split("\n")[:1000]) + "\n")
    moved = tmp_path / "moved.txt"
    lines = DEFAULT_VOCAB.read_text().split("\n")
    moved.write_text("\n".join([*lines[1:101], lines[0], *lines[101:]]))
    before = left_over(tmp_path)
    to = tmp_path / "teacher"

    def refused(*arguments: str, checkpoint: Path = tiny) -> str:
        assert main(["--checkpoint", str(checkpoint), "--to", str(to), *arguments]) == 1
        assert left_over(tmp_path) == before
        return capsys.readouterr().err

    assert "has 1000 tokens, the model 1024" in refused("--vocab", str(short))
    assert "not the vocabulary of an uncased BERT: [PAD] at 100, not 0" in refused("--vocab", str(moved))
    assert "No such file" in refused("--vocab", str(tmp_path / "none.txt"))
    assert "the default score is 1.5" in refused("--default-score", "1.5")
    assert "no such file" in refused(checkpoint=tmp_path / "none.pth")


def test_an_existing_folder_is_replaced_with_force_and_only_if_it_is_a_teacher(tmp_path, tiny):
    to = tmp_path / "teacher"
    to.mkdir()
    (to / "notes.txt").write_text("mine")

    with pytest.raises(ValueError, match="exists; choose another folder, or add --force"):
        convert(tiny, None, to)
    with pytest.raises(ValueError, match="not replaced, even with --force"):
        convert(tiny, None, to, ConvertOptions(force=True))
    assert (to / "notes.txt").read_text() == "mine"

    (to / "teacher.json").write_text("{}")
    convert(tiny, None, to, ConvertOptions(force=True))

    description(to)
    assert left_over(tmp_path) == {"teacher"}


def test_an_official_checkpoint_needs_its_vocabulary(tmp_path, monkeypatch):
    config = replace(CONFIGS["glip-t"], name="glip-t-small", embed_dim=32, heads=(1, 2, 4, 8), depths=(1, 1, 1, 1))
    config = replace(config, text_layers=1, text_hidden=64, text_heads=2, blocks=1, channels=32, vocab_size=300)
    monkeypatch.setattr("glip.checkpoint.CONFIGS", {"glip-t-small": config})
    torch.manual_seed(0)
    path = saved(tmp_path / "c.pth", {"model": {f"module.{k}": v for k, v in build(config).state_dict().items()}})
    words = [line for line in DEFAULT_VOCAB.read_text().split("\n")[:300]]
    vocab = tmp_path / "vocab.txt"
    vocab.write_text("\n".join(words) + "\n")

    with pytest.raises(ValueError, match="is glip-t-small: name its vocab.txt with --vocab"):
        convert(path, None, tmp_path / "teacher")
    result = convert(path, vocab, tmp_path / "teacher")

    assert result.variant == description(tmp_path / "teacher")["variant"] == "glip-t-small"
    assert description(tmp_path / "teacher")["image"]["shortSide"] == 800


def test_numpy_weights_are_taken_as_they_are(nano):
    model = build_from({name: value.numpy() for name, value in nano.items()})

    torch.testing.assert_close(model.rpn.head.bbox_pred.weight, nano[BBOX])
