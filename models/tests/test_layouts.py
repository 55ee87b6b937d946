"""`glip.layouts`: weights are found in every usual wrapper, and mmdetection's GLIP becomes that of GLIP's own code."""

from __future__ import annotations

import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from glip.checkpoint import CheckpointError, build_from, open_checkpoint, read_checkpoint, recognise
from glip.config import CONFIGS
from glip.layouts import from_mmdetection
from glip.model import Glip, build
from glip.reference import rule_tensor
from glip.swin import PatchMerging, relative_position_index

BIAS = "rpn.head.bias0"


@pytest.fixture(scope="module")
def nano() -> dict[str, Tensor]:
    """nano filled by rule: every tensor another one."""
    from tests.conftest import Golden

    state = build(CONFIGS["nano"]).state_dict()
    for name, value in state.items():
        filled = rule_tensor(name, value.shape, 5, Golden().rules)
        state[name] = value if filled is None else torch.from_numpy(filled)
    return state


def saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert set(found) == set(expected)
    for name, value in expected.items():
        assert torch.equal(found[name], value), name


# Wrappers


def prefixed(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": value for name, value in tensors.items()}


WRAPPERS = {
    "bare": lambda w: w,
    "ordered": OrderedDict,
    "model": lambda w: {"model": w, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}, "iteration": 7},
    "state_dict": lambda w: {"state_dict": w, "meta": {"epoch": 3, "dataset_meta": {"CLASSES": ("a",)}}},
    "model_state": lambda w: {"model_state": w, "epoch": 3},
    "model_state_dict": lambda w: {"model_state_dict": w},
    "another": lambda w: {"net": w, "epoch": 3},
    "two deep": lambda w: {"checkpoint": {"state_dict": w}},
    "DeepSpeed": lambda w: {"module": w, "lr_scheduler": None},
    "module.": lambda w: {"model": prefixed("module.", w)},
    "module.module.": lambda w: {"model": prefixed("module.module.", w)},
    "_orig_mod.": lambda w: {"state_dict": prefixed("_orig_mod.", w)},
    "_orig_mod.module.": lambda w: prefixed("_orig_mod.module.", w),
    "module._orig_mod.": lambda w: prefixed("module._orig_mod.", w),
    "model.": lambda w: {"state_dict": prefixed("model.", w), "pytorch-lightning_version": "2"},
    "model.module.": lambda w: {"state_dict": prefixed("model.module.", w)},
    "a compiled part": lambda w: {k.replace("backbone.body.", "backbone._orig_mod.body."): v for k, v in w.items()},
    "a wrapped part": lambda w: {k.replace("rpn.head.", "rpn.module.head."): v for k, v in w.items()},
    "FSDP": lambda w: prefixed("_fsdp_wrapped_module.", w),
    "an average beside": lambda w: {"model": w, "model_ema": {k: v + 1 for k, v in w.items()}},
    "an average before": lambda w: {"state_dict_ema": {k: v + 1 for k, v in w.items()}, "state_dict": w},
    "an average below": lambda w: {"ema": {"model": {k: v + 1 for k, v in w.items()}}, "model": w},
    "an average of mmengine": lambda w: {
        "ema_state_dict": {"steps": torch.tensor(9), **prefixed("module.", {k: v + 1 for k, v in w.items()})},
        "state_dict": w,
    },
    "an average among": lambda w: w | prefixed("ema_model.module.", {k: v + 1 for k, v in w.items()}),
    "an average alone": lambda w: {"model_ema": w, "epoch": 3},
    "AveragedModel": lambda w: {"n_averaged": torch.tensor(3), **prefixed("module.", w)},
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_weights_are_found_in_every_wrapper(tmp_path, nano, wrapper):
    tensors, config = read_checkpoint(saved(tmp_path / "c.pth", WRAPPERS[wrapper](nano)))

    assert config is None
    same(tensors, nano)


def test_the_average_is_taken_when_asked_for_and_told_of_otherwise(tmp_path, nano):
    average = {name: value + 1 for name, value in nano.items()}
    path = saved(tmp_path / "c.pth", {"model": prefixed("module.", nano), "model_ema": prefixed("module.", average)})

    same(open_checkpoint(path, "model_ema").tensors, average)
    assert str(open_checkpoint(path)) == "weights of 'model', beside them 'model_ema' (--weights)"
    with pytest.raises(CheckpointError, match="has no weights under 'ema'; there are: 'model', 'model_ema'"):
        open_checkpoint(path, "ema")


def test_a_name_that_is_there_twice_is_refused(tmp_path, nano):
    with pytest.raises(CheckpointError, match=rf"has {re.escape(BIAS)} twice, the second time as module\.rpn"):
        read_checkpoint(saved(tmp_path / "c.pth", nano | {f"module.{BIAS}": torch.ones(1)}))


# mmdetection: names and order of a GLIP that was built there, as its modules define them


def to_mmdetection(tensors: dict[str, Tensor], published: bool = False) -> dict[str, Tensor]:
    """The network of these tensors in mmdetection: `published` as the converted files name the tower's parts,
    else as the modules do that train it."""
    made = {}
    for name, value in tensors.items():
        head, _, rest = name.partition(".")
        if head == "language_backbone":
            made[f"language_model.{name}"] = value
        elif head == "rpn":
            if not published:
                rest = rest.replace(".DyConv.", ".dyconvs.").replace(".AttnConv.", ".attnconv.")
                value = value[0] if ".scales." in rest else value
            made[f"bbox_head.{rest}"] = value
        elif rest.startswith("fpn."):
            part = re.fullmatch(r"fpn\.(?:top_blocks\.)?(fpn_inner|fpn_layer|p)(\d)\.(\w+)", rest)
            kind, number, what = part.groups()
            convs = "lateral_convs" if kind == "fpn_inner" else "fpn_convs"
            made[f"neck.{convs}.{int(number) - (3 if kind == 'p' else 2)}.conv.{what}"] = value
        else:
            rest = rest.removeprefix("body.")
            if rest.startswith("patch_embed.proj."):
                rest = rest.replace("proj", "projection")
            elif rest.startswith("layers."):
                rest = "stages" + rest.removeprefix("layers")
                rest = rest.replace(".mlp.fc1.", ".ffn.layers.0.0.").replace(".mlp.fc2.", ".ffn.layers.1.")
                rest = rest.replace(".attn.", ".attn.w_msa.")
            if ".downsample." in rest:
                value = unfolded_order(value)
            made[f"backbone.{rest}"] = value
    return made


def unfolded_order(value: Tensor) -> Tensor:
    """Columns (pixel of the patch down first, channel) in the order in which `nn.Unfold` gives them."""
    channels = value.shape[-1] // 4
    made = value.clone()
    for channel in range(channels):
        for row in range(2):
            for column in range(2):
                theirs, ours = channel * 4 + row * 2 + column, (column * 2 + row) * channels + channel
                made[..., theirs] = value[..., ours]
    return made


@pytest.mark.parametrize("published", [True, False])
def test_mmdetection_becomes_the_same_tensors(tmp_path, nano, published):
    theirs = to_mmdetection(nano, published)
    assert not set(theirs) & set(nano)
    extra = {
        "bbox_head.anchor_generator.cell_anchors.0": torch.zeros(1, 4),
        "bbox_head.head.cls_logits.bias": torch.zeros(80),
        "language_model.language_backbone.body.model.embeddings.position_ids": torch.arange(256)[None],
        "data_preprocessor.mean": torch.zeros(3, 1, 1),
    }
    content = {"meta": {"cfg": "", "epoch": 1}, "state_dict": theirs | extra, "optimizer": {"param_groups": []}}

    found = open_checkpoint(saved(tmp_path / "c.pth", content))

    assert str(found) == "weights of 'state_dict' in the names of mmdetection"
    assert recognise(found.tensors).name == "nano"
    same(build_from(found.tensors).state_dict(), nano)
    same(build_from(theirs).state_dict(), nano)
    same(build_from({name: value.numpy() for name, value in theirs.items()}).state_dict(), nano)


def test_patch_merging_of_mmdetection_gives_the_same_output():
    torch.manual_seed(0)
    norm, reduction = torch.nn.LayerNorm(32), torch.nn.Linear(32, 16, bias=False)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 8, 6, 10)
    unfolded = torch.nn.Unfold(2, stride=2)(x).transpose(1, 2)
    theirs = reduction(norm(unfolded)).view(2, 3, 5, 16)
    at = "backbone.stages.0.downsample."
    converted = from_mmdetection(
        {f"{at}reduction.weight": reduction.weight, f"{at}norm.weight": norm.weight, f"{at}norm.bias": norm.bias}
    )
    ours = PatchMerging(8)
    ours.load_state_dict({name.removeprefix("backbone.body.layers.0.downsample."): v for name, v in converted.items()})

    torch.testing.assert_close(ours(x.permute(0, 2, 3, 1)), theirs)


def test_window_positions_of_mmdetection_are_in_the_same_order():
    step = torch.arange(7)
    sums = (13 * step[:, None] + step).view(1, -1)

    assert torch.equal((sums + sums.T).flip(1), relative_position_index(7))


@pytest.mark.parametrize(("recording", "variant"), [("glip-a", "glip-t-a"), ("glip-t", "glip-t"), ("glip-l", "glip-l")])
@pytest.mark.parametrize("published", [True, False])
def test_every_variant_is_recognised_in_mmdetections_names(golden, recording, variant, published):
    listing = golden.json(f"state-dict/{recording}.json")["tensors"]
    with torch.device("meta"):
        official = {name: torch.empty(shape) for name, shape, _, _ in listing}
        merging = {name: value for name, value in official.items() if ".downsample." in name}
        rest = {name: value for name, value in official.items() if name not in merging}
        theirs = to_mmdetection(rest, published)
        theirs |= {k.replace("backbone.body.layers.", "backbone.stages."): v for k, v in merging.items()}
        found = from_mmdetection(theirs)
        own = Glip(CONFIGS[variant]).state_dict()

    assert {name: value.shape for name, value in found.items()} == {k: v.shape for k, v in official.items()}
    assert set(own) <= set(found)
    assert recognise(found) == CONFIGS[variant]


def test_a_glip_of_other_sizes_is_compared_whatever_its_names(tmp_path, nano):
    theirs = to_mmdetection(nano)
    theirs = {name: value for name, value in theirs.items() if "dyhead_tower.5." not in name}

    with pytest.raises(CheckpointError, match=r"nearest is nano, but these differ \(1\)") as caught:
        recognise(read_checkpoint(saved(tmp_path / "c.pth", {"state_dict": theirs}))[0])
    assert "tower modules: 5, expected 6" in str(caught.value)


NETWORKS = {
    "mmdetection's Grounding DINO": [
        "backbone.stages.0.blocks.0.norm1.weight", "neck.convs.0.conv.weight", "encoder.fusion_layers.0.gamma_v",
        "encoder.text_layers.0.norms.0.weight", "language_model.language_backbone.body.model.embeddings.LayerNorm.bias",
        "bbox_head.cls_branches.0.bias", "text_feat_map.weight", "query_embedding.weight",
    ],
    "Grounding DINO": ["transformer.encoder.fusion_layers.0.gamma_v", "bert.pooler.dense.bias", "feat_map.bias"],
    "Grounding DINO of transformers": [
        "model.text_backbone.embeddings.LayerNorm.bias", "model.input_proj_vision.0.0.weight", "bbox_embed.0.bias",
    ],
    "MDETR": ["transformer.text_encoder.embeddings.LayerNorm.bias", "backbone.0.body.conv1.weight"],
    "a two-stage detector": ["backbone.body.stem.conv1.weight", "rpn.head.conv.weight", "roi_heads.box.weight"],
    "a detector of maskrcnn-benchmark without language": [
        "backbone.body.norm1.weight", "rpn.head.dyhead_tower.0.offset.bias",
    ],
    "a detector of mmdetection other than GLIP": ["backbone.stages.0.blocks.0.norm1.weight", "bbox_head.atss_cls.bias"],
    "a Swin transformer alone": ["patch_embed.proj.weight", "layers.0.blocks.0.norm1.weight", "head.weight"],
    "BERT alone": ["bert.embeddings.word_embeddings.weight", "cls.predictions.bias"],
    "another network; its 2 tensors are those of a, b": ["a.weight", "b.weight"],
}  # fmt: skip


@pytest.mark.parametrize("what", NETWORKS)
def test_other_networks_are_named(tmp_path, what):
    tensors = {name: torch.zeros(2) for name in NETWORKS[what]}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(2)}}}
    below = [{"model": tensors}, {"state_dict": prefixed("module.", tensors)}, {"optimizer": optimizer, "net": tensors}]
    for content in (tensors, *below):
        with pytest.raises(CheckpointError) as caught:
            recognise(read_checkpoint(saved(tmp_path / "c.pth", content))[0])
        assert f"the checkpoint is not GLIP but {what}" in str(caught.value)


def test_numpy_scalars_of_fine_tuning_do_not_matter(tmp_path, nano):
    content = {"model": prefixed("module.", nano), "iteration": 3, "eval_result": np.float64(0.41)}

    same(read_checkpoint(saved(tmp_path / "c.pth", content))[0], nano)
