"""Feature pyramid P3..P7 from C3..C5: convolutions with bias, no norm, no activation but the one before P7."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from glip.config import GlipConfig


class TopBlocks(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)
        self.p7 = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, p5: Tensor) -> tuple[Tensor, Tensor]:
        p6 = self.p6(p5)
        return p6, self.p7(F.relu(p6))


class Fpn(nn.Module):
    """The numbers in the attribute names are those of the checkpoints: 2, 3, 4 for C3, C4, C5."""

    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        c = config.channels
        self.fpn_inner2 = nn.Conv2d(2 * config.embed_dim, c, 1)
        self.fpn_inner3 = nn.Conv2d(4 * config.embed_dim, c, 1)
        self.fpn_inner4 = nn.Conv2d(8 * config.embed_dim, c, 1)
        self.fpn_layer2 = nn.Conv2d(c, c, 3, padding=1)
        self.fpn_layer3 = nn.Conv2d(c, c, 3, padding=1)
        self.fpn_layer4 = nn.Conv2d(c, c, 3, padding=1)
        self.top_blocks = TopBlocks(c)

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        c3, c4, c5 = maps
        i4 = self.fpn_inner4(c5)
        i3 = self.fpn_inner3(c4) + F.interpolate(i4, scale_factor=2.0, mode="nearest")
        i2 = self.fpn_inner2(c3) + F.interpolate(i3, scale_factor=2.0, mode="nearest")
        p3, p4, p5 = self.fpn_layer2(i2), self.fpn_layer3(i3), self.fpn_layer4(i4)
        return [p3, p4, p5, *self.top_blocks(p5)]
