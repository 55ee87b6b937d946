"""Writes a teacher folder with GLIP's graph contract and no network in it, for tests of the engine.

    python -m tests.toy_teacher ../test/fixtures/teacher/toy

It finds colours: a token's logit at a position is LOGIT_SCALE times the agreement of the token's colour
with the mean colour of the position's cell, every box is its cell, and centerness is sigmoid(2). So
every detection can be worked out by hand.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = [8, 16, 32, 64, 128]
LOGIT_SCALE = 8.0
# Colours as R, G, B weights on pixels / 255, and a bias, so that "red" agrees with red alone.
COLOURS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1), "white": (0.4, 0.4, 0.4)}
THING = (0.4, 0.4, 0.4)  # any other word agrees with brightness
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "a", "and", "square", "dot", "##s", *COLOURS]


def toy_graph() -> onnx.ModelProto:
    nodes, constants = [], []

    def constant(values: object, kind: type) -> str:
        constants.append(numpy_helper.from_array(np.array(values, kind), f"c{len(constants)}"))
        return constants[-1].name

    def op(name: str, *inputs: str, **attributes: object) -> str:
        output = attributes.pop("to", f"n{len(nodes)}")
        nodes.append(helper.make_node(name, list(inputs), [output], **attributes))
        return output

    pixels = f"n{len(nodes)}"
    nodes.append(helper.make_node("Cast", ["images"], [pixels], to=TensorProto.FLOAT))
    level = op("Transpose", op("Div", pixels, constant(255, np.float32)), perm=[0, 3, 1, 2])
    flat = []
    for i in range(len(STRIDES)):
        kernel = 8 if i == 0 else 2
        level = op("AveragePool", level, kernel_shape=[kernel] * 2, strides=[kernel] * 2, ceil_mode=int(i > 2))
        flat.append(op("Reshape", level, constant([0, 3, -1], np.int64)))
    cells = op("Transpose", op("Concat", *flat, axis=2), perm=[0, 2, 1])  # [B, N, 3]
    table = np.array([COLOURS.get(word, THING) for word in WORDS], np.float32) * LOGIT_SCALE
    colours = op("Gather", constant(table, np.float32), "input_ids")  # [B, T, 3]
    agreement = op("MatMul", cells, op("Transpose", colours, perm=[0, 2, 1]))
    logits = op("Sub", agreement, constant(LOGIT_SCALE / 2, np.float32))
    weights = op("Transpose", "positive_map", perm=[0, 2, 1])
    op("MatMul", op("Sigmoid", logits), weights, to="phrase_prob")

    # The sizes and the mask have no part in it, but a graph must use its inputs.
    unused = [f"n{len(nodes) + i}" for i in range(2)]
    for name, output in zip(["image_sizes", "attention_mask"], unused):
        nodes.append(helper.make_node("Cast", [name], [output], to=TensorProto.FLOAT))
    zero = op("Mul", op("Add", *(op("ReduceSum", name, keepdims=0) for name in unused)), constant(0, np.float32))
    one = op("ReduceSum", cells, constant([2], np.int64), keepdims=1)
    zeros = op("Add", op("Mul", one, constant(0, np.float32)), zero)  # [B, N, 1]
    shrink = 5 * math.log(1 / 8)  # from the anchor's side of 8 strides to one stride
    op("Add", zeros, constant([0, 0, shrink, shrink], np.float32), to="box_reg")
    op("Add", op("Squeeze", zeros, constant([2], np.int64)), constant(2, np.float32), to="centerness")

    graph = helper.make_graph(
        nodes,
        "toy",
        [
            helper.make_tensor_value_info("images", TensorProto.UINT8, ["B", "H", "W", 3]),
            helper.make_tensor_value_info("image_sizes", TensorProto.INT64, ["B", 2]),
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["B", "T"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["B", "T"]),
            helper.make_tensor_value_info("positive_map", TensorProto.FLOAT, ["B", "P", "T"]),
        ],
        [
            helper.make_tensor_value_info("phrase_prob", TensorProto.FLOAT, ["B", "N", "P"]),
            helper.make_tensor_value_info("box_reg", TensorProto.FLOAT, ["B", "N", 4]),
            helper.make_tensor_value_info("centerness", TensorProto.FLOAT, ["B", "N"]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], producer_name="groundmill")
    model.ir_version = 9
    onnx.checker.check_model(model, full_check=True)
    return model


def write_toy(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    contents = {
        "model.onnx": toy_graph().SerializeToString(),
        "vocab.txt": ("\n".join(WORDS) + "\n").encode(),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    names = ["images", "imageSizes", "inputIds", "attentionMask", "positiveMap"]
    tensors = ["images", "image_sizes", "input_ids", "attention_mask", "positive_map"]
    description = {
        "formatVersion": 1,
        "id": "toy",
        "architecture": "glip",
        "variant": "toy",
        "precision": "fp32",
        "raw": False,
        "files": {n: {"size": len(d), "sha256": hashlib.sha256(d).hexdigest()} for n, d in contents.items()},
        "inputs": dict(zip(names, tensors)),
        "outputs": {"phraseProb": "phrase_prob", "boxReg": "box_reg", "centerness": "centerness"},
        "image": {
            "shortSide": 64,
            "longSide": 128,
            "padMultiple": 32,
            "channelOrder": "BGR",
            "mean": [103.53, 116.28, 123.675],
            "std": [57.375, 57.12, 58.395],
        },
        "text": {"maxTokens": 16, "lowerCase": True},
        "anchors": {"strides": STRIDES, "sizes": [8 * s for s in STRIDES]},
        "boxWeights": [10, 10, 5, 5],
        "postprocess": {"candidateScore": 0.05, "preNms": 1000, "nmsIou": 0.6, "maxBoxes": 100},
        "defaultScore": 0.5,
        "licence": "Apache-2.0",
        "provenance": {"made by": "models/tests/toy_teacher.py"},
    }
    (folder / "teacher.json").write_text(json.dumps(description, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_toy(Path(sys.argv[1]))
