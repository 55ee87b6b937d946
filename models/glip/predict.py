"""Scenes through a model: the PyTorch module of a checkpoint, or the ONNX graph of a teacher folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from glip.batches import normalise
from glip.image import padded_size, resize, resized_size
from glip.model import Glip
from glip.postprocess import detect
from glip.scenes import render_scene
from glip.text import Tokenizer, load_vocab, positive_tokens

DEFAULT_VOCAB = Path(__file__).parent / "assets" / "vocab.txt"


@dataclass(frozen=True)
class Predictor:
    """``run(image [H, W, 3] uint8 resized, ids, positive [P, T])`` -> probabilities [N, P], deltas
    [N, 4], centerness logits [N], all of the padded image."""

    run: Callable[[np.ndarray, list[int], np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
    tokenizer: Tokenizer
    short_side: int
    long_side: int
    default_score: float
