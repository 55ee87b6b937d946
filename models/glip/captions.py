"""Captions for scenes: phrases that mean exactly the objects they fit, in the manners of the web.

A phrase means every object of the picture that has its noun and all attributes it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from glip.concepts import COLOURS, NOUNS, PATTERNS, SIZE_WORDS, is_held_back, plural

NUMBER_WORDS = {2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven", 8: "eight"}
PATTERN_WORDS = {"plain": "plain", "striped": "striped", "dotted": "dotted", "checkered": "checkered"}

FRAMES = (
    "{}", "{}", "{}", "{}.", "a photo of {}", "A picture of {}.", "an image of {}", "There is {}.",
    "this is {}", "drawing of {}", "Here you can see {}.", "I found {} today", "{} - stock image",
    "{} | free shipping", "{}, vector illustration", "Illustration of {}.", "close-up of {}",
    "look at {}!", "{} #art #design", "wallpaper with {}", "{} for sale", "Print: {}", "{} (set of 2)",
    "New! {} only $9.99", "{}, 300 dpi", "{} isolated", "a scene with {}", "{} in the picture",
    "my favourite: {}", "The card shows {}.", "{} by the artist", "poster with {} 18x24",
)  # fmt: skip
JOINTS = (
    (", ", " and "), (", ", " and "), (" and ", " and "), (", ", ", "), (" next to ", " next to "),
    (" near ", " with "), (" with ", " and "), (" beside ", " and "), ("; ", "; "), (" & ", " & "),
    (" above ", " below "), (". ", ". "), (" behind ", " and "), (" / ", " / "), (" plus ", " and "),
)  # fmt: skip


@dataclass(frozen=True)
class Meaning:
    """What a phrase asks for; None leaves an attribute open. ``size`` is "small" or "large"."""

    noun: str
    colour: str | None = None
    pattern: str | None = None
    size: str | None = None

    def fits(self, thing) -> bool:
        return (
            thing.noun == self.noun
            and self.colour in (None, thing.colour)
            and self.pattern in (None, thing.pattern)
            and self.size in (None, thing.size)
        )


def _words(rng: np.random.Generator, meaning: Meaning, count: int) -> str:
    """The phrase in lower case, with a determiner or number that is true of `count` objects."""
    attributes = []
    if meaning.size:
        attributes.append(str(rng.choice(SIZE_WORDS[meaning.size])))
    look = [w for w in (meaning.colour, PATTERN_WORDS.get(meaning.pattern or "")) if w]
    if len(look) == 2 and rng.random() < 0.4:
        look.reverse()
    attributes += look
    if count > 1:
        lead = str(rng.choice([NUMBER_WORDS[count], "some", "several", "", "the", str(count)]))
        noun = plural(meaning.noun)
    else:
        lead = str(rng.choice(["a", "a", "a", "the", "the", "one", "", ""]))
        noun = meaning.noun
    body = " ".join([*attributes, noun])
    if lead == "a" and body[0] in "aeiou":
        lead = "an"
    return f"{lead} {body}".strip()


def _random_meaning(rng: np.random.Generator, thing, named: float = 0.6) -> Meaning:
    sized = thing.size in SIZE_WORDS
    return Meaning(
        thing.noun,
        thing.colour if rng.random() < named else None,
        thing.pattern if thing.pattern != "plain" and rng.random() < named else None,
        thing.size if sized and rng.random() < named * 0.6 else None,
    )


def _absent_meaning(rng: np.random.Generator, things: Sequence, novel_allowed: bool) -> Meaning | None:
    """Something that is not there: another noun, or a thing of the picture with one attribute changed."""
    for _ in range(12):
        if things and rng.random() < 0.5:
            near = things[int(rng.integers(len(things)))]
            meaning = Meaning(near.noun, str(rng.choice(list(COLOURS))))
            if rng.random() < 0.3:
                meaning = Meaning(near.noun, pattern=str(rng.choice(PATTERNS[1:])))
            elif rng.random() < 0.4:
                meaning = Meaning(str(rng.choice(NOUNS)), near.colour)
        else:
            colour = str(rng.choice(list(COLOURS))) if rng.random() < 0.6 else None
            meaning = Meaning(str(rng.choice(NOUNS)), colour)
        held = is_held_back(meaning.noun, meaning.colour or "", meaning.pattern or "plain") if (
            meaning.colour
        ) else False
        if not any(meaning.fits(t) for t in things) and (novel_allowed or not held):
            return meaning
    return None


def _cased(rng: np.random.Generator, text: str) -> str:
    draw = rng.random()
    if draw < 0.10:
        return text.title().replace("'S", "'s")
    if draw < 0.15:
        return text.upper()
    if draw < 0.55:
        return text.lower()
    return text[:1].upper() + text[1:]


def _gold(meaning: Meaning, start: int, end: int, things: Sequence) -> dict:
    meant = [t for t in things if meaning.fits(t)]
    return {
        "start": start,
        "end": end,
        "noun": meaning.noun,
        "colour": meaning.colour,
        "pattern": meaning.pattern,
        "size": meaning.size,
        "boxes": [list(t.box) for t in meant],
        "present": bool(meant),
        "contrast": None,
        "novel": bool(meant) and any(_names_held_back(meaning, t) for t in meant),
    }


def _names_held_back(meaning: Meaning, thing) -> bool:
    colour_named = meaning.colour is not None and is_held_back(thing.noun, thing.colour, "plain")
    pattern_named = meaning.pattern is not None and is_held_back(thing.noun, thing.colour, thing.pattern)
    return colour_named or pattern_named


def write_caption(
    rng: np.random.Generator, things: Sequence, rivals: tuple[int, int] | None, novel: bool
) -> tuple[str, list[dict]]:
    """A caption and its phrases (spans in code points) for the objects of a scene.

    rivals: indices of two objects that differ in one attribute; both are named by it. novel: name the
    attributes of held-back combinations, and allow them for absent things.
    """
    meanings: list[Meaning] = []
    contrast: list[Meaning] = []
    if rivals is not None and rng.random() < 0.8:
        contrast = _tell_apart(things[rivals[0]], things[rivals[1]])
        meanings += contrast
    order = rng.permutation(len(things))
    for i in order[: int(rng.integers(1, 5))]:
        thing = things[int(i)]
        meaning = _random_meaning(rng, thing)
        if novel and is_held_back(thing.noun, thing.colour, thing.pattern):
            pattern = thing.pattern if thing.pattern != "plain" else None
            meaning = Meaning(thing.noun, thing.colour, pattern)
        meanings.append(meaning)
    if rng.random() < 0.4:
        absent = _absent_meaning(rng, things, novel)
        if absent:
            meanings.append(absent)
    unique = list(dict.fromkeys(meanings))
    unique = [unique[i] for i in rng.permutation(len(unique))]

    joint, last = JOINTS[int(rng.integers(len(JOINTS)))]
    text, spans = "", []
    for i, meaning in enumerate(unique):
        if i:
            text += last if i == len(unique) - 1 else joint
        words = _words(rng, meaning, sum(meaning.fits(t) for t in things))
        spans.append((len(text), len(text) + len(words)))
        text += words
    before, after = FRAMES[int(rng.integers(len(FRAMES)))].split("{}")
    caption = _cased(rng, before + text + after)
    shift = len(before)
    phrases = [_gold(m, s + shift, e + shift, things) for m, (s, e) in zip(unique, spans)]
    if len(contrast) == 2:
        a, b = unique.index(contrast[0]), unique.index(contrast[1])
        phrases[a]["contrast"], phrases[b]["contrast"] = b, a
    for phrase in phrases:
        phrase["text"] = caption[phrase["start"] : phrase["end"]]
    return caption, phrases


def _tell_apart(a, b) -> list[Meaning]:
    if a.colour != b.colour:
        return [Meaning(a.noun, a.colour), Meaning(b.noun, b.colour)]
    if a.pattern != b.pattern:
        return [Meaning(a.noun, pattern=a.pattern), Meaning(b.noun, pattern=b.pattern)]
    return [Meaning(a.noun, size=a.size), Meaning(b.noun, size=b.size)]


def detection_prompt(rng: np.random.Generator, scene) -> tuple[str, list[dict]]:
    """GLIP's evaluation prompt for a scene: names of its objects and of absent things, ". " between.

    Objects with the same noun are also named by what tells them apart: the hardest thing to learn.
    """
    things = scene.things
    meanings = [_random_meaning(rng, t, named=0.4) for t in things]
    meanings += [Meaning(t.noun, pattern=t.pattern) for t in things if t.pattern != "plain" and rng.random() < 0.5]
    for i, a in enumerate(things):
        for b in things[:i]:
            if a.noun == b.noun:
                meanings += [m for m in _tell_apart(a, b) if m.size is None or m.size in SIZE_WORDS]
    for _ in range(int(rng.integers(2, 9))):
        absent = _absent_meaning(rng, things, scene.split != "train")
        if absent:
            meanings.append(absent)
    unique = list(dict.fromkeys(meanings))
    text, phrases = "", []
    for i in rng.permutation(len(unique)):
        meaning = unique[int(i)]
        words = " ".join(
            w for w in (
                str(rng.choice(SIZE_WORDS[meaning.size])) if meaning.size else "",
                meaning.colour or "",
                meaning.pattern or "",
                meaning.noun,
            ) if w
        )
        text += ". " if text else ""
        phrases.append(_gold(meaning, len(text), len(text) + len(words), things))
        phrases[-1]["text"] = words
        text += words
    return text, phrases
