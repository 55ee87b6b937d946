"""64-bit dHash of images, one hex line each, written from its definition with Pillow and exact integers.

The image is cut into 9 x 8 cells; a cell's value is the mean BT.601 luma of its pixels, or of every
n-th pixel per axis where a cell is 32 px or longer (n = size // 16). Bit: brighter than the cell to the left.
"""

import sys
from fractions import Fraction
from itertools import pairwise

from PIL import Image


def cells(size: int, count: int) -> list[range]:
    spans = []
    for index in range(count):
        start = index * size // count
        end = max(start + 1, (index + 1) * size // count)
        spans.append(range(start, end, max(1, (end - start) // 16)))
    return spans


def dhash(image: Image.Image) -> str:
    pixels = image.convert("RGB").load()
    width, height = image.size
    bits = 0
    for rows in cells(height, 8):
        means = []
        for columns in cells(width, 9):
            lumas = [
                299 * r + 587 * g + 114 * b for y in rows for x in columns for r, g, b in [pixels[x, y]]
            ]
            means.append(Fraction(sum(lumas), len(lumas)))
        for left, right in pairwise(means):
            bits = bits << 1 | (right > left)
    return f"{bits:016x}"


for path in sys.argv[1:]:
    with Image.open(path) as opened:
        print(dhash(opened))
