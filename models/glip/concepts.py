"""What scenes are made of: nouns, colours, patterns, sizes, and which combinations are held back."""

from __future__ import annotations

import math

PICTOGRAMS = {
    "anchor": 61489, "apple": 62043, "bell": 61594, "boat": 61971, "bone": 61625, "book": 61626,
    "bulb": 62261, "bus": 61671, "cake": 61673, "camera": 61696, "candle": 62946, "car": 61707,
    "carrot": 61711, "castle": 61722, "cat": 61723, "clock": 61776, "cloud": 61791, "cow": 61850,
    "crown": 61861, "cup": 61866, "duck": 61925, "fish": 62010, "flag": 62011, "flower": 62026,
    "ghost": 62112, "gift": 62113, "heart": 62161, "house": 62172, "kettle": 62970, "key": 62214,
    "laptop": 62242, "leaf": 62250, "lock": 62270, "owl": 62418, "pig": 62465, "plane": 61469,
    "rocket": 62563, "shield": 62616, "shirt": 62783, "sofa": 62649, "star": 62670, "sword": 62693,
    "tent": 62728, "tree": 62769, "truck": 62781, "umbrella": 62794,
}  # fmt: skip


def _ring(n: int, radius: float = 0.5, turn: float = 0.0) -> list[tuple[float, float]]:
    angles = [turn + 2 * math.pi * i / n for i in range(n)]
    return [(0.5 + radius * math.cos(a), 0.5 + radius * math.sin(a)) for a in angles]


POLYGONS: dict[str, list[list[tuple[float, float]]]] = {
    # Outlines in the unit square; a second outline is a hole.
    "circle": [_ring(48)],
    "ring": [_ring(48), _ring(48, 0.29)],
    "square": [[(0.04, 0.04), (0.96, 0.04), (0.96, 0.96), (0.04, 0.96)]],
    "triangle": [[(0.5, 0.03), (1.0, 0.93), (0.0, 0.93)]],
    "hexagon": [_ring(6)],
    "diamond": [[(0.5, 0.0), (0.85, 0.5), (0.5, 1.0), (0.15, 0.5)]],
    "cross": [[
        (0.33, 0), (0.67, 0), (0.67, 0.33), (1, 0.33), (1, 0.67), (0.67, 0.67),
        (0.67, 1), (0.33, 1), (0.33, 0.67), (0, 0.67), (0, 0.33), (0.33, 0.33),
    ]],
    "arrow": [[(0, 0.34), (0.55, 0.34), (0.55, 0.08), (1, 0.5), (0.55, 0.92), (0.55, 0.66), (0, 0.66)]],
}  # fmt: skip

NOUNS: tuple[str, ...] = (*POLYGONS, *PICTOGRAMS)

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 32, 38), "orange": (245, 135, 20), "yellow": (246, 216, 32), "green": (38, 150, 62),
    "blue": (34, 84, 208), "purple": (122, 46, 158), "pink": (244, 130, 182), "brown": (122, 74, 36),
    "black": (24, 24, 26), "white": (248, 248, 248), "gray": (136, 138, 142), "turquoise": (40, 196, 190),
}  # fmt: skip

PATTERNS: tuple[str, ...] = ("plain", "striped", "dotted", "checkered")

# Longest side as a share of the image's short side; the gaps make the words true by a clear margin.
SIZES: dict[str, tuple[float, float]] = {
    "small": (0.13, 0.18),
    "medium": (0.22, 0.34),
    "large": (0.44, 0.60),
}
SIZE_WORDS: dict[str, tuple[str, ...]] = {"small": ("small", "tiny", "little"), "large": ("large", "big", "huge")}

PLURALS = {
    "leaf": "leaves", "bus": "buses", "cross": "crosses", "fish": "fish",
}  # fmt: skip


def plural(noun: str) -> str:
    return PLURALS.get(noun, noun + "s")


def is_held_back(noun: str, colour: str, pattern: str) -> bool:
    """True for combinations that never occur in training: an eighth of (colour, noun), and one in
    seven of (pattern, noun) with a visible pattern."""
    n = NOUNS.index(noun)
    by_colour = (5 * n + 3 * list(COLOURS).index(colour)) % 8 == 0
    p = PATTERNS.index(pattern)
    return by_colour or (p > 0 and (3 * n + 2 * p) % 7 == 0)
