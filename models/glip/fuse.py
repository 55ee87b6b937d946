"""VLFuse: one joint attention between all positions of all levels and the text, in both directions.

The reference projects image and text to a wide common space (2048) and multiplies there. For the few
tokens of a caption it is far cheaper to carry the projections over to the text side first: with `d` the
channels, `h` heads and `T` tokens, the image side then costs three products of size N x d x hT instead of
three projections of N x d x 2048 and three products with T. The sums are the same, taken in another order.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glip.bert import CLAMP
from glip.config import GlipConfig


class BiAttention(nn.Module):
    """The attention itself, without norms and residual."""

    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        c, t, d = config.channels, config.text_hidden, config.fusion_dim
        self.heads = config.fusion_heads
        self.v_proj = nn.Linear(c, d)
        self.l_proj = nn.Linear(t, d)
        self.values_v_proj = nn.Linear(c, d)
        self.values_l_proj = nn.Linear(t, d)
        self.out_v_proj = nn.Linear(d, c)
        self.out_l_proj = nn.Linear(d, t)

    def forward(self, v: Tensor, l: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
        """v: [B, N, c], l: [B, T, t], bias: additive [B, 1, 1, T] -> updates of v and l, same shapes."""
        b, tokens, _ = l.shape
        heads, c = self.heads, v.shape[-1]
        width = self.v_proj.out_features // heads

        def by_head(x: Tensor) -> Tensor:
            return x.view(b, tokens, heads, width).transpose(1, 2)  # [B, h, T, width]

        keys = by_head(self.l_proj(l)) * width**-0.5
        key_map = keys @ self.v_proj.weight.view(heads, width, c)  # [B, h, T, c]
        key_shift = keys @ self.v_proj.bias.view(heads, width, 1)  # [B, h, T, 1]
        # Softmax in float32: it runs over some 20,000 positions on the text side.
        scores = key_map.reshape(b, heads * tokens, c) @ v.transpose(1, 2)
        scores = (scores.view(b, heads, tokens, -1) + key_shift).float().clamp(-CLAMP, CLAMP)  # [B, h, T, N]

        # Text side: over positions, unmasked (image padding takes part).
        to_text = torch.softmax(scores, dim=-1).to(v.dtype)
        gathered = (to_text.view(b, heads * tokens, -1) @ v).view(b, heads, tokens, c)
        values = gathered @ self.values_v_proj.weight.view(heads, width, c).transpose(1, 2)
        values = values + self.values_v_proj.bias.view(heads, 1, width)
        delta_l = self.out_l_proj(values.transpose(1, 2).reshape(b, tokens, heads * width))

        # Image side: over valid tokens.
        to_image = torch.softmax(scores + bias.float().transpose(2, 3), dim=2).to(v.dtype)
        out_map = self.out_v_proj.weight.view(c, heads, width).permute(1, 2, 0)  # [h, width, c]
        value_map = (by_head(self.values_l_proj(l)) @ out_map).reshape(b, heads * tokens, c)
        delta_v = to_image.view(b, heads * tokens, -1).transpose(1, 2) @ value_map + self.out_v_proj.bias
        return delta_v, delta_l


class FuseAttention(nn.Module):
    """Norms, attention, scaled residual. The residual starts from the *normalised* inputs."""

    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.layer_norm_v = nn.LayerNorm(config.channels)
        self.layer_norm_l = nn.LayerNorm(config.text_hidden)
        self.attn = BiAttention(config)
        self.gamma_v = nn.Parameter(torch.full((config.channels,), 1 / config.blocks))
        self.gamma_l = nn.Parameter(torch.full((config.text_hidden,), 1 / config.blocks))

    def forward(self, v: Tensor, l: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:  # noqa: E741
        v, l = self.layer_norm_v(v), self.layer_norm_l(l)  # noqa: E741
        delta_v, delta_l = self.attn(v, l, bias)
        return v + self.gamma_v * delta_v, l + self.gamma_l * delta_l


class VLFuse(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.b_attn = FuseAttention(config)

    def forward(self, maps: list[Tensor], l: Tensor, bias: Tensor) -> tuple[list[Tensor], Tensor]:  # noqa: E741
        """maps: levels [B, c, H, W]; l: [B, T, t]; returns both updated."""
        sizes = [m.shape[-2:] for m in maps]
        v = torch.cat([m.flatten(2) for m in maps], dim=2).transpose(1, 2)
        v, l = self.b_attn(v, l, bias)  # noqa: E741
        levels = v.transpose(1, 2).split([h * w for h, w in sizes], dim=2)
        return [level.reshape(*level.shape[:2], h, w) for level, (h, w) in zip(levels, sizes)], l
