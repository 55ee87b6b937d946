"""Checkpoints: read safely, recognised by their shapes, loaded by exact names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glip.config import CONFIGS, GlipConfig
from glip.layouts import find_weights, from_mmdetection, is_mmdetection, listing, stranger
from glip.model import Glip
from glip.reading import CheckpointError, printable, read_plain
from glip.swin import WindowAttention, relative_position_index

# In official checkpoints, but of no use to inference.
DROPPED = re.compile(
    r"\.embeddings\.position_ids$|\.pooler\.|^rpn\.head\.mlm_head\.|^rpn\.resizer\.|^rpn\.anchor_generator\."
    r"|^rpn\.head\.cls_logits\."
)
INDEX = ".relative_position_index"  # buffers that follow from the window; may be absent
OWN_NAMES = "GLIP"


@dataclass(frozen=True)
class Checkpoint:
    """tensors: by the names of GLIP's own code. config: sizes, where the file says them (our own training).
    source: the key of the weights in the file; others: keys of further weights; names: whose names they had."""

    tensors: dict[str, Tensor]
    config: GlipConfig | None
    source: str
    others: list[str]
    names: str

    def __str__(self) -> str:
        origin = f"weights of {self.source!r}" if self.source else "weights"
        named = "" if self.names == OWN_NAMES else f" in the names of {self.names}"
        beside = f", beside them {', '.join(map(repr, self.others))} (--weights)" if self.others else ""
        return printable(origin + named + beside)


def open_checkpoint(path: Path, weights: str | None = None) -> Checkpoint:
    """Reads a .pth file. weights: key of the weights to take where there are several, e.g. "model_ema"; by default
    the model rather than its moving average, but the average of our own training. Raises CheckpointError."""
    content = read_plain(path)
    config = None
    if isinstance(content, Mapping) and isinstance(content.get("config"), Mapping) and "average" in content:
        config = GlipConfig.from_json(content["config"])
        weights = weights or "average"
    try:
        found = find_weights(content, weights)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    tensors, names = official(found.tensors)
    return Checkpoint(tensors, config, found.source, found.others, names)


def official(tensors: Mapping[str, Tensor | np.ndarray]) -> tuple[dict[str, Tensor | np.ndarray], str]:
    """The tensors under the names of GLIP's own code, and whose names they had."""
    if is_mmdetection(tensors):
        return from_mmdetection(tensors), "mmdetection"
    return dict(tensors), OWN_NAMES


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], GlipConfig | None]:
    """Names and tensors of a .pth file, without prefixes; our own training checkpoints also say their sizes.
    See `open_checkpoint`."""
    checkpoint = open_checkpoint(path)
    return checkpoint.tensors, checkpoint.config


def _shapes(config: GlipConfig) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        return {name: tuple(value.shape) for name, value in Glip(config).state_dict().items()}


def _outline(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, object]:
    """What tells the variants apart."""

    def shape(name: str) -> tuple[int, ...] | None:
        return shapes.get(name)

    def count(pattern: str) -> int:
        return len({match[1] for name in shapes if (match := re.match(pattern, name))})

    return {
        "Swin patch embedding": shape("backbone.body.patch_embed.proj.weight"),
        "Swin depths": tuple(count(rf"backbone\.body\.layers\.{i}\.blocks\.(\d+)\.") for i in range(4)),
        "Swin position table": shape("backbone.body.layers.0.blocks.0.attn.relative_position_bias_table"),
        "FPN": shape("backbone.fpn.fpn_layer2.weight"),
        "word embeddings": shape("language_backbone.body.model.embeddings.word_embeddings.weight"),
        "BERT layers": count(r"language_backbone\.body\.model\.encoder\.layer\.(\d+)\."),
        "tower modules": count(r"rpn\.head\.dyhead_tower\.(\d+)\."),
        "fusion modules": count(r"rpn\.head\.dyhead_tower\.(\d+)\.b_attn\."),
    }


def recognise(tensors: Mapping[str, Tensor | np.ndarray]) -> GlipConfig:
    """The variant that has these shapes. Raises CheckpointError, which compares with the nearest one."""
    if any(name.startswith("rpn.tunable_linear.") for name in tensors):
        raise CheckpointError(
            "the checkpoint is prompt-tuned (rpn.tunable_linear adds a learned vector to every token); "
            "such models are not supported, and dropping the vectors would change the results"
        )
    other = stranger(tensors)
    if other:
        raise CheckpointError(f"the checkpoint is not GLIP but {other}")
    found = _outline({name: tuple(value.shape) for name, value in tensors.items()})
    differences = {}
    for config in CONFIGS.values():
        outline = _outline(_shapes(config))
        different = [key for key in outline if outline[key] != found[key]]
        if not different:
            return config
        differences[config.name] = [f"{key}: {found[key]}, expected {outline[key]}" for key in different]
    nearest = min(differences, key=lambda name: len(differences[name]))
    raise CheckpointError(
        f"the shapes are those of no known variant ({', '.join(CONFIGS)}); nearest is {nearest}, "
        + listing("but these differ", differences[nearest])
    )


def load_weights(model: Glip, tensors: Mapping[str, Tensor | np.ndarray]) -> None:
    """Fills the model by exact names; it may be on the meta device, since the tensors become its own.

    Raises CheckpointError listing every name that is missing, unexpected, of another shape or not finite.
    Left out without a word is only what inference never reads (see `DROPPED`).
    """
    own = model.state_dict()
    index = {
        f"{name}{INDEX}": relative_position_index(round(module.tokens**0.5))
        for name, module in model.named_modules()
        if isinstance(module, WindowAttention)
    }
    given = {name: torch.as_tensor(value) for name, value in tensors.items() if not DROPPED.search(name)}
    given = index | given
    common = [name for name in given if name in own]
    wrong = [
        f"{name}: {tuple(given[name].shape)}, expected {tuple(own[name].shape)}"
        for name in common
        if given[name].shape != own[name].shape
    ]
    same = [name for name in common if given[name].shape == own[name].shape]
    infinite = [name for name in same if not torch.isfinite(given[name]).all()]
    other_index = [name for name in same if name in index and not torch.equal(given[name].long(), index[name])]
    problems = [
        listing("missing", set(own) - set(given)),
        listing("unexpected", set(given) - set(own)),
        listing("of another shape", wrong),
        listing("not finite", infinite),
        listing("another order of window positions", other_index),
    ]
    if any(problems):
        raise CheckpointError("the weights do not fit the model\n" + "\n".join(filter(None, problems)))
    model.load_state_dict({name: given[name].to(own[name].dtype) for name in own}, strict=True, assign=True)


def build_from(tensors: Mapping[str, Tensor | np.ndarray], config: GlipConfig | None = None) -> Glip:
    """A model in evaluation mode with these weights (not copied where they are float32 already); without a
    config the variant follows from the shapes. Names of mmdetection are taken, too. Raises CheckpointError."""
    tensors, _ = official(tensors)
    config = config or recognise(tensors)
    with torch.device("meta"):
        model = Glip(config)
    load_weights(model, tensors)
    return model.eval().requires_grad_(False)
