"""Rendered scenes with captions, gold spans and boxes; the same (seed, split, index) gives the same scene.

    python -m glip.scenes --split test --seed 7 --count 1000 --to DIR [--sheet sheet.png]

writes DIR/scenes-NNNNNN.tar (WebDataset: key.jpg, key.txt, key.json) and DIR/gold.jsonl. Spans count
Unicode code points of the caption; boxes are [x1, y1, x2, y2] edges in pixels, tight around what is
visible. Splits: `train`; `test`, the same combinations with other seeds; `novel`, where every scene
names at least one (attribute, noun) combination that training never shows (see concepts.py).
"""

from __future__ import annotations

import argparse
import functools
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from tqdm import tqdm

from glip.captions import detection_prompt, write_caption
from glip.concepts import COLOURS, NOUNS, PATTERNS, PICTOGRAMS, POLYGONS, SIZES, is_held_back

__all__ = ["Scene", "Thing", "detection_prompt", "render_scene"]

SPLITS = ("train", "test", "novel")
FONT = Path(__file__).parent / "assets" / "pictograms.ttf"
MASK_SIDE = 128
MIN_VISIBLE = 0.55  # share of a thing's pixels that later things may not cover further
MIN_CONTRAST = 95  # distance in RGB between a thing and the background around it


@dataclass
class Thing:
    """One drawn object. ``box`` is set when the scene is finished."""

    noun: str
    colour: str
    pattern: str
    size: str
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    mask: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool), repr=False)
    at: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Scene:
    """image: PIL RGB; things: all objects, named or not; phrases: see captions.py."""

    split: str
    image: Image.Image
    caption: str
    phrases: list[dict]
    things: list[Thing]


@functools.cache
def _glyph(noun: str) -> Image.Image:
    """The silhouette as an 8-bit mask, cropped, longest side MASK_SIDE."""
    big = Image.new("L", (2 * MASK_SIDE, 2 * MASK_SIDE))
    draw = ImageDraw.Draw(big)
    if noun in PICTOGRAMS:
        font = ImageFont.truetype(str(FONT), int(1.5 * MASK_SIDE))
        draw.text((MASK_SIDE // 4, MASK_SIDE // 4), chr(PICTOGRAMS[noun]), font=font, fill=255)
    else:
        for hole, outline in enumerate(POLYGONS[noun]):
            points = [(20 + x * 1.7 * MASK_SIDE, 20 + y * 1.7 * MASK_SIDE) for x, y in outline]
            draw.polygon(points, fill=0 if hole else 255)
    cropped = big.crop(big.getbbox())
    scale = MASK_SIDE / max(cropped.size)
    size = tuple(max(1, round(s * scale)) for s in cropped.size)
    return cropped.resize(size, Image.Resampling.LANCZOS)


def _mask(rng: np.random.Generator, noun: str, side: float) -> np.ndarray:
    """A turned, slightly stretched silhouette whose longest side is `side` px: bool [h, w], cropped."""
    glyph = _glyph(noun).rotate(float(rng.normal(0, 8)), Image.Resampling.BILINEAR, expand=True)
    glyph = glyph.crop(glyph.getbbox())
    stretch = float(np.exp(rng.normal(0, 0.08)))
    width, height = glyph.width * stretch, float(glyph.height)
    scale = side / max(width, height)
    glyph = glyph.resize((max(4, round(width * scale)), max(4, round(height * scale))), Image.Resampling.BOX)
    mask = np.asarray(glyph) > 110
    rows, cols = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return mask[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]


def _noise(rng: np.random.Generator, height: int, width: int, cell: int) -> np.ndarray:
    """Smooth noise in about [-1, 1], [height, width], features of `cell` px."""
    small = rng.standard_normal((height // cell + 2, width // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def _background(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """float32 [H, W, 3]: a ramp between two near colours, texture, and low-contrast clutter."""
    base = rng.uniform(30, 235, 3).astype(np.float32)
    other = base + rng.normal(0, 22, 3).astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    ramp = (np.cos(angle) * x / width + np.sin(angle) * y / height + 1) / 2
    canvas = base + (other - base) * ramp[..., None]
    kind = int(rng.integers(5))
    if kind == 1:
        canvas += 12 * _noise(rng, height, width, int(rng.integers(8, 40)))[..., None]
    elif kind == 2:
        period = rng.uniform(10, 40)
        canvas += (8 * np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period))[..., None]
    elif kind == 3:
        cell = int(rng.integers(12, 40))
        canvas += (((x // cell + y // cell) % 2) * 14 - 7)[..., None]
    elif kind == 4:
        canvas += 9 * _noise(rng, height, width, 4)[..., None]
    picture = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(int(rng.integers(0, 9))):
        tone = tuple(int(v) for v in np.clip(base + rng.normal(0, 30, 3), 0, 255)) + (int(rng.integers(60, 160)),)
        cx, cy = rng.uniform(0, width), rng.uniform(0, height)
        reach = rng.uniform(0.05, 0.35) * min(height, width)
        if rng.random() < 0.35:
            end = (cx + rng.normal(0, 2) * reach, cy + rng.normal(0, 2) * reach)
            draw.line([(cx, cy), end], fill=tone, width=int(rng.integers(1, 4)))
        else:
            points = [(cx + rng.normal(0, 0.6) * reach, cy + rng.normal(0, 0.6) * reach) for _ in range(5)]
            draw.polygon(points, fill=tone)
    return np.asarray(picture, np.float32)


def _paint(rng: np.random.Generator, thing: Thing) -> np.ndarray:
    """Colours of a thing's rectangle, float32 [h, w, 3]; the named colour covers most of a pattern."""
    h, w = thing.mask.shape
    main = np.array(COLOURS[thing.colour], np.float32) + rng.normal(0, 7, 3).astype(np.float32)
    light = main.mean() > 150
    second = main * 0.5 if light else main + (255 - main) * 0.6
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    period = max(5.0, max(h, w) / rng.uniform(4.2, 6.0))
    if thing.pattern == "striped":
        angle = rng.uniform(-0.5, 0.5) + (np.pi / 2 if rng.random() < 0.5 else 0)
        other = ((np.cos(angle) * x + np.sin(angle) * y) / period + rng.random()) % 1 < 0.42
    elif thing.pattern == "dotted":
        fx, fy = (x / period + rng.random()) % 1 - 0.5, (y / period + rng.random()) % 1 - 0.5
        other = fx * fx + fy * fy < 0.10
    elif thing.pattern == "checkered":
        cell_x, cell_y = (x / period * 1.2) % 2, (y / period * 1.2) % 2
        other = ((cell_x < 0.9) & (cell_y < 0.9)) | ((cell_x > 1.0) & (cell_x < 1.9) & (cell_y > 1.0) & (cell_y < 1.9))
    else:
        other = np.zeros((h, w), bool)
    paint = np.where(other[..., None], second, main)
    shade = 1 + rng.uniform(-0.12, 0.12) * (y / max(h, 1) - 0.5)
    return paint * shade[..., None]


def _pick_look(rng: np.random.Generator, split: str, held_back: bool) -> tuple[str, str, str]:
    while True:
        noun = str(rng.choice(NOUNS))
        colour = str(rng.choice(list(COLOURS)))
        pattern = PATTERNS[0] if rng.random() < 0.45 else str(rng.choice(PATTERNS[1:]))
        if is_held_back(noun, colour, pattern) == held_back:
            return noun, colour, pattern


def _plan(rng: np.random.Generator, split: str) -> tuple[list[Thing], tuple[int, int] | None]:
    """The things of a scene, in drawing order not yet placed; and the pair that differs in one attribute."""
    count = int(rng.integers(1, 9))
    things: list[Thing] = []
    rivals = None
    sizes = list(SIZES)

    def size() -> str:
        return str(rng.choice(sizes, p=(0.3, 0.5, 0.2) if count <= 4 else (0.4, 0.52, 0.08)))

    noun, colour, pattern = _pick_look(rng, split, split == "novel")
    things.append(Thing(noun, colour, pattern, size()))
    if count >= 2 and rng.random() < 0.55:
        twin = _rival(rng, things[0], split)
        if twin:
            rivals = (0, 1)
            things.append(twin)
    while len(things) < count:
        if rng.random() < 0.25:
            source = things[int(rng.integers(len(things)))]
            things.append(Thing(source.noun, source.colour, source.pattern, size()))
        else:
            things.append(Thing(*_pick_look(rng, split, False), size()))
    for thing in things:
        # A pattern needs room to be seen.
        if thing.pattern != "plain" and thing.size == "small" and rivals is None:
            thing.size = "medium"
    return things, rivals


def _rival(rng: np.random.Generator, thing: Thing, split: str) -> Thing | None:
    for _ in range(10):
        twin = Thing(thing.noun, thing.colour, thing.pattern, thing.size)
        draw = rng.random()
        if draw < 0.6:
            twin.colour = str(rng.choice(list(COLOURS)))
        elif draw < 0.85:
            twin.pattern = str(rng.choice(PATTERNS))
        else:
            thing.size, twin.size = ("small", "large") if rng.random() < 0.5 else ("large", "small")
        allowed = split == "novel" or not is_held_back(twin.noun, twin.colour, twin.pattern)
        if allowed and (twin.colour, twin.pattern, twin.size) != (thing.colour, thing.pattern, thing.size):
            return twin
    return None


def _place(rng: np.random.Generator, things: list[Thing], background: np.ndarray) -> list[int] | None:
    """Finds room for each thing; returns the drawing order, or None when one cannot be placed."""
    height, width, _ = background.shape
    short = min(height, width)
    owner = np.full((height, width), -1, np.int16)
    areas: dict[int, int] = {}
    order = sorted(range(len(things)), key=lambda i: -SIZES[things[i].size][0])
    for i in order:
        thing = things[i]
        colour = np.array(COLOURS[thing.colour], np.float32)
        for attempt in range(15):
            if attempt % 5 == 0:  # turning the silhouette costs more than trying another place
                mask = _mask(rng, thing.noun, rng.uniform(*SIZES[thing.size]) * short)
                h, w = mask.shape
            if h >= height or w >= width:
                continue
            top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
            under = owner[top : top + h, left : left + w]
            hidden, counts = np.unique(under[mask & (under >= 0)], return_counts=True)
            if len(hidden) > 1 or any(n > (1 - MIN_VISIBLE) * areas[int(k)] for k, n in zip(hidden, counts)):
                continue
            if any(things[int(k)].colour == thing.colour for k in hidden):
                continue
            if any((owner == int(k)).sum() - n < MIN_VISIBLE * areas[int(k)] for k, n in zip(hidden, counts)):
                continue
            around = background[top : top + h, left : left + w].reshape(-1, 3).mean(0)
            if np.linalg.norm(around - colour) < MIN_CONTRAST:
                continue
            under[mask] = i
            areas[i] = int(mask.sum())
            thing.mask, thing.at = mask, (top, left)
            break
        else:
            return None
    for i in order:
        rows, cols = np.nonzero(owner == i)
        things[i].box = (int(cols.min()), int(rows.min()), int(cols.max()) + 1, int(rows.max()) + 1)
    return order


def render_scene(seed: int, split: str, index: int) -> Scene:
    """The scene of this number; `split` is one of SPLITS. Short side 160-256 px, aspect up to 1.7."""
    rng = np.random.default_rng([seed, SPLITS.index(split), index])
    short = int(rng.integers(160, 257))
    long = round(short * float(rng.choice([1.0, 1.25, 1.333, 1.5, 1.7], p=[0.2, 0.2, 0.3, 0.2, 0.1])))
    height, width = (short, long) if rng.random() < 0.7 else (long, short)
    order, attempt = None, 0
    while order is None:
        if attempt % 6 == 0:  # things that find no room are planned anew before the background is
            canvas = _background(rng, height, width)
        things, rivals = _plan(rng, split)
        order = _place(rng, things, canvas)
        attempt += 1
    for i in order:
        thing = things[i]
        (top, left), (h, w) = thing.at, thing.mask.shape
        patch = canvas[top : top + h, left : left + w]
        patch[thing.mask] = _paint(rng, thing)[thing.mask]
    image = _camera(rng, canvas)
    caption, phrases = write_caption(rng, things, rivals, split == "novel")
    return Scene(split, image, caption, phrases, things)


def _camera(rng: np.random.Generator, canvas: np.ndarray) -> Image.Image:
    """Brightness, contrast, sensor noise and a little blur."""
    canvas = (canvas - 128) * rng.uniform(0.85, 1.1) + 128 + rng.uniform(-14, 14)
    if rng.random() < 0.5:
        canvas = canvas + rng.normal(0, rng.uniform(1, 6), canvas.shape[:2])[..., None]
    image = Image.fromarray(np.clip(canvas, 0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 0.8))))
    return image


def gold_line(key: str, scene: Scene) -> dict:
    return {
        "key": key,
        "caption": scene.caption,
        "width": scene.image.width,
        "height": scene.image.height,
        "phrases": scene.phrases,
        "objects": [
            {"noun": t.noun, "colour": t.colour, "pattern": t.pattern, "size": t.size, "box": list(t.box)}
            for t in scene.things
        ],
    }


def encode_jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_tar(path: Path, members: Sequence[tuple[str, bytes]]) -> None:
    """A USTAR archive with fixed metadata, so that the same members give the same bytes."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o444
            tar.addfile(entry, io.BytesIO(content))


def draw_sheet(scenes: Sequence[Scene], columns: int = 4, cell: tuple[int, int] = (320, 300)) -> Image.Image:
    """A contact sheet with gold boxes and captions, for the eye."""
    rows = -(-len(scenes) // columns)
    sheet = Image.new("RGB", (columns * cell[0], rows * cell[1]), "white")
    for i, scene in enumerate(scenes):
        image = scene.image.copy()
        draw = ImageDraw.Draw(image)
        for phrase in scene.phrases:
            for box in phrase["boxes"]:
                draw.rectangle([box[0], box[1], box[2] - 1, box[3] - 1], outline=(0, 255, 0))
        image.thumbnail((cell[0] - 8, cell[1] - 50))
        x, y = i % columns * cell[0], i // columns * cell[1]
        sheet.paste(image, (x, y))
        pen = ImageDraw.Draw(sheet)
        for line in range(3):
            pen.text((x, y + cell[1] - 46 + 14 * line), scene.caption[line * 50 : line * 50 + 50], fill="black")
    return sheet


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--split", choices=SPLITS, default="test")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--per-tar", type=int, default=1000)
    parser.add_argument("--sheet", type=Path, help="also draw the first 24 scenes")
    args = parser.parse_args(argv)
    args.to.mkdir(parents=True, exist_ok=True)
    shown: list[Scene] = []
    with (args.to / "gold.jsonl").open("w", encoding="utf-8") as gold:
        for first in tqdm(range(0, args.count, args.per_tar), unit="tar"):
            members: list[tuple[str, bytes]] = []
            for index in range(first, min(first + args.per_tar, args.count)):
                scene = render_scene(args.seed, args.split, index)
                key = f"{index:09d}"
                line = json.dumps(gold_line(key, scene))
                gold.write(line + "\n")
                members += [
                    (f"{key}.jpg", encode_jpeg(scene.image)),
                    (f"{key}.txt", scene.caption.encode()),
                    (f"{key}.json", line.encode()),
                ]
                if len(shown) < 24:
                    shown.append(scene)
            write_tar(args.to / f"scenes-{first // args.per_tar:06d}.tar", members)
    if args.sheet:
        draw_sheet(shown).save(args.sheet)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
