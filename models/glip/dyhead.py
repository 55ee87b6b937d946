"""DyConv, a block of the dynamic head: modulated deformable convolutions across neighbouring levels.

The branch from the coarser neighbour reads offsets and mask of the finer level as a flat prefix of their
memory, because the reference's CUDA kernel does and the released weights were trained with it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.config import GlipConfig

TAPS = 9


def hard_sigmoid(x: Tensor) -> Tensor:
    return F.hardsigmoid(x)  # relu6(x + 3) / 6


class _WeightedRows(torch.autograd.Function):
    """``out[p] = sum_k weight[p, k] * rows[index[p, k]]``, without storing the gathered rows.

    Backward sorts the indices and runs the same fused sum over the transposed relation; both ways are
    about twice as fast on a CPU as grid_sample, and deterministic.
    """

    @staticmethod
    def forward(ctx, rows: Tensor, index: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(rows, index, weight)
        return F.embedding_bag(index, rows, per_sample_weights=weight, mode="sum")

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, Tensor]:
        rows, index, weight = ctx.saved_tensors
        k = index.shape[1]
        flat = index.reshape(-1)
        bag = torch.arange(len(index), device=index.device)
        # The fused kernel of embedding_bag's own backward: 17 times faster than gather, multiply, sum.
        to_weight = torch.ops.aten._embedding_bag_per_sample_weights_backward(
            grad.contiguous(), rows, flat, bag * k, bag.repeat_interleave(k), 0
        ).view_as(index)
        order = torch.argsort(flat, stable=True)
        counts = torch.bincount(flat, minlength=len(rows))
        start = torch.cumsum(counts, 0) - counts
        to_rows = F.embedding_bag(
            order // k, grad.contiguous(), start, per_sample_weights=weight.reshape(-1)[order], mode="sum"
        )
        return to_rows, None, to_weight


def _corners(offset: Tensor, mask: Tensor, height: int, width: int, stride: int) -> tuple[Tensor, Tensor]:
    """Where each sample falls: flat input index and weight of its four neighbours, [B, h, w, 9, 4] both."""
    b, _, h, w = offset.shape
    dtype, device = offset.dtype, offset.device
    tap = torch.arange(3, device=device, dtype=dtype)
    offset = offset.view(b, TAPS, 2, h, w).permute(2, 0, 3, 4, 1)  # [2, B, h, w, 9]
    rows = torch.arange(h, device=device, dtype=dtype) * stride - 1
    cols = torch.arange(w, device=device, dtype=dtype) * stride - 1
    y = offset[0] + rows[:, None, None] + tap.repeat_interleave(3)
    x = offset[1] + cols[None, :, None] + tap.repeat(3)
    y0, x0 = y.floor(), x.floor()
    fy, fx = y - y0, x - x0
    ys, xs = torch.stack([y0, y0 + 1], -1), torch.stack([x0, x0 + 1], -1)
    wy = torch.stack([1 - fy, fy], -1) * ((ys >= 0) & (ys < height))
    wx = torch.stack([1 - fx, fx], -1) * ((xs >= 0) & (xs < width))
    weight = (wy * mask.permute(0, 2, 3, 1)[..., None])[..., :, None] * wx[..., None, :]
    index = ys.clamp(0, height - 1)[..., :, None] * width + xs.clamp(0, width - 1)[..., None, :]
    return index.long().flatten(-2), weight.flatten(-2)


def deform_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, stride: int) -> Tensor:
    """Modulated deformable 3x3 convolution, padding 1, one group.

    x [B, C, H, W]; offset [B, 18, h, w], (y, x) pairs per tap, in input pixels; mask [B, 9, h, w];
    weight [O, C, 3, 3] -> [B, O, h, w]. Samples outside the map count as 0.
    """
    b, c, height, width = x.shape
    h, w = offset.shape[-2:]
    index, weights = _corners(offset, mask, height, width, stride)
    image = torch.arange(b, device=x.device).view(b, 1, 1, 1, 1) * (height * width)
    rows = x.permute(0, 2, 3, 1).reshape(b * height * width, c)
    sampled = _WeightedRows.apply(rows, (index + image).view(-1, 4), weights.view(-1, 4))
    kernel = weight.permute(2, 3, 1, 0).reshape(TAPS * c, -1)
    out = torch.addmm(bias, sampled.view(b * h * w, TAPS * c), kernel)
    return out.view(b, h, w, -1).permute(0, 3, 1, 2)


class DeformConvNorm(nn.Module):
    """Deformable convolution, then GroupNorm (named ``bn`` in the checkpoints)."""

    def __init__(self, channels: int, groups: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(channels, channels, 3, stride=stride, padding=1)  # holds the weights
        self.bn = nn.GroupNorm(groups, channels)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        # In float32 even under mixed precision: sampling positions need it (and the reference does so).
        with torch.autocast(x.device.type, enabled=False):
            y = deform_conv(x.float(), offset.float(), mask.float(), self.conv.weight, self.conv.bias, self.stride)
            return self.bn(y)


class DyRelu(nn.Module):
    """``max(x * a1 + b1, x * a2 + b2)`` with coefficients per channel from the map's global mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, 4 * channels))

    def forward(self, x: Tensor) -> Tensor:
        z = hard_sigmoid(self.fc(x.mean((2, 3))))[:, :, None, None] - 0.5
        a1, b1, a2, b2 = z.chunk(4, dim=1)
        return torch.maximum(x * (2 * a1 + 1) + b1, x * (2 * a2) + b2)


class DyConv(nn.Module):
    """All levels from the block's input levels: same level, finer neighbour, coarser neighbour."""

    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        c = config.channels
        self.DyConv = nn.ModuleList(DeformConvNorm(c, config.groups, stride) for stride in (1, 1, 2))
        self.AttnConv = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, 1, 1), nn.ReLU())
        self.relu = DyRelu(c)
        self.offset = nn.Conv2d(c, 3 * TAPS, 3, padding=1)

    def _weighted(self, x: Tensor) -> Tensor:
        """The map times its own scale in [0.5, 1], from its global mean."""
        _, conv, relu = self.AttnConv
        return x * hard_sigmoid(relu(conv(x.mean((2, 3), keepdim=True))))

    def branches(self, maps: list[Tensor], level: int, om: Tensor) -> list[Tensor]:
        """Branch maps of a level before weighting: same, finer, coarser (not yet resized)."""
        offset, mask = om[:, : 2 * TAPS], om[:, 2 * TAPS :].sigmoid()
        out = [self.DyConv[1](maps[level], offset, mask)]
        if level > 0:
            out.append(self.DyConv[2](maps[level - 1], offset, mask))
        if level + 1 < len(maps):
            b, _, h, w = maps[level + 1].shape
            prefix = offset.flatten(1)[:, : 2 * TAPS * h * w].reshape(b, 2 * TAPS, h, w)
            mask_prefix = mask.flatten(1)[:, : TAPS * h * w].reshape(b, TAPS, h, w)
            out.append(self.DyConv[0](maps[level + 1], prefix, mask_prefix))
        return out

    def combine(self, branches: list[Tensor], size: tuple[int, int], *, has_coarser: bool) -> Tensor:
        """Mean of the weighted branches; the last one is resized if it is the coarser neighbour's."""
        if has_coarser:
            coarse = F.interpolate(branches[-1], size=size, mode="bilinear", align_corners=True)
            branches = [*branches[:-1], coarse]
        return sum(self._weighted(branch) for branch in branches) / len(branches)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        out = []
        for level, x in enumerate(maps):
            branches = self.branches(maps, level, self.offset(x))
            y = self.combine(branches, x.shape[-2:], has_coarser=level + 1 < len(maps))
            out.append(self.relu(y))
        return out
