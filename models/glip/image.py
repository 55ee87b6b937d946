"""The image side: size rule, PIL's bilinear resize, normalisation, padding. Sizes are (width, height)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

SHORT_SIDE, LONG_SIDE = 800, 1333
PAD_MULTIPLE = 32
MEAN = np.array([103.53, 116.28, 123.675], np.float32)  # BGR
STD = np.array([57.375, 57.12, 58.395], np.float32)

Size = tuple[int, int]


def resized_size(width: int, height: int, short_side: int = SHORT_SIDE, long_side: int | None = LONG_SIDE) -> Size:
    """Size the model sees. Evaluated as the reference does, in this order: roundings depend on it.

    The long side follows from the rounded short side, so it may pass `long_side` by a few pixels on
    elongated images. Without `long_side` this is the rule of the reference's demo. Raises ValueError for
    an image without pixels, or so elongated that its short side would vanish.
    """
    small, large = min(width, height), max(width, height)
    if small < 1:
        raise ValueError(f"an image of {width}x{height} px has no pixels")
    if long_side is not None and large / small * short_side > long_side:
        short_side = round(long_side * small / large)
        if short_side < 1:
            raise ValueError(f"an image of {width}x{height} px has no short side left at {long_side} px")
    if small == short_side:
        return width, height
    long = int(short_side * large / small)
    return (short_side, long) if width < height else (long, short_side)


def padded_size(width: int, height: int, multiple: int = PAD_MULTIPLE) -> Size:
    """Both sides up to the next multiple."""
    return -(-width // multiple) * multiple, -(-height // multiple) * multiple


def resize(image: Image.Image, size: Size) -> np.ndarray:
    """[H, W, 3] uint8 RGB of the given size; PIL's bilinear, which averages when it shrinks."""
    rgb = image.convert("RGB")
    return np.asarray(rgb if rgb.size == size else rgb.resize(size, Image.Resampling.BILINEAR))


def normalise(pixels: np.ndarray) -> np.ndarray:
    """[H, W, 3] uint8 RGB -> [3, H, W] float32 BGR."""
    return np.ascontiguousarray(((pixels[..., ::-1].astype(np.float32) - MEAN) / STD).transpose(2, 0, 1))


def pad_batch(tensors: Sequence[np.ndarray], multiple: int = PAD_MULTIPLE) -> np.ndarray:
    """[3, h, w] each -> [B, 3, H, W], zeros to the right and below."""
    width, height = padded_size(max(t.shape[2] for t in tensors), max(t.shape[1] for t in tensors), multiple)
    batch = np.zeros((len(tensors), 3, height, width), np.float32)
    for i, tensor in enumerate(tensors):
        batch[i, :, : tensor.shape[1], : tensor.shape[2]] = tensor
    return batch
