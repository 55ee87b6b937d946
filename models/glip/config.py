"""Sizes of the GLIP variants. Everything else about the architecture is fixed (see model.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

LEVELS = 5
STRIDES = (8, 16, 32, 64, 128)


@dataclass(frozen=True)
class GlipConfig:
    """Sizes of one variant.

    embed_dim, depths, heads, window: Swin; stage i is ``embed_dim * 2**i`` wide, heads are 32 wide.
    channels: width of FPN, tower and heads. groups: of the tower's GroupNorm.
    text_*, vocab_size, max_positions: BERT; the tower's text layers have the same sizes.
    fusion_dim, fusion_heads: the joint attention of text and image.
    blocks: number of tower blocks. fused: whether they have fusion and text layers (all but GLIP-T (A)).
    """

    name: str
    embed_dim: int
    depths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    window: int
    blocks: int
    fused: bool = True
    channels: int = 256
    groups: int = 16
    text_layers: int = 12
    text_hidden: int = 768
    text_heads: int = 12
    text_intermediate: int = 3072
    vocab_size: int = 30522
    max_positions: int = 512
    fusion_dim: int = 2048
    fusion_heads: int = 8

    @staticmethod
    def from_json(values: Mapping[str, object]) -> GlipConfig:
        """The config that ``dataclasses.asdict`` turned into a mapping (lists become tuples again)."""
        known = {field.name for field in fields(GlipConfig)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ValueError(f"unknown sizes in the model configuration: {', '.join(unknown)}")
        return GlipConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})


def _tiny(name: str, *, fused: bool) -> GlipConfig:
    return GlipConfig(
        name=name, embed_dim=96, depths=(2, 2, 6, 2), heads=(3, 6, 12, 24), window=7, blocks=6, fused=fused
    )


CONFIGS: Mapping[str, GlipConfig] = {
    "nano": GlipConfig(
        name="nano",
        embed_dim=32,
        depths=(2, 2, 2, 2),
        heads=(1, 2, 4, 8),
        window=7,
        blocks=2,
        channels=64,
        text_layers=2,
        text_hidden=128,
        text_heads=4,
        text_intermediate=256,
        vocab_size=1024,
        max_positions=256,
        fusion_dim=128,
        fusion_heads=4,
    ),
    "glip-t-a": _tiny("glip-t-a", fused=False),
    "glip-t": _tiny("glip-t", fused=True),
    "glip-l": GlipConfig(
        name="glip-l", embed_dim=192, depths=(2, 2, 18, 2), heads=(6, 12, 24, 48), window=12, blocks=8
    ),
}
