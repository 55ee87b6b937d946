"""Where a checkpoint keeps its weights, and under which names: everything becomes that of GLIP's own code.

Known are the wrappers of trainers (`model`, `state_dict`, ...), the prefixes of wrapping modules (`module.`,
`_orig_mod.`), moving averages beside the weights, and the names of mmdetection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from glip.reading import CheckpointError, printable

LISTED = 40
DEPTH = 4  # how deep in a file weights are looked for
USUAL_KEYS = ("state_dict", "model", "model_state", "model_state_dict")  # the first one there is taken
NETWORK = re.compile(r"(backbone|language_backbone|rpn|neck|bbox_head|language_model)\.")  # how names of GLIP begin
AVERAGE_NAME = re.compile(r"(model_)?(ema|averaged?|shadow|swa)[._]|(n_averaged|steps)$")  # among other weights
AVERAGE = re.compile(r"(^|[._])(ema|average|averaged|shadow|swa)([._]|$)")
WRAPPERS = re.compile(r"(^|(?<=\.))(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")


def listing(title: str, lines: Iterable[str]) -> str:
    """A titled list for a message, sorted and cut to a readable length; empty without lines."""
    lines = sorted(printable(line) for line in lines)
    shown = "".join(f"\n  {line}" for line in lines[:LISTED])
    rest = f"\n  ... and {len(lines) - LISTED} more" if len(lines) > LISTED else ""
    return f"{title} ({len(lines)}):{shown}{rest}" if lines else ""


@dataclass(frozen=True)
class Found:
    """tensors: by their names without wrappers. source: the key they are at ("" for the file itself).
    others: keys of further sets of weights, such as a moving average."""

    tensors: dict[str, Tensor]
    source: str
    others: list[str]


def bare(name: str) -> str:
    """The name without what wrapping modules add to it."""
    return re.sub(r"^(model\.)+", "", WRAPPERS.sub("", name))


def _sets(content: Mapping, names: re.Pattern, at: str = "", depth: int = 0) -> Iterator[tuple[str, Mapping]]:
    """Every mapping in the file that has tensors with such names, with its key."""
    if any(isinstance(value, Tensor) and names.match(bare(str(key))) for key, value in content.items()):
        yield at, content
    elif depth < DEPTH:
        for key, value in content.items():
            if isinstance(value, Mapping):
                yield from _sets(value, names, f"{at}.{key}" if at else str(key), depth + 1)


def find_weights(content: object, wanted: str | None = None) -> Found:
    """The weights in what was read from a file: at the key `wanted`, or at the usual one, or the only ones.

    A moving average is taken if it is asked for, or if there is nothing else. Raises CheckpointError.
    """
    if not isinstance(content, Mapping):
        raise CheckpointError(f"holds a {type(content).__name__}, not a dict of tensors")
    sets = dict(_sets(content, NETWORK))
    if wanted is not None and wanted not in sets:
        there = ", ".join(map(repr, map(printable, sets))) or "none"
        raise CheckpointError(f"has no weights under {wanted!r}; there are: {there}")
    if wanted is None and sets:
        usual = [at for key in USUAL_KEYS for at in sets if at.split(".")[-1] == key]
        plain = [at for at in sets if not AVERAGE.search(at)]
        wanted = next((at for at in [*usual, *plain] if not AVERAGE.search(at)), next(iter(sets)))
    if wanted is None:  # another network: the largest set, to say later what it is
        sets = dict(_sets(content, re.compile("")))
        wanted = max(sets, key=lambda at: len(sets[at]), default="model")
        sets.setdefault(wanted, {})
    weights = sets[wanted]
    if not weights:
        raise CheckpointError("has no tensors under 'model' or elsewhere")
    strangers = [f"{key}: {type(value).__name__}" for key, value in weights.items() if not isinstance(value, Tensor)]
    if strangers:
        raise CheckpointError(listing("entries that are no tensors", strangers))
    return Found(_unwrapped(weights), wanted, [at for at in sets if at != wanted])


def _unwrapped(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors by their bare names, without a moving average that was stored among them."""
    names = {str(name): bare(str(name)) for name in weights}
    network = any(NETWORK.match(name) for name in names.values())
    tensors: dict[str, Tensor] = {}
    for (name, short), value in zip(names.items(), weights.values()):
        if network and AVERAGE_NAME.match(short):
            continue
        if short in tensors:
            raise CheckpointError(f"has {short} twice, the second time as {name}; save one set of weights alone")
        tensors[short] = value
    return tensors


# mmdetection: the same network, other names

MMDET_HEAD = "bbox_head.head.dyhead_tower."
MMDET_NAMES = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"^backbone\.patch_embed\.projection\.", "backbone.body.patch_embed.proj."),
        (r"^backbone\.(?!body\.)", "backbone.body."),
        (r"^(backbone\.body\.)stages\.", r"\1layers."),
        (r"^(backbone\.body\..+)\.attn\.w_msa\.", r"\1.attn."),
        (r"^(backbone\.body\..+)\.ffn\.layers\.0\.0\.", r"\1.mlp.fc1."),
        (r"^(backbone\.body\..+)\.ffn\.layers\.1\.", r"\1.mlp.fc2."),
        *((rf"^neck\.lateral_convs\.{i}\.conv\.", f"backbone.fpn.fpn_inner{i + 2}.") for i in range(3)),
        *((rf"^neck\.fpn_convs\.{i}\.conv\.", f"backbone.fpn.fpn_layer{i + 2}.") for i in range(3)),
        *((rf"^neck\.fpn_convs\.{i}\.conv\.", f"backbone.fpn.top_blocks.p{i + 3}.") for i in (3, 4)),
        (r"^language_model\.language_backbone\.", "language_backbone."),
        (r"^bbox_head\.", "rpn."),
        (r"^(rpn\.head\.dyhead_tower\.\d+)\.dyconvs\.", r"\1.DyConv."),
        (r"^(rpn\.head\.dyhead_tower\.\d+)\.attnconv\.", r"\1.AttnConv."),
    )
)
PIXELS = re.compile(r"data_preprocessor\.(mean|std)$")  # the same for every GLIP


def _merged_columns(value: Tensor) -> Tensor:
    """Columns of a patch merging as Swin orders them: by pixel of the 2x2 patch, down first, then by channel.

    mmdetection orders them by channel, then by pixel, to the right first.
    """
    by_pixel = value.unflatten(-1, (-1, 2, 2))  # [..., channel, row, column]
    return by_pixel.movedim(-3, -1).transpose(-3, -2).flatten(-3)


def from_mmdetection(tensors: Mapping[str, Tensor | np.ndarray]) -> dict[str, Tensor]:
    """mmdetection's GLIP under the names of GLIP's own code; other tensors as they are."""
    converted = {}
    for name, value in tensors.items():
        if PIXELS.match(name):
            continue
        value = torch.as_tensor(value)
        for pattern, replacement in MMDET_NAMES:
            name = pattern.sub(replacement, name)
        if re.search(r"^backbone\.body\..+\.downsample\.(reduction\.weight|norm\.(weight|bias))$", name):
            value = _merged_columns(value)
        elif re.search(r"^rpn\.head\.scales\.\d+\.scale$", name):
            value = value.reshape(-1)  # a number there, one element here
        converted[name] = value
    return converted


def is_mmdetection(names: Iterable[str]) -> bool:
    """Whether these are the names of mmdetection's GLIP."""
    return any(name.startswith(MMDET_HEAD) for name in names)


# Networks that are none of ours, by names that only they have
STRANGERS = tuple(
    (re.compile(pattern), what)
    for pattern, what in (
        (r"(encoder\.fusion_layers|text_feat_map)\.", "mmdetection's Grounding DINO"),
        (r"(transformer\.encoder\.fusion_layers|feat_map)\.", "Grounding DINO"),
        (r"(text_backbone|input_proj_vision)\.", "Grounding DINO of transformers"),
        (r"transformer\.text_encoder\.", "MDETR"),
        (r"(owlv2|owlvit|box_head\.dense0)\b", "OWL-ViT"),
        (r"roi_heads\.", "a two-stage detector of maskrcnn-benchmark or Detectron2"),
        (r"rpn\.head\.", "a detector of maskrcnn-benchmark without language"),
        (r"(bbox_head|roi_head|rpn_head)\.", "a detector of mmdetection other than GLIP"),
        (r"transformer\.(encoder|decoder)\.layers\.", "a DETR"),
        (r"(text_model|vision_model|visual\.transformer|transformer\.resblocks)\b", "CLIP"),
        (r"(bert\.)?(encoder\.layer\.\d+\.attention\.self|embeddings\.word_embeddings)\.", "BERT alone"),
        (r"(backbone\.)?(patch_embed\.|layers\.\d+\.blocks\.)", "a Swin transformer alone"),
        (r"layer\d\.\d+\.conv\d\.", "a ResNet alone"),
    )
)


def stranger(names: Iterable[str]) -> str | None:
    """What a network without GLIP's parts is, and how its names begin; None for one that has them all."""
    names = list(names)
    if any(name.startswith("language_backbone.") for name in names) and any(
        name.startswith("rpn.head.dyhead_tower.") for name in names
    ):
        return None
    what = next((what for pattern, what in STRANGERS if any(pattern.match(name) for name in names)), None)
    begin = sorted({printable(name.split(".")[0]) for name in names})
    listed = ", ".join(begin[:10]) + (", ..." if len(begin) > 10 else "")
    return f"{what or 'another network'}; its {len(names)} tensors are those of {listed}"
