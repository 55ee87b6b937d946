"""Pictures that reduced precision is measured on, and the gate: no evidence, no teacher."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from glip.agreement import MIN_DETECTIONS, MIN_PICTURES, Comparison, Drift, drift
from glip.config import CONFIGS
from glip.convert import ConvertOptions, check_options, convert, main
from glip.model import build
from glip.predict import DEFAULT_VOCAB, Predictor
from glip.probe import Picture, own_pictures, phrases_of, read_captions, rendered
from glip.text import Tokenizer, load_vocab
from tests.test_convert import TINY, left_over

# Pictures and captions


def picture(path: Path, width: int = 48, height: int = 32, **save) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)).save(path, **save)
    return path


def lines(path: Path, *entries: object) -> Path:
    path.write_text("".join((e if isinstance(e, str) else json.dumps(e)) + "\n" for e in entries), encoding="utf-8")
    return path


def texts(picture: Picture) -> list[str]:
    return [picture.caption[p["start"] : p["end"]] for p in picture.phrases]


@pytest.mark.parametrize(
    ("caption", "phrases"),
    [
        ("A man in a red jacket, with two dogs.", ["man", "red jacket", "two dogs"]),
        ("person. traffic light", ["person", "traffic light"]),
        ("person . traffic light .", ["person", "traffic light"]),
        ("T-shirt of Ben's  old/new 😀 café", ["T-shirt", "Ben's  old", "new", "café"]),
        ("it is the", ["it is the"]),
        ("...", ["..."]),
    ],
)
def test_phrases_of_a_caption(caption, phrases):
    assert [caption[p["start"] : p["end"]] for p in phrases_of(caption)] == phrases


def test_a_folder_with_captions_beside_the_pictures(tmp_path):
    for name in ("a.jpg", "b.PNG", "deep/c.webp", "deep/d.jpg"):
        picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    lines(
        tmp_path / "captions.jsonl",
        {"image": "a.jpg", "caption": "a red cat"},
        "",
        {"file_name": "b.PNG", "caption": "Two dogs and a cat", "phrases": ["two dogs", {"start": 15, "end": 18}]},
        {"key": "c", "caption": "tree"},
        {"image": "elsewhere/d.jpg", "caption": "sky"},
    )

    found = own_pictures([tmp_path])

    assert [p.caption for p in found] == ["a red cat", "Two dogs and a cat", "tree", "sky"]
    assert [texts(p) for p in found] == [["red cat"], ["Two dogs", "cat"], ["tree"], ["sky"]]
    assert [(p.image().mode, p.image().size) for p in found] == [("RGB", (48, 32))] * 4
    assert [p.gold for p in found] == [None] * 4


def test_pictures_are_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = picture(tmp_path / "turned.jpg", exif=exif)

    assert own_pictures([path], caption="a cat")[0].image().size == (32, 48)


def test_one_caption_is_for_those_without(tmp_path):
    first, second = picture(tmp_path / "a.jpg"), picture(tmp_path / "b.jpg")
    captions = lines(tmp_path / "mine.jsonl", {"image": "b.jpg", "caption": "two dogs"})

    found = own_pictures([first, second], captions, "a cat")

    assert [p.caption for p in found] == ["a cat", "two dogs"]
    with pytest.raises(ValueError, match=r"1 of 2 pictures have no caption, the first is .*a\.jpg; give each a line"):
        own_pictures([first, second], captions)


def test_the_gold_file_of_scenes_serves_as_captions(tmp_path):
    scene = next(iter(rendered(5, 1)))
    scene.image().save(tmp_path / "000000000.jpg")
    gold = lines(tmp_path / "gold.jsonl", scene.gold)

    (found,) = own_pictures([tmp_path], gold)

    assert [p.phrases for p in own_pictures([tmp_path])] == [found.phrases]  # the only one in the folder
    assert found.caption == scene.caption
    assert texts(found) == [p["text"] for p in scene.phrases]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("{", "line 2: no JSON"),
        ([1], "line 2: needs a picture's name"),
        ({"image": "a.jpg"}, "line 2: needs a picture's name"),
        ({"image": "a.jpg", "caption": " "}, "line 2: needs a picture's name"),
        ({"image": 7, "caption": "a cat"}, "line 2: needs a picture's name"),
        ({"image": "a.jpg", "caption": "a cat", "phrases": ["dog"]}, 'line 2: phrase "dog" is not in the caption'),
        ({"image": "a.jpg", "caption": "a cat", "phrases": [""]}, 'line 2: phrase "" is not'),
        ({"image": "a.jpg", "caption": "a cat", "phrases": [{"start": 2, "end": 9}]}, "line 2: phrase .* is not"),
        ({"image": "a.jpg", "caption": "a cat", "phrases": [3]}, "line 2: phrase 3 is not"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(tmp_path, entry, message):
    with pytest.raises(ValueError, match=message):
        read_captions(lines(tmp_path / "c.jsonl", {"image": "b.jpg", "caption": "a dog"}, entry))


def test_pictures_that_are_none_are_named(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.jpg").write_text("<html>")

    with pytest.raises(ValueError, match="empty has no pictures"):
        own_pictures([tmp_path / "empty"])
    with pytest.raises(ValueError, match="absent: no such picture or folder"):
        own_pictures([tmp_path / "absent"])
    with pytest.raises(ValueError, match=r"text\.jpg cannot be opened as a picture"):
        own_pictures([tmp_path], caption="a cat")


def test_options_that_do_not_belong_together(tmp_path):
    path = picture(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match="captions are given without pictures"):
        check_options(ConvertOptions(precision="fp16", caption="a cat"))
    for options in (ConvertOptions(), ConvertOptions(precision="int8", raw=True)):
        with pytest.raises(ValueError, match="--probe is for --precision fp16 or int8"):
            check_options(replace(options, probe=[path], caption="a cat"))
    with pytest.raises(ValueError, match="--scenes is 0"):
        check_options(ConvertOptions(precision="fp16", scenes=0))
    options = ConvertOptions(precision="fp16", probe=[path, path, path], caption="a cat")
    assert [len(check_options(o)) for o in (options, replace(options, scenes=2))] == [3, 2]


# What is measured


def fixed(phrases: list[dict]) -> Predictor:
    class Fixed(Predictor):
        def ground(self, image, caption, spans):
            return phrases

    return Fixed(lambda *_: None, None, 1, 1, 0.5)


def boxes(count: int, score: float, shift: float = 0.0) -> dict:
    lefts = [40.0 * i + shift for i in range(count)]
    return {"boxes": [[left, 0.0, left + 30, 30.0] for left in lefts], "scores": [score] * count}


def measured(monkeypatch, full: list[dict], reduced: list[dict], pictures: int) -> Drift:
    monkeypatch.setattr("glip.agreement.predictor_of_model", lambda *_: fixed(full))
    monkeypatch.setattr("glip.agreement.predictor_of_graph", lambda *_: fixed(reduced))
    image = Image.new("RGB", (8, 8))
    given = [Picture(lambda: image, "a cat", [{"start": 0, "end": 5}])] * pictures
    return drift(None, Path(), None, (1, 1), 0.5, given, "pictures", gold=False)


def test_detections_under_the_default_score_are_no_evidence(monkeypatch):
    found = measured(monkeypatch, [boxes(50, 0.49)], [boxes(50, 0.49)], 20)

    assert (found.scenes, found.detections, found.enough) == (20, 0, False)
    assert "fewer than 100 detections prove nothing" in str(found)


def test_only_the_detections_that_count_are_looked_for(monkeypatch):
    full = {key: boxes(2, 0.9)[key] + boxes(5, 0.3)[key] for key in ("boxes", "scores")}
    found = measured(monkeypatch, [full, boxes(1, 0.5)], [boxes(1, 0.88), boxes(1, 0.5, shift=20)], 3)

    assert (found.scenes, found.detections, found.matched) == (3, 9, 3)
    assert found.score_max == pytest.approx(0.02)
    assert found.loss == pytest.approx(100 * 6 / 9)


def test_it_ends_with_evidence_from_more_than_a_few_pictures(monkeypatch):
    many = measured(monkeypatch, [boxes(100, 0.9)], [boxes(100, 0.9)], 30)
    few = measured(monkeypatch, [boxes(7, 0.9)], [boxes(7, 0.9)], 30)
    all_of_three = measured(monkeypatch, [boxes(40, 0.9)], [boxes(40, 0.9)], 3)

    assert (many.scenes, many.detections) == (MIN_PICTURES, 100 * MIN_PICTURES)
    assert (few.scenes, few.detections) == (15, 105)
    assert (all_of_three.scenes, all_of_three.enough, all_of_three.loss) == (3, True, 0)


# The gate


@pytest.fixture(scope="module")
def silent(tmp_path_factory) -> Path:
    """A network that finds nothing, as one does on pictures that are not of its kind."""
    torch.manual_seed(0)
    state = build(TINY).state_dict()
    path = tmp_path_factory.mktemp("silent") / "checkpoint.pt"
    torch.save({"model": state, "average": state, "config": asdict(TINY)}, path)
    return path


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_no_detections_are_no_evidence(tmp_path, silent, precision, capsys):
    arguments = ["--checkpoint", str(silent), "--to", str(tmp_path / "teacher"), "--precision", precision]
    arguments += ["--scenes", "1"]

    assert main(arguments) == 1
    message = capsys.readouterr().err
    assert f"{precision} cannot be judged, nothing was written: on 1 scenes the float32 network has 0 det" in message
    assert all(part in message for part in ("100 are needed", "--probe FOLDER", "--default-score", "--allow-loss"))
    assert left_over(tmp_path) == set()
    if precision == "int8":
        return

    assert main([*arguments, "--allow-loss"]) == 0
    kept = json.loads((tmp_path / "teacher" / "teacher.json").read_text())["provenance"]["agreementWithFp32"]
    assert "0 of 0 detections" in kept and "prove nothing" in kept


@pytest.mark.parametrize(
    ("found", "written"),
    [
        (Drift(100, MIN_DETECTIONS, MIN_DETECTIONS, 0.0, 0.0, 0.0, 0.0), True),
        (Drift(100, MIN_DETECTIONS - 1, MIN_DETECTIONS - 1, 0.0, 0.0, 0.0, 0.0), False),
        (Drift(100, 0, 0, 0.0, 0.0, 0.0, 0.0), False),
        (Drift(40, MIN_DETECTIONS, MIN_DETECTIONS - 1, 0.0, 0.0, None, None), True),
        (Drift(40, MIN_DETECTIONS, MIN_DETECTIONS - 2, 0.0, 0.0, None, None), False),
        (Drift(40, 3, 3, 0.0, 0.0, None, None), False),
    ],
)
def test_the_gate(tmp_path, silent, monkeypatch, found, written):
    monkeypatch.setattr("glip.convert.write_graph", lambda _model, path, _options: path.write_bytes(b"graph"))
    monkeypatch.setattr("glip.convert.compare", lambda *_, **__: Comparison(0.1, 0.1, 0.1, 9, 9, 0.0))
    monkeypatch.setattr("glip.convert.drift", lambda *_, **__: found)

    if written:
        convert(silent, None, tmp_path / "fp16", ConvertOptions(precision="fp16"))
    else:
        with pytest.raises(ValueError, match="nothing was written"):
            convert(silent, None, tmp_path / "fp16", ConvertOptions(precision="fp16"))
    assert (tmp_path / "fp16").exists() == written


def test_pictures_of_ones_own_are_what_is_measured_on(tmp_path, monkeypatch):
    torch.manual_seed(0)
    model = build(TINY)
    torch.nn.init.zeros_(model.rpn.head.bias0)
    model.rpn.head.centerness.bias.fill_(4.0)  # nearly every position is found
    state = model.state_dict()
    torch.save({"model": state, "average": state, "config": asdict(TINY)}, tmp_path / "checkpoint.pt")
    for i in range(3):
        picture(tmp_path / "pictures" / f"{i}.png", 120, 90)
    lines(tmp_path / "pictures" / "captions.jsonl", *({"image": f"{i}.png", "caption": "a cat"} for i in range(3)))
    arguments = ["--checkpoint", str(tmp_path / "checkpoint.pt"), "--to", str(tmp_path / "teacher")]
    arguments += ["--precision", "fp16", "--probe", str(tmp_path / "pictures")]
    arguments += ["--default-score", "0.4", "--allow-loss"]
    monkeypatch.setattr("glip.convert.rendered", lambda *_: pytest.fail("scenes are rendered"))

    assert main(arguments) == 0

    kept = json.loads((tmp_path / "teacher" / "teacher.json").read_text())["provenance"]["agreementWithFp32"]
    assert kept.startswith("3 pictures: ") and "prove nothing" not in kept
    assert "recall" not in kept


# First things first


def test_what_is_cheap_to_look_at_is_looked_at_before_the_checkpoint(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("glip.convert.open_checkpoint", lambda *_: pytest.fail("the checkpoint is read"))
    moved = tmp_path / "moved.txt"
    words = DEFAULT_VOCAB.read_text().split("\n")
    moved.write_text("\n".join([*words[1:101], words[0], *words[101:]]))
    page = "<html>\n<p>\n<p>\n"
    for name, content in (("page", page), ("binary", "\0\x01"), ("empty", ""), ("words", "a\nb\n")):
        (tmp_path / f"{name}.txt").write_text(content)
    arguments = ["--checkpoint", "glip.pth", "--to", str(tmp_path / "teacher")]

    def refused(*more: str) -> str:
        assert main([*arguments, *more]) == 1
        return capsys.readouterr().err

    assert "not the vocabulary of an uncased BERT: [PAD] at 100" in refused("--vocab", str(moved))
    assert "is no vocabulary but an HTML page" in refused("--vocab", str(tmp_path / "page.txt"))
    assert "/resolve/" in refused("--vocab", str(tmp_path / "page.txt"))
    assert "no text in UTF-8" in refused("--vocab", str(tmp_path / "binary.txt"))
    assert "an empty file" in refused("--vocab", str(tmp_path / "empty.txt"))
    assert "not a BERT vocabulary" in refused("--vocab", str(tmp_path / "words.txt"))
    assert "No such file" in refused("--vocab", str(tmp_path / "absent.txt"))
    assert "no such picture" in refused("--precision", "int8", "--probe", str(tmp_path / "absent"))


def test_sizes_of_vocabulary_and_model_are_compared_before_weights_are_loaded(tmp_path, monkeypatch):
    with torch.device("meta"):
        state = build(replace(CONFIGS["nano"])).state_dict()
    monkeypatch.setattr("glip.convert.build_from", lambda *_: pytest.fail("the weights are loaded"))
    monkeypatch.setattr("glip.checkpoint.read_plain", lambda _: {"model": state})
    short = tmp_path / "short.txt"
    short.write_text("\n".join(DEFAULT_VOCAB.read_text().split("\n")[:1000]) + "\n")

    assert len(load_vocab(short)) == 1000 and Tokenizer(load_vocab(short))
    with pytest.raises(ValueError, match="has 1000 tokens, the model 1024: it belongs to another model"):
        convert(tmp_path / "c.pth", short, tmp_path / "teacher")
