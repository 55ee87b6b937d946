"""GLIP: Swin and FPN for the image, BERT for the text, a tower that fuses both, and the heads.

Attribute names follow the official checkpoints, so a state dict loads by exact names. What those hold
but inference never reads (class head, anchor buffers, pooler) does not exist here; see checkpoint.py.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.bert import Bert, BertLayer, clamped, key_bias
from glip.config import LEVELS, GlipConfig
from glip.dyhead import DeformConvNorm, DyConv
from glip.fpn import Fpn
from glip.fuse import BiAttention, VLFuse
from glip.swin import Swin, WindowAttention

PRIOR = 0.01  # probability of a token at a position before training


class Backbone(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.body = Swin(config)
        self.fpn = Fpn(config)

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.fpn(self.body(images))


class LanguageBody(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.model = Bert(config)


class LanguageBackbone(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.body = LanguageBody(config)

    def forward(self, input_ids: Tensor, bias: Tensor) -> Tensor:
        return self.body.model(input_ids, bias)


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Head(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.fused = config.fused
        c = config.channels
        tower: list[nn.Module] = []
        for _ in range(config.blocks):
            if config.fused:
                tower += [VLFuse(config), BertLayer(config, clamp=True)]
            tower.append(DyConv(config))
        self.dyhead_tower = nn.ModuleList(tower)
        self.bbox_pred = nn.Conv2d(c, 4, 1)
        self.centerness = nn.Conv2d(c, 1, 1)
        self.scales = nn.ModuleList(Scale() for _ in range(LEVELS))
        self.dot_product_projection_text = nn.Linear(config.text_hidden, c)
        self.log_scale = nn.Parameter(torch.zeros(1))
        self.bias_lang = nn.Parameter(torch.zeros(config.text_hidden))
        self.bias0 = nn.Parameter(torch.full((1,), -math.log((1 - PRIOR) / PRIOR)))

    def tower(self, maps: list[Tensor], text: Tensor, bias: Tensor) -> tuple[list[Tensor], Tensor]:
        for module in self.dyhead_tower:
            if isinstance(module, VLFuse):
                maps, text = module(maps, text, bias)
            elif isinstance(module, BertLayer):
                text = module(text, bias)
            else:
                maps = module(maps)
        return maps, text

    def token_logits(self, features: Tensor, text: Tensor) -> Tensor:
        """features [B, N, c], text [B, T, t] -> [B, N, T], before the sigmoid."""
        unit = F.normalize(text, dim=-1, eps=1e-12)
        projected = self.dot_product_projection_text(unit / 2) / self.log_scale.exp()
        bias = unit @ self.bias_lang + self.bias0
        return clamped(features @ projected.transpose(1, 2) + bias[:, None, :])

    def forward(
        self, maps: list[Tensor], hidden: Tensor, attention_mask: Tensor, bias: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        maps, text = self.tower(maps, hidden, bias)
        if not self.fused:
            text = hidden * attention_mask.to(hidden.dtype)[:, :, None]
        features = torch.cat([m.flatten(2) for m in maps], dim=2).transpose(1, 2)
        boxes = [scale(self.bbox_pred(m)).flatten(2) for scale, m in zip(self.scales, maps)]
        centers = [self.centerness(m).flatten(1) for m in maps]
        return (
            self.token_logits(features, text),
            torch.cat(boxes, dim=2).transpose(1, 2),
            torch.cat(centers, dim=1),
        )


class Rpn(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.head = Head(config)


class Glip(nn.Module):
    """See `forward` for the contract; ``config`` are the sizes it was built from."""

    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = Backbone(config)
        self.language_backbone = LanguageBackbone(config)
        self.rpn = Rpn(config)

    def forward(self, images: Tensor, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Grounds token by token.

        images: [B, 3, H, W] float32, BGR, normalised, padded with 0 to multiples of 32.
        input_ids, attention_mask: [B, T] int64; T may be anything up to the position table.
        Returns logits [B, N, T] before the sigmoid, box_reg [B, N, 4] before decoding, centerness [B, N]
        before the sigmoid; N runs over P3..P7, each row-major.
        """
        bias = key_bias(attention_mask, images.dtype)
        hidden = self.language_backbone(input_ids, bias)
        return self.rpn.head(self.backbone(images), hidden, attention_mask, bias)


def init_weights(model: Glip) -> None:
    """Weights for training from scratch, in place; torch's global generator gives the randomness.

    As in the reference: prior bias of the tokens, gammas of 1 / blocks, small normal heads. Our own
    choice: offsets start at zero, so that deformable convolutions begin as ordinary ones.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=1)
            nn.init.zeros_(module.bias)
        elif isinstance(module, WindowAttention):
            nn.init.trunc_normal_(module.relative_position_bias_table, std=0.02)
    for module in model.modules():
        if isinstance(module, BiAttention):
            for projection in module.children():
                nn.init.xavier_uniform_(projection.weight)
        elif isinstance(module, DeformConvNorm):
            nn.init.kaiming_normal_(module.conv.weight, mode="fan_in", nonlinearity="linear")
        elif isinstance(module, DyConv):
            nn.init.zeros_(module.offset.weight)
            nn.init.normal_(module.AttnConv[1].weight, std=0.01)
    head = model.rpn.head
    nn.init.normal_(head.bbox_pred.weight, std=0.01)
    nn.init.normal_(head.centerness.weight, std=0.01)
    nn.init.xavier_uniform_(head.dot_product_projection_text.weight)


def build(config: GlipConfig) -> Glip:
    """A model of these sizes, initialised for training from scratch."""
    model = Glip(config)
    init_weights(model)
    return model
