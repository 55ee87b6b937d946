"""Each building block against recorded outputs of the reference."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch

from glip.bert import BertLayer, key_bias
from glip.config import CONFIGS
from glip.dyhead import DyConv, deform_conv
from glip.fuse import VLFuse
from glip.graph import Graph
from glip.model import Glip, build
from glip.reference import largest_difference, rule_normal, rule_tensor

SEED = 5
TOWER = "rpn.head.dyhead_tower"
# In the checkpoints, but not in the model: the class head that is never used, and the anchors.
DROPPED = ("rpn.head.cls_logits.", "rpn.anchor_generator.")


def filled(module: torch.nn.Module, prefix: str, golden) -> torch.nn.Module:
    tensors = {}
    for name, value in module.state_dict().items():
        array = rule_tensor(f"{prefix}.{name}", value.shape, SEED, golden.rules)
        tensors[name] = value if array is None else torch.from_numpy(array)
    module.load_state_dict(tensors)
    return module.eval()


def made_up(name: str, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rule_normal(f"input:{name}", shape, SEED).astype(np.float32))


CASES = ["same", "stride2", "offset_larger", "out_of_bounds", "zero_offset"]


def recorded_deformation(golden, case):
    """The recorded arrays; offsets and mask cut to the flat prefix that the reference's kernel reads."""
    data = {k.split("/")[1]: v for k, v in golden.npz("glip-ops/dcn.npz").items() if k.startswith(f"{case}/")}
    b, (h, w) = len(data["x"]), data["y"].shape[-2:]
    for name, channels in (("offset", 18), ("mask", 9)):
        data[name] = data[name].reshape(b, -1)[:, : channels * h * w].reshape(b, channels, h, w)
    return data


@pytest.mark.parametrize("case", CASES)
def test_deformable_convolution(golden, case):
    data = recorded_deformation(golden, case)
    inputs = [torch.from_numpy(data[name]) for name in ("x", "offset", "mask", "weight", "bias")]

    y = deform_conv(*inputs, int(data["stride"]))

    np.testing.assert_allclose(y.numpy(), data["y"], atol=1e-5, rtol=0)


@pytest.mark.parametrize("case", CASES)
def test_deformable_convolution_of_onnx_runtime(golden, case):
    data = recorded_deformation(golden, case)
    g = Graph()
    names = [g.input(name, np.float32, data[name].shape) for name in ("x", "weight", "offset", "bias", "mask")]
    stride = int(data["stride"])
    y = g.op("DeformConv", *names, kernel_shape=[3, 3], strides=[stride] * 2, pads=[1] * 4)
    g.output(y, "y", data["y"].shape)
    session = onnxruntime.InferenceSession(g.model("test").SerializeToString(), providers=["CPUExecutionProvider"])

    (found,) = session.run(["y"], {name: data[name] for name in names})

    np.testing.assert_allclose(found, data["y"], atol=1e-5, rtol=0)


def test_deformable_convolution_gradients_are_those_of_its_output():
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, 1, 4, 3), (2, 18, 2, 2), (2, 9, 2, 2), (2, 1, 3, 3), (2,)]
    inputs = [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]

    with torch.enable_grad():
        assert torch.autograd.gradcheck(lambda *a: deform_conv(*a, 2), inputs)


def test_dyrelu(golden):
    data = golden.npz("glip-ops/dyrelu.npz")
    block = filled(DyConv(CONFIGS["glip-t"]), f"{TOWER}.2", golden)

    y = block.relu(torch.from_numpy(data["in/x"]))

    assert largest_difference("out/y", y.numpy(), data) < 1e-5


def test_dyconv_block(golden):
    data = golden.npz("glip-ops/dyconv.npz")
    block = filled(DyConv(CONFIGS["glip-t"]), f"{TOWER}.2", golden)
    sizes = [(20, 24), (10, 12), (5, 6), (3, 3), (2, 2)]
    maps = [made_up(f"dyconv/v{i}", 2, 256, *size) for i, size in enumerate(sizes)]

    values = {f"in/v{i}": m for i, m in enumerate(maps)}
    for i, m in enumerate(maps):
        om = block.offset(m)
        branches = block.branches(maps, i, om)
        values[f"mid/offset_mask/{i}"] = om
        names = ["conv1"] + (["conv2"] if i > 0 else []) + (["conv0"] if i < 4 else [])
        values |= {f"mid/{name}_gn/{i}": branch for name, branch in zip(names, branches)}
        values[f"mid/before_dyrelu/{i}"] = block.combine(branches, sizes[i], has_coarser=i < 4)
    values |= {f"out/v{i}": y for i, y in enumerate(block(maps))}

    ignored = ("/stats", "/samples", "/offset_stats_px")
    recorded = {name.removesuffix("/shape") for name in data if not name.endswith(ignored)}
    assert recorded <= set(values)
    for name in recorded:
        assert largest_difference(name, values[name].numpy(), data) < 1e-4, name


def test_fusion(golden):
    data = golden.npz("glip-ops/vlfuse.npz")
    fuse = filled(VLFuse(CONFIGS["glip-t"]), f"{TOWER}.0", golden)
    maps = [made_up(f"vlfuse/v{i}", 2, 256, *size) for i, size in enumerate([(10, 12), (5, 6), (3, 3), (2, 2), (1, 1)])]
    text = made_up("vlfuse/lang", 2, 256, 768)

    out, lang = fuse(maps, text, key_bias(torch.from_numpy(data["masks"]), torch.float32))

    for i, m in enumerate(out):
        assert largest_difference(f"out/v{i}", m.numpy(), data) < 1e-4
    assert largest_difference("out/lang", lang.numpy(), data) < 1e-4
    assert largest_difference("out/lang_first32", lang[:, :32].numpy(), data) < 1e-4


def test_text_layer(golden):
    data = golden.npz("glip-ops/bert_layer.npz")
    layer = filled(BertLayer(CONFIGS["glip-t"], clamp=True), f"{TOWER}.1", golden)

    y = layer(made_up("bertlayer/lang", 2, 256, 768), key_bias(torch.from_numpy(data["masks"]), torch.float32))

    assert largest_difference("out/lang", y.numpy(), data) < 1e-4
    assert largest_difference("out/lang_first32", y[:, :32].numpy(), data) < 1e-4


@pytest.mark.parametrize("variant", ["glip-a", "glip-t", "glip-l"])
def test_state_dict_names_and_shapes(golden, variant):
    expected = {
        name: tuple(shape)
        for name, shape, _, _ in golden.json(f"state-dict/{variant}.json")["tensors"]
        if not name.startswith(DROPPED)
    }
    with torch.device("meta"):
        model = Glip(CONFIGS["glip-t-a" if variant == "glip-a" else variant])

    assert {name: tuple(value.shape) for name, value in model.state_dict().items()} == expected


def test_rule_filled_tensors(golden):
    check = golden.json("fill-check.json")
    for name, expected in check["tensors"].items():
        value = rule_tensor(name, expected["shape"], check["seed"], golden.rules)
        assert value.ravel()[:4].tolist() == expected["first"]
        assert value.astype(np.float64).sum() == pytest.approx(expected["sum_float64"], abs=1e-9)
        assert value.astype(np.float64).std() == pytest.approx(expected["std_float64"], abs=1e-9)


def test_text_padding_has_no_influence():
    torch.manual_seed(0)
    model = build(CONFIGS["nano"]).eval()
    images = torch.randn(1, 3, 64, 96)
    ids = torch.randint(5, 1000, (1, 6))
    mask = torch.ones_like(ids)

    short = model(images, ids, mask)
    padded = model(images, torch.nn.functional.pad(ids, (0, 9)), torch.nn.functional.pad(mask, (0, 9)))

    torch.testing.assert_close(padded[0][..., :6], short[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(padded[1], short[1], atol=1e-5, rtol=0)
    torch.testing.assert_close(padded[2], short[2], atol=1e-5, rtol=0)
