"""A small writer of ONNX graphs: one call per node, constants stored once, shapes computed in the graph."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 20
IR_VERSION = 10
Dim = int | str  # a known size, or the name of an int64 tensor with one element


class Graph:
    """Nodes in order. Values are names; `real` is the floating point type of weights and activations."""

    def __init__(self, real: np.dtype | type = np.float32) -> None:
        self.real = np.dtype(real)
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[tuple, str] = {}
        self._results: dict[tuple, list[str]] = {}

    # Inputs, outputs, constants

    def input(self, name: str, dtype: type, shape: Sequence[int | str]) -> str:
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(helper.make_tensor_value_info(name, element, list(shape)))
        return name

    def output(self, value: str, name: str, shape: Sequence[int | str]) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape)))

    def constant(self, array: np.ndarray, hint: str = "c") -> str:
        """The name of a constant; equal ones are stored once. Floats take the graph's `real` type."""
        if array.dtype.kind == "f":
            array = array.astype(self.real)
        return self.exact(array, hint)

    def exact(self, array: np.ndarray, hint: str = "c") -> str:
        """A constant of just this type."""
        array = np.asarray(array, order="C")
        key = (array.dtype.str, array.shape, hashlib.sha256(array.tobytes()).digest())
        if key not in self._names:
            name = hint if hint not in self._constants else f"{hint}.{len(self._constants)}"
            self._constants[name] = numpy_helper.from_array(array, name)
            self._names[key] = name
        return self._names[key]

    def ints(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64), "i")

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32), "f")

    # Nodes

    def op(self, kind: str, *inputs: str, **attributes: object) -> str:
        return self.ops(kind, *inputs, outputs=1, **attributes)[0]

    def ops(self, kind: str, *inputs: str, outputs: int, **attributes: object) -> list[str]:
        """The same operation on the same inputs is one node: size arithmetic repeats a lot."""
        key = (kind, inputs, outputs, repr(sorted(attributes.items())))
        if key not in self._results:
            number = len(self._nodes)
            names = [f"{kind}_{number}_{i}" for i in range(outputs)]
            self._nodes.append(helper.make_node(kind, list(inputs), names, name=f"{kind}_{number}", **attributes))
            self._results[key] = names
        return self._results[key]

    def cast(self, x: str, dtype: type | np.dtype) -> str:
        return self.op("Cast", x, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def wide(self, x: str) -> str:
        """The value in float32, for the few places where half precision is not enough."""
        return x if self.real == np.float32 else self.cast(x, np.float32)

    def narrow(self, x: str) -> str:
        return x if self.real == np.float32 else self.cast(x, self.real)

    # Shapes: sizes are int64 tensors with one element

    def shape(self, *dims: Dim) -> str:
        """A shape tensor; 0 copies a size in Reshape, -1 is the rest."""
        if all(isinstance(dim, int) for dim in dims):
            return self.ints(*(int(dim) for dim in dims))
        return self.op("Concat", *(self.ints(dim) if isinstance(dim, int) else dim for dim in dims), axis=0)

    def reshape(self, x: str, *dims: Dim) -> str:
        return self.op("Reshape", x, self.shape(*dims))

    def transpose(self, x: str, *perm: int) -> str:
        return self.op("Transpose", x, perm=list(perm))

    def size(self, x: str, axis: int) -> str:
        return self.op("Shape", x, start=axis, end=axis + 1)

    def arange(self, count: str) -> str:
        scalar = self.op("Squeeze", count)
        zero, one = (self.constant(np.array(n, np.int64), "i") for n in (0, 1))
        return self.op("Range", zero, scalar, one)

    # Layers with weights

    def add(self, a: str, b: str) -> str:
        return self.op("Add", a, b)

    def mul(self, a: str, b: str) -> str:
        return self.op("Mul", a, b)

    def matmul(self, a: str, b: str) -> str:
        return self.op("MatMul", a, b)

    def linear(self, x: str, weight: np.ndarray, bias: np.ndarray | None, hint: str) -> str:
        """x [M, in], weight [out, in] -> [M, out]."""
        parameters = [self.constant(weight.T, f"{hint}.weight")]
        if bias is not None:
            parameters.append(self.constant(bias, f"{hint}.bias"))
        return self.op("Gemm", x, *parameters)

    def conv(self, x: str, weight: np.ndarray, bias: np.ndarray, hint: str, stride: int = 1) -> str:
        """An ordinary convolution with as much padding as keeps the size at stride 1."""
        kernel = weight.shape[-1]
        return self.op(
            "Conv", x, self.constant(weight, f"{hint}.weight"), self.constant(bias, f"{hint}.bias"),
            kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[kernel // 2] * 4,
        )  # fmt: skip

    def layer_norm(self, x: str, weight: np.ndarray, bias: np.ndarray, eps: float, hint: str) -> str:
        parameters = self.constant(weight, f"{hint}.weight"), self.constant(bias, f"{hint}.bias")
        return self.op("LayerNormalization", x, *parameters, axis=-1, epsilon=eps)

    def clamp(self, x: str, limit: float) -> str:
        return self.op("Clip", x, self.number(-limit), self.number(limit))

    def model(self, producer: str) -> onnx.ModelProto:
        """The finished graph. Constants move into it, so that large weights are not held twice."""
        graph = helper.make_graph(self._nodes, "glip", self._inputs, self._outputs)
        for name in list(self._constants):
            graph.initializer.append(self._constants.pop(name))
        return helper.make_model(
            graph, producer_name=producer, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
