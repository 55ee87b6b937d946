"""Made-up weights by rule and sampled arrays: how a model is compared with recorded reference outputs.

No trained weights are needed: every tensor follows from its name and a seed, so the same "checkpoint" can
be made anywhere. Rules are [pattern, offset, scale], the first match wins.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

Rules = Sequence[tuple[str, float | str, float | str | None]]


def _generator(text: str) -> np.random.Generator:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "little")))


def rule_normal(name: str, shape: Sequence[int], seed: int) -> np.ndarray:
    """Standard normal float64 array that follows from the name and the seed."""
    return _generator(f"{seed}:{name}").standard_normal(tuple(shape))


def rule_tensor(name: str, shape: Sequence[int], seed: int, rules: Rules) -> np.ndarray | None:
    """The float32 tensor of this name, or None if the rules leave it as the model constructs it.

    A scale ``"fan:G"`` means G / sqrt(fan in). Raises KeyError for a name without a rule.
    """
    rule = next((rest for pattern, *rest in rules if re.search(pattern, name)), None)
    if rule is None:
        raise KeyError(f"no rule for {name}")
    offset, scale = rule
    if offset == "keep":
        return None
    if isinstance(scale, str):
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else int(shape[0])
        scale = float(scale.removeprefix("fan:")) / np.sqrt(fan_in)
    return (offset + scale * rule_normal(name, shape, seed)).astype(np.float32)


def sample_indices(name: str, size: int, k: int = 2000) -> np.ndarray:
    """Flat indices at which a big recorded array is kept, sorted, without repeats."""
    return np.unique(_generator(f"sample:{name}").integers(0, size, size=k))


def largest_difference(name: str, value: np.ndarray, golden: Mapping[str, np.ndarray]) -> float:
    """Largest absolute difference to the recorded array, whole or sampled. Raises ValueError if the
    shape is another."""
    if name in golden:
        expected, actual = np.asarray(golden[name]), value
        shape = expected.shape
    else:
        shape = tuple(int(n) for n in golden[f"{name}/shape"])
        expected = golden[f"{name}/samples"]
        actual = value.reshape(-1)[sample_indices(name, value.size)] if value.shape == shape else value
    if value.shape != shape:
        raise ValueError(f"{name}: shape {value.shape}, recorded {shape}")
    return float(np.abs(actual.astype(np.float64) - expected).max(initial=0.0))
