"""Swin transformer, the detection version: patch embedding, four stages, norms on stages 1 to 3.

Maps are [B, H, W, C] inside and [B, C, H, W] outside. H and W of the image are multiples of 32, so the
patch embedding and the patch merging never have to pad.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.config import GlipConfig

HEAD_WIDTH = 32
SHIFT_PENALTY = -100.0  # between regions that the roll has made neighbours; the reference's value, not -inf


def relative_position_index(window: int) -> Tensor:
    """Row of the bias table for each (query, key) of a window, [n, n] int64 with n = window**2."""
    axis = torch.arange(window)
    rows, cols = torch.meshgrid(axis, axis, indexing="ij")
    rows, cols = rows.flatten(), cols.flatten()
    down = rows[:, None] - rows[None, :] + window - 1
    right = cols[:, None] - cols[None, :] + window - 1
    return down * (2 * window - 1) + right


def to_windows(x: Tensor, window: int) -> Tensor:
    """[B, H, W, C] with H and W multiples of the window -> [B * windows, window**2, C]."""
    b, h, w, c = x.shape
    x = x.view(b, h // window, window, w // window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window * window, c)


def from_windows(x: Tensor, window: int, height: int, width: int) -> Tensor:
    """Undoes `to_windows`."""
    c = x.shape[-1]
    x = x.view(-1, height // window, width // window, window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, height, width, c)


def shift_mask(height: int, width: int, window: int, shift: int, like: Tensor) -> Tensor:
    """Additive mask [windows, n, n] of the rolled, padded grid: 0 inside a region, else the penalty."""

    def region(length: int) -> Tensor:
        at = torch.arange(length, device=like.device)
        return (at >= length - window).to(like.dtype) + (at >= length - shift).to(like.dtype)

    regions = 3 * region(height)[:, None] + region(width)[None, :]
    flat = to_windows(regions[None, :, :, None], window)[..., 0]
    return (flat[:, None, :] != flat[:, :, None]).to(like.dtype) * SHIFT_PENALTY


class WindowAttention(nn.Module):
    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.tokens = window * window
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("relative_position_index", relative_position_index(window))
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def bias(self) -> Tensor:
        """Relative position bias, [heads, n, n]."""
        flat = self.relative_position_bias_table.index_select(0, self.relative_position_index.view(-1))
        return flat.view(self.tokens, self.tokens, self.heads).permute(2, 0, 1)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x: [B * windows, n, C]; mask: [windows, n, n] or None."""
        n, c = self.tokens, x.shape[-1]
        width = c // self.heads
        qkv = self.qkv(x).view(-1, n, 3, self.heads, width).permute(2, 0, 3, 1, 4)
        q, k, v = qkv[0] * width**-0.5, qkv[1], qkv[2]
        scores = q @ k.transpose(-2, -1)
        bias = self.bias()
        if mask is None:
            scores = scores + bias
        else:
            windows = mask.shape[0]
            added = bias[None] + mask[:, None]
            scores = (scores.view(-1, windows, self.heads, n, n) + added).view(-1, self.heads, n, n)
        out = torch.softmax(scores, dim=-1) @ v
        return self.proj(out.transpose(1, 2).reshape(-1, n, c))


class Mlp(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, 4 * dim)
        self.fc2 = nn.Linear(4 * dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class SwinBlock(nn.Module):
    def __init__(self, dim: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.norm1 = nn.LayerNorm(dim)
        self.attn = WindowAttention(dim, heads, window)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        # Zeros come after the norm and are attended to (with the bias of qkv as key): as in the reference.
        y = F.pad(self.norm1(x), (0, 0, 0, -width % self.window, 0, -height % self.window))
        padded = y.shape[1:3]
        if self.shift:
            y = torch.roll(y, (-self.shift, -self.shift), (1, 2))
        y = self.attn(to_windows(y, self.window), mask if self.shift else None)
        y = from_windows(y, self.window, *padded)
        if self.shift:
            y = torch.roll(y, (self.shift, self.shift), (1, 2))
        x = x + y[:, :height, :width]
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dim)
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, H, W, C] -> [B, H/2, W/2, 2C]; the columns of each 2x2 patch one after the other."""
        b, h, w, c = x.shape
        x = x.view(b, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 4, 2, 5).reshape(b, h // 2, w // 2, 4 * c)
        return self.reduction(self.norm(x))


class SwinStage(nn.Module):
    def __init__(self, dim: int, depth: int, heads: int, window: int, *, merge: bool) -> None:
        super().__init__()
        self.window, self.shift = window, window // 2
        self.blocks = nn.ModuleList(SwinBlock(dim, heads, window, self.shift if j % 2 else 0) for j in range(depth))
        if merge:
            self.downsample = PatchMerging(dim)

    def forward(self, x: Tensor) -> Tensor:
        padded = (length + -length % self.window for length in x.shape[1:3])
        mask = shift_mask(*padded, self.window, self.shift, x)
        for block in self.blocks:
            x = block(x, mask)
        return x


class PatchEmbed(nn.Module):
    def __init__(self, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, 4, stride=4)
        self.norm = nn.LayerNorm(dim)

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(self.proj(images).permute(0, 2, 3, 1))


class Swin(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(config.embed_dim)
        dims = [config.embed_dim * 2**i for i in range(4)]
        self.layers = nn.ModuleList(
            SwinStage(dim, config.depths[i], config.heads[i], config.window, merge=i < 3) for i, dim in enumerate(dims)
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for dim in dims[1:])

    def forward(self, images: Tensor) -> list[Tensor]:
        """[B, 3, H, W] -> C3, C4, C5 of strides 8, 16, 32."""
        x = self.layers[0](self.patch_embed(images))
        maps = []
        for i, norm in enumerate((self.norm1, self.norm2, self.norm3)):
            x = self.layers[i + 1](self.layers[i].downsample(x))
            maps.append(norm(x).permute(0, 3, 1, 2).contiguous())
        return maps
