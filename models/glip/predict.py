"""Scenes through a model: the PyTorch module of a checkpoint, or the ONNX graph of a teacher folder."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw
from tqdm import tqdm

from glip.checkpoint import build_from, read_checkpoint
from glip.image import normalise, padded_size, resize, resized_size
from glip.model import Glip
from glip.postprocess import PostprocessOptions, detect, phrase_probabilities, positive_map
from glip.scenes import Scene, gold_line, render_scene
from glip.text import Tokenizer, load_vocab, positive_tokens

DEFAULT_VOCAB = Path(__file__).parent / "assets" / "vocab.txt"
NANO_SHORT_SIDE = 256
NANO_LONG_SIDE = 448

Outputs = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Predictor:
    """``run(padded, pixels, ids, positive)``: padded (width, height), pixels [h, w, 3] uint8 RGB as
    resized, ids [T], positive [P, T] -> phrase probabilities [N, P], deltas [N, 4], centerness logits [N]."""

    run: Callable[[tuple[int, int], np.ndarray, list[int], np.ndarray], Outputs]
    tokenizer: Tokenizer
    short_side: int
    long_side: int
    default_score: float

    def ground(self, image: Image.Image, caption: str, phrases: list[dict]) -> list[dict]:
        """For each phrase ``boxes`` (edges, pixels of the image) and ``scores``, best first."""
        encoding = self.tokenizer.encode(caption)
        tokens = [positive_tokens(encoding, [(p["start"], p["end"])]) for p in phrases]
        size = resized_size(*image.size, self.short_side, self.long_side)
        padded = padded_size(*size)
        outputs = self.run(
            padded, resize(image, size), encoding.ids, positive_map(tokens, len(encoding.ids))
        )
        found = detect(*outputs, padded, size, image.size, PostprocessOptions())
        # GLIP counts the last pixel as inside; the edge of the box is one resized pixel further.
        boxes = found.boxes + np.array([0, 0, image.width / size[0], image.height / size[1]])
        result = []
        for index in range(len(phrases)):
            mine = found.phrases == index
            result.append({"boxes": boxes[mine].round(2).tolist(), "scores": found.scores[mine].tolist()})
        return result


def predictor_of_model(
    model: Glip,
    tokenizer: Tokenizer,
    default_score: float = 0.5,
    short_side: int = NANO_SHORT_SIDE,
    long_side: int = NANO_LONG_SIDE,
) -> Predictor:
    """Runs the PyTorch module where its weights are."""

    @torch.no_grad()
    def run(padded: tuple[int, int], pixels: np.ndarray, ids: list[int], positive: np.ndarray) -> Outputs:
        device = next(model.parameters()).device
        images = np.zeros((1, 3, padded[1], padded[0]), np.float32)
        images[0, :, : pixels.shape[0], : pixels.shape[1]] = normalise(pixels)
        input_ids = torch.tensor([ids], device=device)
        outputs = model(torch.from_numpy(images).to(device), input_ids, torch.ones_like(input_ids))
        logits, deltas, centerness = (o[0].float().cpu().numpy() for o in outputs)
        return phrase_probabilities(logits, positive), deltas, centerness

    return Predictor(run, tokenizer, short_side, long_side, default_score)


def predictor_of_graph(
    graph: Path, tokenizer: Tokenizer, default_score: float, short_side: int, long_side: int
) -> Predictor:
    """Runs a graph with the teacher's contract (see `export.export`) in ONNX Runtime, as the engine does."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])

    def run(padded: tuple[int, int], pixels: np.ndarray, ids: list[int], positive: np.ndarray) -> Outputs:
        images = np.zeros((1, padded[1], padded[0], 3), np.uint8)
        images[0, : pixels.shape[0], : pixels.shape[1]] = pixels
        input_ids = np.array([ids], np.int64)
        feed = {
            "images": images,
            "image_sizes": np.array([pixels.shape[:2]], np.int64),
            "input_ids": input_ids,
            "attention_mask": np.ones_like(input_ids),
            "positive_map": positive[None],
        }
        prob, deltas, centerness = session.run(["phrase_prob", "box_reg", "centerness"], feed)
        return prob[0], deltas[0], centerness[0]

    return Predictor(run, tokenizer, short_side, long_side, default_score)


def predictor_of_folder(folder: Path) -> Predictor:
    """Runs the graph of a teacher folder that `glip.convert` wrote. Raises ValueError for a raw graph."""
    teacher = json.loads((folder / "teacher.json").read_text(encoding="utf-8"))
    if teacher["raw"]:
        raise ValueError(f"{folder} holds a raw graph, which has no phrase probabilities; convert it without --raw")
    image = teacher["image"]
    tokenizer = Tokenizer(load_vocab(folder / "vocab.txt"))
    return predictor_of_graph(
        folder / "model.onnx", tokenizer, teacher["defaultScore"], image["shortSide"], image["longSide"]
    )


def load_predictor(folder: Path | None, checkpoint: Path | None) -> Predictor:
    """Of a teacher folder, or of a training checkpoint of glip-nano. Raises ValueError for another."""
    if checkpoint is not None:
        model = build_from(*read_checkpoint(checkpoint))
        words = load_vocab(DEFAULT_VOCAB)
        if model.config.vocab_size != len(words):
            raise ValueError(f"{checkpoint} is {model.config.name}; convert it, and evaluate the teacher folder")
        return predictor_of_model(model, Tokenizer(words))
    if folder is None:
        raise ValueError("neither a teacher folder nor a checkpoint is given")
    return predictor_of_folder(folder)


def predict_scenes(
    predictor: Predictor, split: str, seed: int, count: int, progress: bool = False
) -> list[tuple[dict, dict]]:
    """(gold, detections) of rendered scenes, for `glip.evaluate.measure`."""
    pairs = []
    for index in tqdm(range(count), disable=not progress, unit="scene"):
        scene = render_scene(seed, split, index)
        gold = gold_line(f"{index:09d}", scene)
        pairs.append((gold, {"phrases": predictor.ground(scene.image, scene.caption, scene.phrases)}))
    return pairs


def predict_folder(predictor: Predictor, folder: Path, progress: bool = False) -> list[tuple[dict, dict]]:
    """(gold, detections) of the stored JPEGs of a folder that `glip.scenes` or `glip.sample` wrote.

    Raises FileNotFoundError naming the first gold line without an image.
    """
    gold = [json.loads(line) for line in (folder / "gold.jsonl").read_text(encoding="utf-8").splitlines()]
    images = dict(_stored_images(folder))
    pairs = []
    for line in tqdm(gold, disable=not progress, unit="scene"):
        if line["key"] not in images:
            raise FileNotFoundError(f"{folder} has no image of {line['key']}")
        image = Image.open(io.BytesIO(images[line["key"]])).convert("RGB")
        phrases = predictor.ground(image, line["caption"], line["phrases"])
        pairs.append((line, {"key": line["key"], "phrases": phrases}))
    return pairs


def _stored_images(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Key and JPEG bytes."""
    for path in sorted((folder / "images").glob("*.jpg")):
        yield path.stem, path.read_bytes()
    for path in sorted(folder.glob("scenes-*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                if member.name.endswith(".jpg"):
                    yield member.name.removesuffix(".jpg"), tar.extractfile(member).read()


def draw(predictor: Predictor, scene: Scene, scale: int = 2) -> Image.Image:
    """The scene with the best box of each phrase, and its caption below."""
    found = predictor.ground(scene.image, scene.caption, scene.phrases)
    picture = Image.new("RGB", (scene.image.width * scale, scene.image.height * scale + 44), "white")
    picture.paste(scene.image.resize((scene.image.width * scale, scene.image.height * scale)))
    pen = ImageDraw.Draw(picture)
    for phrase, detection in zip(scene.phrases, found, strict=True):
        if detection["boxes"]:
            corners = [round(v * scale) for v in detection["boxes"][0]]
            pen.rectangle(corners, outline=(0, 255, 0) if phrase["present"] else (255, 0, 0), width=2)
            pen.text((corners[0] + 3, corners[1] + 2), f"{phrase['text']} {detection['scores'][0]:.2f}")
    pen.text((4, picture.height - 40), scene.caption, fill="black")
    return picture


def save_sheet(predictor: Predictor, seed: int, path: Path, count: int = 12) -> None:
    """Validation scenes with what the model finds, for the eye."""
    pictures = [draw(predictor, render_scene(seed, "test", i)) for i in range(count)]
    cell = max(p.width for p in pictures), max(p.height for p in pictures)
    sheet = Image.new("RGB", (4 * cell[0], -(-count // 4) * cell[1]), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % 4 * cell[0], i // 4 * cell[1]))
    sheet.thumbnail((1800, 1800))
    sheet.save(path)
