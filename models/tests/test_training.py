"""Training: a killed and resumed run is the uninterrupted one; batches follow from seed and step."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from glip import batches, train
from glip.batches import training_batches
from glip.config import CONFIGS
from glip.predict import DEFAULT_VOCAB
from glip.text import Tokenizer, load_vocab

TINY = replace(
    CONFIGS["nano"], depths=(1, 1, 1, 1), blocks=1, channels=32, text_layers=1, text_hidden=64, text_heads=2,
    text_intermediate=64, fusion_dim=64, fusion_heads=2,
)  # fmt: skip
STEPS = 5


class Killed(BaseException):
    pass


@pytest.fixture
def small_training(monkeypatch):
    """Tiny model, windows of two batches, a checkpoint every second step; no validation pictures."""
    monkeypatch.setattr(train, "CONFIGS", {"nano": TINY})
    monkeypatch.setattr(batches, "WINDOW", 2)
    monkeypatch.setattr(train, "validate", lambda *_: {})
    monkeypatch.setattr(train, "save_sheet", lambda *_: None)
    with torch.enable_grad():
        yield


def run(folder, *more: str) -> None:
    arguments = ["--to", str(folder), "--steps", str(STEPS), "--batch", "1", "--processes", "1", "--warmup", "2"]
    train.main([*arguments, "--report-every", "1", "--validate-every", "2", "--save-minutes", "60", *more])


def kill_at(monkeypatch, step: int) -> None:
    """The run dies when it begins this step (counted from 1), as from a signal."""
    original, begun = train.step_loss, []

    def dies(*arguments):
        begun.append(1)
        if len(begun) == step:
            raise Killed
        return original(*arguments)

    monkeypatch.setattr(train, "step_loss", dies)


def flat(value, path=""):
    if isinstance(value, dict):
        return {k: v for key, inner in value.items() for k, v in flat(inner, f"{path}/{key}").items()}
    if isinstance(value, list | tuple):
        return flat(dict(enumerate(value)), path)
    return {path: value}


def test_a_killed_and_resumed_training_is_the_uninterrupted_one(tmp_path, small_training, monkeypatch):
    run(tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_at(patch, 4)  # step 3 is done, step 2 was saved
        with pytest.raises(Killed):
            run(tmp_path / "killed")
    run(tmp_path / "killed")

    whole, resumed = (
        flat(torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)) for name in ("whole", "killed")
    )
    assert whole.keys() == resumed.keys()
    assert whole["/step"] == STEPS
    for name in whole.keys() - {"/seconds"}:
        same = torch.equal(whole[name], resumed[name]) if torch.is_tensor(whole[name]) else whole[name] == resumed[name]
        assert same, name

    def losses(name):
        lines = [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        return [(line["step"], line["loss"]) for line in lines if "loss" in line]

    assert losses("whole") == losses("killed")
    assert [step for step, _ in losses("whole")] == list(range(1, STEPS + 1))


def test_a_training_starts_from_given_weights(tmp_path, small_training):
    run(tmp_path / "first", "--steps", "1")

    run(tmp_path / "second", "--steps", "1", "--lr", "0", "--init", str(tmp_path / "first" / "checkpoint.pt"))

    first, second = (torch.load(tmp_path / name / "checkpoint.pt", weights_only=True) for name in ("first", "second"))
    for name, value in first["average"].items():
        torch.testing.assert_close(second["model"][name], value)


def test_batches_follow_from_the_step_and_ranks_see_other_scenes(monkeypatch):
    monkeypatch.setattr(batches, "WINDOW", 2)
    tokenizer = Tokenizer(load_vocab(DEFAULT_VOCAB))

    def take(count, *arguments):
        stream = training_batches(1, tokenizer, 1, *arguments)
        return [next(stream) for _ in range(count)]

    whole, later = take(4, 0), take(2, 2)
    ranks = take(2, 0, 0, 2) + take(2, 0, 1, 2)

    for a, b in zip(whole[2:], later):
        assert torch.equal(a.images, b.images)
        assert torch.equal(a.input_ids, b.input_ids)
        assert torch.equal(a.targets.boxes, b.targets.boxes)
    for seen in (whole, ranks):
        assert len({json.dumps(batch.input_ids.tolist()) for batch in seen}) == len(seen)
    for batch in whole:
        assert batch.images.shape[-1] % 32 == batch.images.shape[-2] % 32 == 0
        assert batch.targets.tokens.any(-1)[batch.targets.valid].all()


def test_the_learning_rate_warms_up_and_falls_to_a_hundredth():
    options = train.TrainOptions(
        to=None, init=None, seed=1, batch=1, steps=100, lr=1.0, warmup=10, weight_decay=0, ema=0, clip=1, processes=1,
        report_every=1, save_minutes=1, validate_every=1, validate_scenes=1, hours=None,
    )  # fmt: skip
    rates = [train.learning_rate(step, options) for step in range(101)]

    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == pytest.approx(1)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[100] == pytest.approx(0.01)
