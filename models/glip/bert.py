"""BERT's encoder, and the text layer of the tower, which is the same layer with clamps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from glip.config import GlipConfig

EPS = 1e-12
CLAMP = 50_000.0
MASKED = -30_000.0  # added to the score of a padded key; float16 can hold it


def key_bias(attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
    """[B, T] of 1 and 0 -> additive bias [B, 1, 1, T]."""
    return ((1 - attention_mask.to(dtype)) * MASKED)[:, None, None, :]


def clamped(x: Tensor) -> Tensor:
    return x.clamp(-CLAMP, CLAMP)


class SelfAttention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(hidden, hidden)
        self.key = nn.Linear(hidden, hidden)
        self.value = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, bias: Tensor, clamp: bool) -> Tensor:
        b, t, hidden = x.shape
        width = hidden // self.heads

        def split(y: Tensor) -> Tensor:
            return y.view(b, t, self.heads, width).transpose(1, 2)

        scores = split(self.query(x)) @ split(self.key(x)).transpose(-2, -1) / width**0.5
        scores = (clamped(scores) if clamp else scores) + bias
        out = torch.softmax(scores, dim=-1) @ split(self.value(x))
        return out.transpose(1, 2).reshape(b, t, hidden)


class Output(nn.Module):
    """Linear, residual, norm: ``attention.output`` and ``output`` of a layer."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.dense = nn.Linear(width, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=EPS)

    def forward(self, x: Tensor, residual: Tensor, clamp: bool) -> Tensor:
        y = self.dense(x)
        return self.LayerNorm((clamped(y) if clamp else y) + residual)


class Attention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.self = SelfAttention(hidden, heads)
        self.output = Output(hidden, hidden)

    def forward(self, x: Tensor, bias: Tensor, clamp: bool) -> Tensor:
        return self.output(self.self(x, bias, clamp), x, False)


class Intermediate(nn.Module):
    def __init__(self, hidden: int, intermediate: int) -> None:
        super().__init__()
        self.dense = nn.Linear(hidden, intermediate)


class BertLayer(nn.Module):
    """A post-norm transformer layer; ``clamp`` is on in the tower, as in the reference."""

    def __init__(self, config: GlipConfig, *, clamp: bool = False) -> None:
        super().__init__()
        hidden = config.text_hidden
        self.clamp = clamp
        self.attention = Attention(hidden, config.text_heads)
        self.intermediate = Intermediate(hidden, config.text_intermediate)
        self.output = Output(config.text_intermediate, hidden)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        """x: [B, T, hidden]; bias: see `key_bias`."""
        h = self.attention(x, bias, self.clamp)
        y = self.intermediate.dense(h)
        if not self.clamp:
            return self.output(F.gelu(y), h, False)
        return clamped(self.output(clamped(F.gelu(clamped(y))), h, True))


class Embeddings(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        hidden = config.text_hidden
        self.word_embeddings = nn.Embedding(config.vocab_size, hidden)
        self.position_embeddings = nn.Embedding(config.max_positions, hidden)
        self.token_type_embeddings = nn.Embedding(2, hidden)
        self.LayerNorm = nn.LayerNorm(hidden, eps=EPS)

    def forward(self, input_ids: Tensor) -> Tensor:
        positions = self.position_embeddings.weight[: input_ids.shape[1]]
        x = self.word_embeddings(input_ids) + self.token_type_embeddings.weight[0]
        return self.LayerNorm(x + positions)


class Encoder(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(config) for _ in range(config.text_layers))


class Bert(nn.Module):
    def __init__(self, config: GlipConfig) -> None:
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)

    def forward(self, input_ids: Tensor, bias: Tensor) -> Tensor:
        """[B, T] -> last hidden state [B, T, hidden]; padded tokens have values, too."""
        x = self.embeddings(input_ids)
        for layer in self.encoder.layer:
            x = layer(x, bias)
        return x
