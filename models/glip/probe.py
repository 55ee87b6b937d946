"""Pictures that reduced precision is measured on: rendered scenes, or the user's own with captions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from PIL import Image, ImageOps

from glip.scenes import gold_line, render_scene

ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff"}
CAPTIONS = "captions.jsonl"  # looked for in a folder of pictures
NAMES = ("image", "file_name", "key")  # of a line's picture
# Words between phrases. Where a phrase begins and ends matters little here: both precisions get the same.
BETWEEN = frozenset(
    "a an the this that these those some any each every its his her their our my your it he she they we i you there "
    "here and or but with without of in on at by for from to into onto over under above below near behind beside "
    "between next front around through across against along is are was were be been being has have had do does "
    "while as who which where what when not no very".split()
)


@dataclass(frozen=True)
class Picture:
    """image: opens it, RGB and upright. phrases: of the caption, ``start`` and ``end`` in code points.
    gold: line of a rendered scene, see `scenes.gold_line`; None for pictures without boxes."""

    image: Callable[[], Image.Image]
    caption: str
    phrases: list[dict]
    gold: dict | None = None


def rendered(seed: int, count: int) -> Iterator[Picture]:
    """The first test scenes of a seed."""
    for index in range(count):
        scene = render_scene(seed, "test", index)
        yield Picture(lambda scene=scene: scene.image, scene.caption, scene.phrases, gold_line(f"{index:09d}", scene))


def phrases_of(caption: str) -> list[dict]:
    """Runs of words between punctuation and the commonest function words; else the whole caption."""
    spans: list[dict] = []
    last = None  # end of the word before, inside a phrase
    for word in re.finditer(r"[^\W_]+(?:['’-][^\W_]+)*", caption):
        if word[0].lower() in BETWEEN:
            last = None
        elif last is not None and caption[last : word.start()].isspace():
            spans[-1]["end"] = last = word.end()
        else:
            spans.append({"start": word.start(), "end": word.end()})
            last = word.end()
    return spans or [{"start": 0, "end": len(caption)}]


def _phrases_given(caption: str, given: object, where: str) -> list[dict]:
    """Phrases of a line: texts that are in the caption, or objects with start and end. Raises ValueError."""
    phrases = []
    for phrase in given if isinstance(given, list) else [given]:
        if isinstance(phrase, str):
            start = caption.lower().find(phrase.lower()) if phrase else -1
            span = start, start + len(phrase)
        else:
            span = tuple(phrase.get(name) for name in ("start", "end")) if isinstance(phrase, Mapping) else (None, None)
        if not (all(isinstance(n, int) for n in span) and 0 <= span[0] < span[1] <= len(caption)):
            shown = json.dumps(phrase)[:80]
            raise ValueError(f"{where}: phrase {shown} is not in the caption; give its text, or start and end")
        phrases.append({"start": span[0], "end": span[1]})
    return phrases


def read_captions(path: Path) -> dict[str, tuple[str, list[dict]]]:
    """Caption and phrases by the picture's name, from JSON Lines with `image` (or `file_name`, `key`), `caption` and,
    if wanted, `phrases`. Raises ValueError naming the line."""
    captions = {}
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{where}: no JSON ({error.msg})") from error
        name = next((entry[key] for key in NAMES if key in entry), None) if isinstance(entry, dict) else None
        caption = entry.get("caption") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not isinstance(caption, str) or not caption.strip():
            raise ValueError(f"{where}: needs a picture's name ({', '.join(NAMES)}) and its caption")
        phrases = entry.get("phrases")
        captions[name] = (caption, _phrases_given(caption, phrases, where) if phrases else phrases_of(caption))
        captions.setdefault(PurePath(name).name, captions[name])
    return captions


def _open(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGB")


def _files(paths: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Pictures and the folder each belongs to. Raises ValueError."""
    files: list[tuple[Path, Path]] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS and file.is_file())
            if not inside:
                raise ValueError(f"{path} has no pictures ({', '.join(sorted(ENDINGS))})")
            files += [(file, path) for file in inside]
        elif path.is_file():
            files.append((path, path.parent))
        else:
            raise ValueError(f"{path}: no such picture or folder (--probe)")
    for file, _ in files:
        try:
            Image.open(file).close()
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"{file} cannot be opened as a picture") from error
    return files


def _captions_in(folder: Path) -> Path | None:
    files = sorted(folder.glob("*.jsonl"))
    return next((file for file in files if file.name == CAPTIONS), files[0] if len(files) == 1 else None)


def own_pictures(paths: Sequence[Path], captions: Path | None = None, caption: str | None = None) -> list[Picture]:
    """Pictures of the user: folders or files. Captions are those of the file `captions`, by default
    `captions.jsonl` in the picture's folder, or the only JSON Lines file there; `caption` is for pictures that
    have none. Raises ValueError."""
    known: dict[Path | None, dict[str, tuple[str, list[dict]]]] = {}
    pictures, without = [], []
    for file, folder in _files(paths):
        source = captions or _captions_in(folder)
        if source not in known:
            known[source] = read_captions(source) if source else {}
        names = (str(file), file.relative_to(folder).as_posix(), file.name, PurePath(file.name).stem)
        found = next((known[source][name] for name in names if name in known[source]), None)
        if found is None and caption:
            found = caption, phrases_of(caption)
        if found is None:
            without.append(file)
        else:
            pictures.append(Picture(lambda file=file: _open(file), *found))
    if without:
        raise ValueError(
            f"{len(without)} of {len(without) + len(pictures)} pictures have no caption, the first is {without[0]}; "
            f"give each a line in {captions or CAPTIONS}, or one caption for all with --probe-caption"
        )
    return pictures
