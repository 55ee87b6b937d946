"""Checkpoints: read safely, recognised by their shapes, loaded by exact names."""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from glip.config import CONFIGS, GlipConfig
from glip.model import Glip
from glip.swin import WindowAttention, relative_position_index

# In official checkpoints, but of no use to inference.
DROPPED = re.compile(
    r"\.embeddings\.position_ids$|\.pooler\.|^rpn\.head\.mlm_head\.|^rpn\.resizer\.|^rpn\.anchor_generator\."
    r"|^rpn\.head\.cls_logits\."
)
INDEX = ".relative_position_index"  # buffers that follow from the window; may be absent
LISTED = 40


class CheckpointError(ValueError):
    """The file is not a checkpoint that can be converted; the message says what is wrong with it."""


def _listing(title: str, lines: Iterable[str]) -> str:
    lines = sorted(lines)
    shown = "".join(f"\n  {line}" for line in lines[:LISTED])
    rest = f"\n  ... and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return f"{title} ({len(lines)}):{shown}{rest}" if lines else ""


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], GlipConfig | None]:
    """Names and tensors of a .pth file, without the `module.` prefix; our own training checkpoints also
    say their sizes, and give the moving average of their weights.

    Only tensors and plain containers are unpickled. Raises CheckpointError.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: holds Python objects other than tensors, or is no PyTorch file; it is not loaded, since "
            f"unpickling could run code. Save the state dict alone. ({_first_line(error)})"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be read as a PyTorch file: {_first_line(error)}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path}: holds a {type(content).__name__}, not a dict of tensors")
    config = None
    tensors = content.get("model", content)
    if isinstance(content.get("config"), Mapping) and isinstance(content.get("average"), Mapping):
        config = GlipConfig.from_json(content["config"])
        tensors = content["average"]
    if not isinstance(tensors, Mapping) or not tensors:
        raise CheckpointError(f"{path}: has no tensors under 'model'")
    strangers = [f"{key}: {type(value).__name__}" for key, value in tensors.items() if not isinstance(value, Tensor)]
    if strangers:
        raise CheckpointError(f"{path}: {_listing('entries that are no tensors', strangers)}")
    names = [str(key) for key in tensors]
    prefix = "module." if all(name.startswith("module.") for name in names) else ""
    return {str(key).removeprefix(prefix): value for key, value in tensors.items()}, config


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
        + _listing("but these differ", differences[nearest])
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
        _listing("missing", set(own) - set(given)),
        _listing("unexpected", set(given) - set(own)),
        _listing("of another shape", wrong),
        _listing("not finite", infinite),
        _listing("another order of window positions", other_index),
    ]
    if any(problems):
        raise CheckpointError("the weights do not fit the model\n" + "\n".join(filter(None, problems)))
    model.load_state_dict({name: given[name].to(own[name].dtype) for name in own}, strict=True, assign=True)


def build_from(tensors: Mapping[str, Tensor | np.ndarray], config: GlipConfig | None = None) -> Glip:
    """A model in evaluation mode with these weights (not copied where they are float32 already); without a
    config the variant follows from the shapes. Raises CheckpointError."""
    config = config or recognise(tensors)
    with torch.device("meta"):
        model = Glip(config)
    load_weights(model, tensors)
    return model.eval().requires_grad_(False)
