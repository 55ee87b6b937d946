"""Glip as an ONNX graph for ONNX Runtime: every size free (batch, image, tokens, phrases).

The graph is written node by node from the weights instead of being traced: a tracer bakes sizes in or
carries a thousand nodes of size arithmetic along, and takes minutes. What differs from model.py in form,
not in value: tokens of Swin stay in one [tokens, channels] matrix, and padding, rolling and windows are one
gather; constants are folded into weights; the three branch scales of DyConv and the mean that DYReLU needs
are computed from channel means. `convert.py` compares the graph with the module before it is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from glip.bert import CLAMP, EPS, MASKED, BertLayer
from glip.config import LEVELS
from glip.dyhead import TAPS, DyConv
from glip.fuse import VLFuse
from glip.graph import Graph
from glip.image import MEAN, STD
from glip.model import Glip
from glip.swin import SHIFT_PENALTY, SwinBlock, SwinStage

PRODUCER = "groundmill"
EXTERNAL_FROM = 1 << 30  # bytes of weights from which they go into a file of their own (protobuf ends at 2 GiB)
OUTSIDE = 1 << 40  # marks a position of the padded grid that has no token


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().float().numpy()


def linear(g: Graph, x: str, layer: nn.Linear, hint: str, scale: float = 1.0) -> str:
    bias = None if layer.bias is None else array(layer.bias) * np.float32(scale)
    return g.linear(x, array(layer.weight) * np.float32(scale), bias, hint)


def norm(g: Graph, x: str, layer: nn.LayerNorm, hint: str) -> str:
    return g.layer_norm(x, array(layer.weight), array(layer.bias), layer.eps, hint)


def conv(g: Graph, x: str, layer: nn.Conv2d, hint: str) -> str:
    return g.conv(x, array(layer.weight), array(layer.bias), hint, layer.stride[0])


# Image side


@dataclass(frozen=True)
class Grid:
    """Sizes of a map: names of one-element tensors."""

    height: str
    width: str


@dataclass(frozen=True)
class Windows:
    """How the tokens of a stage fall into windows, for one shift.

    index: source row of each window position [B * windows * n], one past the end for padding;
    inverse: window position of each token; mask: [windows, 1, n, n] or None.
    """

    index: str
    inverse: str
    mask: str | None
    count: str


def windows(g: Graph, batch: str, grid: Grid, window: int, shift: int) -> Windows:
    n = window * window
    w, one = g.ints(window), g.ints(1)
    tiles = [g.op("Div", g.op("Add", size, g.ints(window - 1)), w) for size in (grid.height, grid.width)]
    padded = [g.op("Mul", tile, w) for tile in tiles]
    area = g.op("Mul", grid.height, grid.width)
    tile_count = g.op("Mul", *tiles)
    images = g.reshape(g.arange(batch), -1, 1)

    def tile_order(values: str) -> str:
        values = g.op("Reshape", values, g.shape(tiles[0], window, tiles[1], window))
        return g.reshape(g.transpose(values, 0, 2, 1, 3), 1, -1)

    parts, places, regions = [], [], []
    for size, full, step in ((grid.height, padded[0], grid.width), (grid.width, padded[1], one)):
        target = g.arange(full)
        source = g.op("Mod", g.op("Add", target, g.ints(shift)), full)
        parts.append(g.op("Where", g.op("Less", source, size), g.op("Mul", source, step), g.ints(OUTSIDE)))
        rolled = g.op("Add", g.arange(size), g.op("Sub", full, g.ints(shift)))
        places.append(g.op("Mod", rolled, full))
        past = [
            g.cast(g.op("GreaterOrEqual", target, g.op("Sub", full, g.ints(margin))), np.int64)
            for margin in (window, shift)
        ]
        regions.append(g.op("Add", *past))

    def outer(rows: str, columns: str) -> str:
        return g.op("Add", g.reshape(rows, -1, 1), g.reshape(columns, 1, -1))

    local = g.op("Add", tile_order(outer(*parts)), g.op("Mul", images, area))
    beyond = g.op("Mul", batch, area)
    index = g.op("Where", g.op("Less", local, g.ints(OUTSIDE)), local, beyond)

    row, column = ((g.op("Div", place, w), g.op("Mod", place, w)) for place in places)
    across = g.op("Mul", tiles[1], g.ints(n))
    row_part = g.op("Add", g.op("Mul", row[0], across), g.op("Mul", row[1], w))
    column_part = g.op("Add", g.op("Mul", column[0], g.ints(n)), column[1])
    inverse = g.reshape(outer(row_part, column_part), 1, -1)
    inverse = g.op("Add", inverse, g.op("Mul", images, g.op("Mul", tile_count, g.ints(n))))

    mask = None
    if shift:
        region = tile_order(outer(g.op("Mul", regions[0], g.ints(3)), regions[1]))
        same = g.op("Equal", g.reshape(region, -1, 1, 1, n), g.reshape(region, -1, 1, n, 1))
        mask = g.op("Where", same, g.number(0), g.number(SHIFT_PENALTY))
    return Windows(g.reshape(index, -1), g.reshape(inverse, -1), mask, tile_count)


def swin_block(g: Graph, x: str, block: SwinBlock, at: Windows, batch: str, hint: str) -> str:
    attention = block.attn
    n, heads = attention.tokens, attention.heads
    c = block.norm1.normalized_shape[0]
    width = c // heads
    padding = g.constant(np.zeros((1, c), np.float32), "zeros")
    y = g.op("Concat", norm(g, x, block.norm1, f"{hint}.norm1"), padding, axis=0)
    y = g.op("Gather", y, at.index, axis=0)

    weights, biases = array(attention.qkv.weight).reshape(3, c, c), array(attention.qkv.bias).reshape(3, c)
    scales = (np.float32(width**-0.5), np.float32(1), np.float32(1))
    perms = ((0, 2, 1, 3), (0, 2, 3, 1), (0, 2, 1, 3))
    q, k, v = (
        g.transpose(
            g.reshape(
                g.linear(y, weights[i] * scales[i], biases[i] * scales[i], f"{hint}.attn.{'qkv'[i]}"),
                -1, n, heads, width,
            ),
            *perms[i],
        )
        for i in range(3)
    )  # fmt: skip
    scores = g.matmul(q, k)
    bias = g.constant(array(attention.bias()), f"{hint}.attn.bias")
    if at.mask is None:
        scores = g.op("Softmax", g.add(scores, bias), axis=-1)
    else:
        scores = g.op("Reshape", scores, g.shape(batch, at.count, heads, n, n))
        scores = g.op("Softmax", g.add(scores, g.add(at.mask, bias)), axis=-1)
        scores = g.reshape(scores, -1, heads, n, n)
    y = g.reshape(g.transpose(g.matmul(scores, v), 0, 2, 1, 3), -1, c)
    y = linear(g, g.op("Gather", y, at.inverse, axis=0), attention.proj, f"{hint}.attn.proj")
    x = g.add(x, y)
    y = g.op("Gelu", linear(g, norm(g, x, block.norm2, f"{hint}.norm2"), block.mlp.fc1, f"{hint}.mlp.fc1"))
    return g.add(x, linear(g, y, block.mlp.fc2, f"{hint}.mlp.fc2"))


def swin_stage(g: Graph, x: str, stage: SwinStage, batch: str, grid: Grid, hint: str) -> str:
    plans = [windows(g, batch, grid, stage.window, shift) for shift in (0, stage.shift)]
    for j, block in enumerate(stage.blocks):
        x = swin_block(g, x, block, plans[j % 2], batch, f"{hint}.blocks.{j}")
    return x


def halved(g: Graph, grid: Grid) -> Grid:
    """The next level: half, rounded up."""
    one, two = g.ints(1), g.ints(2)
    return Grid(*(g.op("Div", g.op("Add", size, one), two) for size in (grid.height, grid.width)))


def backbone(g: Graph, patches: str, model: Glip, batch: str, grid: Grid) -> tuple[list[str], list[Grid]]:
    """patches: [B * L, 48], the inputs of the patch embedding; grid: of stride 4. P3..P7 and their sizes."""
    swin, fpn = model.backbone.body, model.backbone.fpn
    name = "backbone.body"
    embed = swin.patch_embed
    x = g.linear(patches, array(embed.proj.weight).reshape(embed.proj.out_channels, -1),
                 array(embed.proj.bias), f"{name}.patch_embed.proj")  # fmt: skip
    x = norm(g, x, embed.norm, f"{name}.patch_embed.norm")
    laterals, grids = [], []
    inner = (fpn.fpn_inner2, fpn.fpn_inner3, fpn.fpn_inner4)
    for i, stage in enumerate(swin.layers):
        hint = f"{name}.layers.{i}"
        if i:
            merge = swin.layers[i - 1].downsample
            c = merge.norm.normalized_shape[0]
            grid = Grid(*(g.op("Div", size, g.ints(2)) for size in (grid.height, grid.width)))
            # [B * H/2, 2, W/2, 2, C/4]: bring the two rows inside, columns first.
            x = g.op("Reshape", x, g.shape(-1, 2, grid.width, 2, c // 4))
            x = g.reshape(g.transpose(x, 0, 2, 3, 1, 4), -1, c)
            x = norm(g, x, merge.norm, f"{name}.layers.{i - 1}.downsample.norm")
            x = linear(g, x, merge.reduction, f"{name}.layers.{i - 1}.downsample.reduction")
        x = swin_stage(g, x, stage, batch, grid, hint)
        if i:
            y = norm(g, x, getattr(swin, f"norm{i}"), f"{name}.norm{i}")
            lateral = inner[i - 1]
            c = lateral.out_channels
            y = g.linear(y, array(lateral.weight).reshape(c, -1), array(lateral.bias), f"backbone.fpn.fpn_inner{i + 1}")
            y = g.op("Reshape", y, g.shape(batch, grid.height, grid.width, c))
            laterals.append(g.transpose(y, 0, 3, 1, 2))
            grids.append(grid)

    twice = g.exact(np.array([1, 1, 2, 2], np.float32), "scales")

    def up(y: str) -> str:
        return g.op("Resize", y, "", twice, mode="nearest", coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor")  # fmt: skip

    i4 = laterals[2]
    i3 = g.add(laterals[1], up(i4))
    i2 = g.add(laterals[0], up(i3))
    maps = [
        conv(g, y, layer, f"backbone.fpn.fpn_layer{i}")
        for i, (y, layer) in enumerate(((i2, fpn.fpn_layer2), (i3, fpn.fpn_layer3), (i4, fpn.fpn_layer4)), 2)
    ]
    top = fpn.top_blocks
    maps.append(conv(g, maps[-1], top.p6, "backbone.fpn.top_blocks.p6"))
    maps.append(conv(g, g.op("Relu", maps[-1]), top.p7, "backbone.fpn.top_blocks.p7"))
    for _ in range(2):
        grids.append(halved(g, grids[-1]))
    return maps, grids


# Text side; tokens are [B * T, hidden]


@dataclass(frozen=True)
class Text:
    """batch, tokens: sizes; bias: additive mask of keys [B, 1, 1, T]."""

    batch: str
    tokens: str
    bias: str


def split_heads(g: Graph, x: str, at: Text, heads: int, width: int, *perm: int) -> str:
    return g.transpose(g.op("Reshape", x, g.shape(at.batch, -1, heads, width)), *perm)


def bert_layer(g: Graph, x: str, layer: BertLayer, at: Text, hint: str) -> str:
    def clamped(y: str) -> str:
        return g.clamp(y, CLAMP) if layer.clamp else y

    attention = layer.attention.self
    hidden, heads = attention.query.out_features, attention.heads
    width = hidden // heads
    name = f"{hint}.attention.self"
    q = split_heads(g, linear(g, x, attention.query, f"{name}.query", width**-0.5), at, heads, width, 0, 2, 1, 3)
    k = split_heads(g, linear(g, x, attention.key, f"{name}.key"), at, heads, width, 0, 2, 3, 1)
    v = split_heads(g, linear(g, x, attention.value, f"{name}.value"), at, heads, width, 0, 2, 1, 3)
    scores = g.op("Softmax", g.add(clamped(g.matmul(q, k)), at.bias), axis=-1)
    y = g.reshape(g.transpose(g.matmul(scores, v), 0, 2, 1, 3), -1, hidden)
    out = layer.attention.output
    y = linear(g, y, out.dense, f"{hint}.attention.output.dense")
    h = norm(g, g.add(y, x), out.LayerNorm, f"{hint}.attention.output.LayerNorm")
    y = clamped(linear(g, h, layer.intermediate.dense, f"{hint}.intermediate.dense"))
    y = clamped(linear(g, clamped(g.op("Gelu", y)), layer.output.dense, f"{hint}.output.dense"))
    return clamped(norm(g, g.add(y, h), layer.output.LayerNorm, f"{hint}.output.LayerNorm"))


def bert(g: Graph, input_ids: str, model: Glip, at: Text) -> str:
    body, name = model.language_backbone.body.model, "language_backbone.body.model"
    tables = body.embeddings
    hidden = tables.word_embeddings.embedding_dim
    positions = array(tables.position_embeddings.weight) + array(tables.token_type_embeddings.weight[0])
    words = g.op("Gather", g.constant(array(tables.word_embeddings.weight), f"{name}.word_embeddings"), input_ids)
    at_positions = g.op("Slice", g.constant(positions, f"{name}.position_embeddings"), g.ints(0), at.tokens)
    x = g.reshape(g.add(words, at_positions), -1, hidden)
    x = g.layer_norm(x, array(tables.LayerNorm.weight), array(tables.LayerNorm.bias), EPS, f"{name}.LayerNorm")
    for i, layer in enumerate(body.encoder.layer):
        x = bert_layer(g, x, layer, at, f"{name}.encoder.layer.{i}")
    return x


# Tower


def fuse(g: Graph, maps: list[str], grids: list[Grid], text: str, module: VLFuse, at: Text, hint: str):
    block, attention = module.b_attn, module.b_attn.attn
    c, heads = block.gamma_v.shape[0], attention.heads
    d = attention.v_proj.out_features
    width = d // heads
    flat = g.op("Concat", *(g.reshape(m, 0, 0, -1) for m in maps), axis=2)
    v = norm(g, g.transpose(flat, 0, 2, 1), block.layer_norm_v, f"{hint}.layer_norm_v")  # [B, N, c]
    l = norm(g, text, block.layer_norm_l, f"{hint}.layer_norm_l")  # noqa: E741

    def weight(layer: nn.Linear) -> np.ndarray:
        return array(layer.weight).reshape(heads, width, c)

    keys = split_heads(g, linear(g, l, attention.l_proj, f"{hint}.l_proj", width**-0.5), at, heads, width, 0, 2, 1, 3)
    key_map = g.matmul(keys, g.constant(weight(attention.v_proj), f"{hint}.v_proj.weight"))  # [B, h, T, c]
    key_shift = g.matmul(keys, g.constant(array(attention.v_proj.bias).reshape(heads, width, 1), f"{hint}.v_proj.bias"))
    pairs = g.op("Mul", at.tokens, g.ints(heads))
    key_map = g.op("Reshape", key_map, g.shape(at.batch, pairs, c))
    scores = g.matmul(v, g.transpose(key_map, 0, 2, 1))
    scores = g.wide(g.add(scores, g.op("Reshape", key_shift, g.shape(at.batch, 1, pairs))))
    low, high = (g.exact(np.array(limit, np.float32), "f") for limit in (-CLAMP, CLAMP))
    scores = g.op("Clip", scores, low, high)  # [B, N, h * T]

    to_text = g.narrow(g.op("Softmax", g.transpose(scores, 0, 2, 1), axis=-1))  # over positions
    gathered = g.op("Reshape", g.matmul(to_text, v), g.shape(at.batch, heads, at.tokens, c))
    values = g.matmul(gathered, g.constant(weight(attention.values_v_proj).transpose(0, 2, 1), f"{hint}.values_v"))
    value_bias = array(attention.values_v_proj.bias).reshape(heads, 1, width)
    values = g.add(values, g.constant(value_bias, f"{hint}.values_v_bias"))
    values = g.reshape(g.transpose(values, 0, 2, 1, 3), -1, d)
    gamma_l = array(block.gamma_l)
    out_l = array(attention.out_l_proj.weight) * gamma_l[:, None], array(attention.out_l_proj.bias) * gamma_l
    text = g.add(l, g.linear(values, *out_l, f"{hint}.out_l_proj"))

    by_token = g.op("Reshape", scores, g.shape(0, -1, heads, at.tokens))
    to_image = g.op("Softmax", g.add(by_token, g.wide(at.bias)), axis=-1)  # over valid tokens
    to_image = g.narrow(g.op("Reshape", to_image, g.shape(0, -1, pairs)))
    gamma_v = array(block.gamma_v)
    out_v = (array(attention.out_v_proj.weight) * gamma_v[:, None]).reshape(c, heads, width).transpose(1, 2, 0)
    words = linear(g, l, attention.values_l_proj, f"{hint}.values_l_proj")
    value_map = g.matmul(split_heads(g, words, at, heads, width, 0, 2, 1, 3), g.constant(out_v, f"{hint}.out_v"))
    # The weights of a head sum to 1, so each head's values may carry its share of the bias.
    share = array(attention.out_v_proj.bias) * gamma_v / np.float32(heads)
    value_map = g.add(value_map, g.constant(share, f"{hint}.out_v_bias"))
    value_map = g.op("Reshape", value_map, g.shape(at.batch, pairs, c))
    v = g.transpose(g.add(v, g.matmul(to_image, value_map)), 0, 2, 1)

    sizes = g.op("Concat", *(g.op("Mul", grid.height, grid.width) for grid in grids), axis=0)
    levels = g.ops("Split", v, sizes, outputs=LEVELS, axis=2)
    return [g.op("Reshape", y, g.shape(0, c, at_.height, at_.width)) for y, at_ in zip(levels, grids)], text


def dyconv(g: Graph, maps: list[str], grids: list[Grid], module: DyConv, hint: str) -> list[str]:
    c = module.offset.in_channels
    attention = module.AttnConv[1]

    def branch(index: int, x: str, offset: str, mask: str) -> str:
        """Deformable convolution and GroupNorm without its affine part, which `gated` adds."""
        layer = module.DyConv[index]
        name = f"{hint}.DyConv.{index}"
        weight, bias = (
            g.wide(g.constant(array(tensor), f"{name}.conv.{kind}"))
            for kind, tensor in (("weight", layer.conv.weight), ("bias", layer.conv.bias))
        )
        y = g.op("DeformConv", x, weight, offset, bias, mask, kernel_shape=[3, 3],
                 strides=[layer.stride] * 2, pads=[1] * 4)  # fmt: skip
        groups = layer.bn.num_groups
        ones, zeros = (g.exact(np.full(groups, value, np.float32), "group") for value in (1, 0))
        shape = g.op("Shape", y)
        y = g.op("InstanceNormalization", g.reshape(y, 0, groups, -1), ones, zeros, epsilon=layer.bn.eps)
        return g.narrow(g.op("Reshape", y, shape))

    def gated(index: int, y: str, share: float) -> tuple[str, str, str]:
        """Scale and shift [B, C, 1, 1] of a branch (GroupNorm's, times its gate), and its mean."""
        layer = module.DyConv[index]
        name = f"{hint}.DyConv.{index}.bn"
        mean = g.op("GlobalAveragePool", y)
        w, b = (array(t).reshape(1, c, 1, 1) for t in (layer.bn.weight, layer.bn.bias))
        gate_weight = array(attention.weight)
        gate_bias = array(attention.bias) + (gate_weight * b).sum()
        gate = g.op("Relu", g.conv(mean, gate_weight * w, gate_bias, f"{hint}.AttnConv.{index}"))
        gate = g.op("HardSigmoid", gate, alpha=1 / 6, beta=0.5)
        scale = g.mul(gate, g.constant(w * np.float32(share), f"{name}.weight"))
        shift = g.mul(gate, g.constant(b * np.float32(share), f"{name}.bias"))
        return scale, shift, g.add(g.mul(mean, scale), shift)

    inputs = [g.wide(x) for x in maps]
    out = []
    for level, x in enumerate(maps):
        offset, mask = g.ops("Split", g.wide(conv(g, x, module.offset, f"{hint}.offset")),
                             g.ints(2 * TAPS, TAPS), outputs=2, axis=1)  # fmt: skip
        mask = g.op("Sigmoid", mask)
        branches = [(1, branch(1, inputs[level], offset, mask))]
        if level:
            branches.append((2, branch(2, inputs[level - 1], offset, mask)))
        if level + 1 < LEVELS:
            grid = grids[level + 1]
            area = g.op("Mul", grid.height, grid.width)

            def prefix(values: str, channels: int, grid: Grid = grid, area: str = area) -> str:
                flat = g.reshape(values, 0, -1)
                flat = g.op("Slice", flat, g.ints(0), g.op("Mul", area, g.ints(channels)), g.ints(1))
                return g.op("Reshape", flat, g.shape(0, channels, grid.height, grid.width))

            coarse = branch(0, inputs[level + 1], prefix(offset, 2 * TAPS), prefix(mask, TAPS))
            size = g.op(
                "Concat", g.op("Shape", coarse, start=0, end=2), grids[level].height, grids[level].width, axis=0
            )
            branches.append((0, g.op("Resize", coarse, "", "", size, mode="linear",
                                     coordinate_transformation_mode="align_corners")))  # fmt: skip
        parts = [(y, *gated(index, y, 1 / len(branches))) for index, y in branches]
        total, shift, mean = g.mul(parts[0][0], parts[0][1]), parts[0][2], parts[0][3]
        for y, scale, more_shift, more_mean in parts[1:]:
            total, shift, mean = g.add(total, g.mul(y, scale)), g.add(shift, more_shift), g.add(mean, more_mean)

        fc = module.relu.fc
        z = g.op("Relu", linear(g, g.reshape(mean, 0, -1), fc[0], f"{hint}.relu.fc.0"))
        z = g.op("HardSigmoid", linear(g, z, fc[2], f"{hint}.relu.fc.2"), alpha=1 / 6, beta=0.5)
        # a1, b1, a2, b2: slopes (z - 0.5) * 2 + (1, 0), intercepts z - 0.5, in one multiply and one add.
        z = g.mul(z, g.constant(np.repeat(np.float32([2, 1, 2, 1]), c), f"{hint}.relu.range"))
        z = g.add(z, g.constant(np.repeat(np.float32([0, -0.5, -1, -0.5]), c), f"{hint}.relu.offset"))
        a1, b1, a2, b2 = g.ops("Split", g.reshape(z, 0, 4 * c, 1, 1), outputs=4, axis=1, num_outputs=4)
        pieces = [g.add(g.mul(total, a), g.add(g.mul(shift, a), b)) for a, b in ((a1, b1), (a2, b2))]
        out.append(g.op("Max", *pieces))
    return out


# The whole graph


def heads(g: Graph, maps: list[str], text: str, model: Glip, at: Text) -> tuple[str, str, str]:
    """Token logits [B, N, T], deltas [B, N, 4], centerness [B, N]."""
    head, name = model.rpn.head, "rpn.head"
    c, hidden = head.bbox_pred.in_channels, head.bias_lang.shape[0]
    features = g.transpose(g.op("Concat", *(g.reshape(m, 0, 0, -1) for m in maps), axis=2), 0, 2, 1)

    text = g.wide(text)
    length = g.op("ReduceL2", text, g.ints(-1), keepdims=1)
    unit = g.narrow(g.op("Div", text, g.op("Max", length, g.exact(np.array(1e-12, np.float32), "f"))))
    projection = head.dot_product_projection_text
    temper = np.exp(-array(head.log_scale))
    words = g.linear(unit, array(projection.weight) * (temper / 2), array(projection.bias) * temper,
                     f"{name}.dot_product_projection_text")  # fmt: skip
    words = g.transpose(g.op("Reshape", words, g.shape(at.batch, -1, c)), 0, 2, 1)
    bias = g.linear(unit, array(head.bias_lang).reshape(1, hidden), array(head.bias0), f"{name}.bias_lang")
    bias = g.op("Reshape", bias, g.shape(at.batch, 1, -1))
    logits = g.clamp(g.add(g.matmul(features, words), bias), CLAMP)

    both = []
    for i, m in enumerate(maps):
        weight = np.concatenate(
            [array(head.bbox_pred.weight) * array(head.scales[i].scale), array(head.centerness.weight)]
        )
        offset = np.concatenate([array(head.bbox_pred.bias) * array(head.scales[i].scale), array(head.centerness.bias)])
        both.append(g.reshape(g.conv(m, weight, offset, f"{name}.boxes.{i}"), 0, 5, -1))
    deltas, centerness = g.ops("Split", g.op("Concat", *both, axis=2), g.ints(4, 1), outputs=2, axis=1)
    return logits, g.transpose(deltas, 0, 2, 1), g.op("Squeeze", centerness, g.ints(1))


def image_patches(g: Graph, *, raw: bool) -> tuple[str, str, Grid]:
    """Declares the image inputs. Returns patches [B * L, 48] (channel, row, column), batch and grid."""
    if raw:
        images = g.input("images", np.float32, ["B", 3, "H", "W"])
        height, width = g.size(images, 2), g.size(images, 3)
        x = images
    else:
        images = g.input("images", np.uint8, ["B", "H", "W", 3])
        sizes = g.input("image_sizes", np.int64, ["B", 2])
        height, width = g.size(images, 1), g.size(images, 2)
        x = g.cast(images, np.float32)
        rgb_mean, rgb_std = (g.exact(np.ascontiguousarray(v[::-1]), "pixel") for v in (MEAN, STD))
        x = g.op("Div", g.op("Sub", x, rgb_mean), rgb_std)
        inside = []
        for axis, size in enumerate((height, width)):
            limit = g.op("Slice", sizes, g.ints(axis), g.ints(axis + 1), g.ints(1))
            inside.append(g.op("Less", g.reshape(g.arange(size), 1, -1), limit))
        valid = g.op("And", g.reshape(inside[0], 0, -1, 1, 1), g.reshape(inside[1], 0, 1, -1, 1))
        # Padding is 0 after the normalisation, whatever the bytes are.
        x = g.op("Where", valid, x, g.exact(np.array(0, np.float32), "f"))
        bgr = g.constant(np.array([2, 1, 0], np.int64), "i")
        x = g.op("Gather", x, bgr, axis=3)
    batch = g.size(images, 0)
    four = g.ints(4)
    grid = Grid(g.op("Div", height, four), g.op("Div", width, four))
    x = g.narrow(x)
    if raw:
        x = g.op("Reshape", x, g.shape(batch, 3, grid.height, 4, grid.width, 4))
        x = g.transpose(x, 0, 2, 4, 1, 3, 5)
    else:
        x = g.op("Reshape", x, g.shape(batch, grid.height, 4, grid.width, 4, 3))
        x = g.transpose(x, 0, 1, 3, 5, 2, 4)
    return g.reshape(x, -1, 48), batch, grid


def export(model: Glip, *, raw: bool = False, half: bool = False) -> onnx.ModelProto:
    """The graph of a model.

    Inputs: images uint8 [B, H, W, 3] RGB and image_sizes int64 [B, 2] (valid height, width), or with
    `raw` images float32 [B, 3, H, W] normalised BGR; H and W multiples of 32. input_ids and
    attention_mask int64 [B, T]; without `raw` positive_map float32 [B, P, T].
    Outputs: phrase_prob [B, N, P] (with `raw`: logits [B, N, T]), box_reg [B, N, 4], centerness [B, N],
    float32 all. With `half`, weights and activations are float16 except where that is not enough.
    """
    with torch.no_grad():
        return _export(model, raw=raw, half=half)


def _export(model: Glip, *, raw: bool, half: bool) -> onnx.ModelProto:
    g = Graph(np.float16 if half else np.float32)
    patches, batch, grid = image_patches(g, raw=raw)
    input_ids = g.input("input_ids", np.int64, ["B", "T"])
    attention_mask = g.input("attention_mask", np.int64, ["B", "T"])
    mask = g.cast(attention_mask, g.real)
    bias = g.mul(g.op("Sub", mask, g.number(1)), g.number(-MASKED))
    bias = g.op("Unsqueeze", bias, g.ints(1, 2))
    at = Text(batch, g.size(input_ids, 1), bias)

    text = bert(g, input_ids, model, at)
    maps, grids = backbone(g, patches, model, batch, grid)
    head = model.rpn.head
    for i, module in enumerate(head.dyhead_tower):
        hint = f"rpn.head.dyhead_tower.{i}"
        if isinstance(module, VLFuse):
            maps, text = fuse(g, maps, grids, text, module, at, hint)
        elif isinstance(module, BertLayer):
            text = bert_layer(g, text, module, at, hint)
        else:
            maps = dyconv(g, maps, grids, module, hint)
    if not head.fused:
        text = g.mul(text, g.reshape(mask, -1, 1))
    logits, deltas, centerness = heads(g, maps, text, model, at)
    if raw:
        g.output(g.wide(logits), "logits", ["B", "N", "T"])
    else:
        positive = g.input("positive_map", np.float32, ["B", "P", "T"])
        probability = g.op("Sigmoid", g.wide(logits))
        g.output(g.matmul(probability, g.transpose(positive, 0, 2, 1)), "phrase_prob", ["B", "N", "P"])
    g.output(g.wide(deltas), "box_reg", ["B", "N", 4])
    g.output(g.wide(centerness), "centerness", ["B", "N"])
    return g.model(PRODUCER)


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Writes the graph, with its weights beside it in `<name>.data` when they are large."""
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    if size < EXTERNAL_FROM:
        path.write_bytes(model.SerializeToString())
    else:
        onnx.save(model, path, save_as_external_data=True, location=f"{path.name}.data", size_threshold=1024)
