"""ONNX files as networks: batch normalisation folded, every unsupported operator named with a way out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from eyelid.errors import InputError, UnsupportedError
from eyelid.infer.network import (
    INPUT,
    Add,
    Array,
    AveragePool,
    Convolution,
    Flatten,
    Linear,
    Network,
    Node,
    Operation,
    Polynomial,
    Relu,
    Square,
    accepts,
    is_finite,
    output_shape,
)
from eyelid.infer.onnx_constants import folded
from eyelid.infer.onnx_file import constants, load, refused
from eyelid.infer.onnx_padding import NONE, WINDOWED, both, pair, whole, widened, window, zeros
from eyelid.infer.onnx_refused import EVALUATED, NEAREST, REWRITES, SINGLE, FormlessError, UnsoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from onnx import ModelProto, NodeProto

    from eyelid.infer.onnx_padding import Padding

_INVERSE: Mapping[str, Callable[[Array], Array]] = {"Sub": np.negative, "Div": np.reciprocal}
"""Of a constant: what subtracts or divides by it adds or multiplies with this."""

_ELEMENTWISE: Final = {"Add", "Sub", "Mul", "Div", "Pow"}
_WEIGHTED: Final = {"Conv", "Gemm", "MatMul", "BatchNormalization", "Add", "Sub", "Mul", "Div"}

Attributes: TypeAlias = "Mapping[str, Any]"


def read(path: Path) -> Network:
    """Read an ONNX file as a network.

    Raises :class:`InputError` for a file that is missing, not ONNX or not sound, :class:`UnsupportedError`
    with the operator's name and the nearest supported rewrite for a network that has no such form, and
    :class:`UsageError` where onnx is not installed.
    """
    model, source = load(path)
    return _Reader(path, model).read(hashlib.sha256(source).hexdigest())


def _flattens(sizes: list[int], batch: int, features: int, *, zero_is_none: bool) -> bool:
    """Return whether a Reshape to ``sizes`` makes one vector of each image.

    Where the file leaves the batch open, ``batch`` is 1: images are taken one at a time.
    """
    same = {-1, batch} if zero_is_none else {-1, 0, batch}
    return len(sizes) == 2 and sizes != [-1, -1] and sizes[0] in same and sizes[1] in (-1, features)


class _Reader:
    """Walks the graph in its (topological) order; tensors that pass unchanged are aliases of others."""

    def __init__(self, path: Path, model: ModelProto) -> None:
        self.path, self.graph, self.batch = path, model.graph, 1
        self.constants: dict[str, Array] = constants(path, model)
        self.alias: dict[str, str] = {}
        self.padding: dict[str, Padding] = {}  # around an alias
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.nodes: list[Node] = []

    def read(self, digest: str) -> Network:
        from onnx import TensorProto

        inputs = [item for item in self.graph.input if item.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise UnsupportedError(f"{self.path} must have one input and one output; export it so.")
        given = inputs[0].type.tensor_type
        if given.elem_type not in (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE):
            # Whole numbers divide and wrap around in their own way.
            raise UnsupportedError(f"{self.path}: the input must be of floating-point numbers; export it so.")
        size = [item.dim_value for item in given.shape.dim]
        if len(size) != 4 or min(size[1:]) < 1:
            raise UnsupportedError(
                f"{self.path}: the input must be (n, channels, height, width) of fixed sizes, not {size}."
            )
        shape = (size[1], size[2], size[3])
        self.batch = max(size[0], 1)
        self.alias[inputs[0].name], self.shapes[INPUT] = INPUT, shape
        for number, item in enumerate(self.graph.node):
            name = item.name or f"{item.op_type.lower()}{number}"
            try:
                self._take(item, name)
            except FormlessError as why:
                raise refused(self.path, name, why) from None
            except UnsoundError:
                raise InputError(
                    f"{self.path}: the weights of node {name} do not fit its input; export it again."
                ) from None
        self._check()
        return Network(shape, tuple(self.nodes), digest)

    def _check(self) -> None:
        """Refuse networks without layers, and nodes that lead nowhere or have no numbers as weights."""
        if not self.nodes:
            raise UnsupportedError(f"{self.path} has no layer between its input and its output.")
        used = {
            self.alias.get(self.graph.output[0].name),
            *(key for node in self.nodes for key in node.inputs),
        }
        for node in self.nodes:
            if node.name not in used:
                raise UnsupportedError(f"{self.path}: node {node.name} does not lead to the output; drop it.")
            if not is_finite(node.operation):
                raise InputError(
                    f"{self.path}: node {node.name} has weights that are not numbers (NaN or infinite); "
                    "train it again."
                )

    def _take(self, item: NodeProto, name: str) -> None:
        from onnx import helper

        attributes = {entry.name: helper.get_attribute_value(entry) for entry in item.attribute}
        if item.op_type == "Identity" and item.input[0] in self.constants:
            self.constants[item.output[0]] = self.constants[item.input[0]]
            return
        made = folded(item, self.constants)
        if made is not None:
            self.constants[item.output[0]] = made
            return
        dynamic = [self.alias[key] for key in item.input if key in self.alias]
        fixed = [self.constants[key] for key in item.input if key in self.constants]
        if not dynamic or len(dynamic) + len(fixed) < len([key for key in item.input if key]):
            raise UnsupportedError(
                f"{self.path}: node {name} ({item.op_type}) works on constants alone; simplify the file."
            )
        kind = item.op_type
        if kind not in ("Add", "Mul") and item.input[0] not in self.alias:
            raise FormlessError(f"{kind} with a constant before the image", NEAREST)
        if kind in _WEIGHTED and any(values.dtype.kind != "f" for values in fixed):
            raise UnsoundError
        if kind in _ELEMENTWISE and any(values.ndim > 1 + len(self.shapes[dynamic[0]]) for values in fixed):
            raise FormlessError(f"{kind} with a constant of more axes than its input", NEAREST)
        if kind in _INVERSE and len(fixed) == 1:
            with np.errstate(divide="ignore"):  # by zero: no weight, and refused as such
                kind, fixed = "Add" if kind == "Sub" else "Mul", [_INVERSE[kind](fixed[0].astype(np.float64))]
        if kind == "Dropout" and any(np.any(self.constants.get(key, True)) for key in item.input[2:] if key):
            raise FormlessError("Dropout in training mode", EVALUATED)
        if kind in ("Identity", "Dropout"):
            self.alias[item.output[0]] = dynamic[0]
        elif kind == "BatchNormalization":
            self._fold(item, name, dynamic[0], fixed, attributes)
        elif kind == "Pad":
            self._pad(item, dynamic[0], attributes)
        elif kind == "Add" and len(dynamic) == 1 and self._fold_bias(dynamic[0], fixed[0]):
            self.alias[item.output[0]] = dynamic[0]
        else:
            around = self.padding.get(item.input[0], NONE)
            operation = self._operation(kind, dynamic, fixed, attributes, around)
            if operation is None:
                if kind in _ELEMENTWISE and any(values.size > 1 for values in fixed):
                    raise FormlessError(f"{item.op_type} with a constant of many numbers", SINGLE)
                raise FormlessError(item.op_type)
            if isinstance(operation, Convolution | AveragePool):
                operation = replace(operation, padding=both(operation.padding, around))
            inputs = tuple(dynamic) if isinstance(operation, Add) else (dynamic[0],)
            self._append(name, operation, inputs, item.output[0])
            if kind == "ReduceMean" and not attributes.get("keepdims", 1):
                self._append(f"{name}/flat", Flatten(), (name,), item.output[0])

    def _append(self, name: str, operation: Operation, inputs: tuple[str, ...], output: str) -> None:
        if len({self.shapes[key] for key in inputs}) > 1:
            raise UnsupportedError(f"{self.path}: node {name} adds tensors of unequal shapes.")
        if name in self.shapes:
            raise UnsupportedError(f"{self.path}: two nodes are named {name}; give each a name of its own.")
        if not accepts(operation, self.shapes[inputs[0]]):
            raise UnsoundError
        shape = output_shape(operation, self.shapes[inputs[0]])
        if min(shape) < 1:
            raise UnsupportedError(
                f"{self.path}: node {name} has nothing left to work on; enlarge the input."
            )
        self.nodes.append(Node(name, operation, inputs, shape))
        self.shapes[name] = shape
        self.alias[output] = name

    def _operation(
        self, kind: str, dynamic: list[str], fixed: list[Array], given: Attributes, around: Padding
    ) -> Operation | None:
        """Return what a node does to its input with zeros ``around`` it, which are not its own padding.

        None if it has no form here.
        """
        shape = widened(self.shapes[dynamic[0]], around)
        dense = set(given.get("dilations", [1])) == {1}
        match kind:
            case "Conv" if dense and len(dynamic) == 1 and fixed and fixed[0].ndim == 4:
                weight = fixed[0].astype(np.float64)
                bias = fixed[1].astype(np.float64) if len(fixed) > 1 else np.zeros(len(weight))
                kernel = pair(weight.shape[2:])
                if pair(given.get("kernel_shape", kernel)) != kernel:
                    raise UnsoundError
                stride, padding = window(shape, kernel, given)
                return Convolution(weight, bias, stride, padding, int(given.get("group", 1)))
            case "Conv":
                raise FormlessError(
                    "Conv with dilation, computed weights, or not over two dimensions", "a plain Conv"
                )
            case "Gemm" if len(dynamic) == 1 and fixed and fixed[0].ndim == 2 and not given.get("transA", 0):
                weight = fixed[0].astype(np.float64) * float(given.get("alpha", 1.0))
                weight = weight if given.get("transB", 0) else np.ascontiguousarray(weight.T)
                bias = fixed[1] * float(given.get("beta", 1.0)) if len(fixed) > 1 else np.zeros(1)
                if bias.size > 1 and bias.shape[-1] != len(weight):  # one a row: of images, not of scores
                    raise UnsoundError
                bias = np.repeat(bias, len(weight)) if bias.size == 1 else bias.ravel()
                return Linear(weight, bias.astype(np.float64))
            case "MatMul" if len(dynamic) == 1 and fixed and fixed[0].ndim == 2 and len(shape) == 1:
                return Linear(np.ascontiguousarray(fixed[0].T, np.float64), np.zeros(fixed[0].shape[1]))
            case "AveragePool" if dense:
                kernel = pair(given["kernel_shape"])
                stride, padding = window(shape, kernel, given)
                if given.get("ceil_mode", 0) or (any(padding) and not given.get("count_include_pad", 0)):
                    raise FormlessError(
                        "AveragePool whose windows differ in size at the edges", "count_include_pad=1"
                    )
                return AveragePool(kernel, stride, padding)
            case "GlobalAveragePool" if len(shape) == 3:
                return AveragePool((shape[1], shape[2]), (1, 1))
            case "Relu":
                return Relu()
            case "Mul" if len(dynamic) == 2 and dynamic[0] == dynamic[1]:
                return Square()
            case "Pow" if len(dynamic) == 1 and fixed[0].size == 1 and fixed[0].dtype.kind in "fiu":
                power = float(fixed[0].item())
                if 1 < power <= 8 and power.is_integer():
                    return Square() if power == 2 else Polynomial((*(0.0,) * int(power), 1.0))
            case "Mul" if len(dynamic) == 1 and fixed[0].size == 1:
                return Polynomial((0.0, float(fixed[0].item())))
            case "Add" if len(dynamic) == 2:
                return Add()
            case "Add" if fixed[0].size == 1:
                return Polynomial((float(fixed[0].item()), 1.0))
            case "Flatten" if given.get("axis", 1) == 1:
                return Flatten()
            case "Reshape" if len(fixed) == 1:
                zero_is_none = bool(given.get("allowzero", 0))
                if _flattens(whole(fixed[0]), self.batch, math.prod(shape), zero_is_none=zero_is_none):
                    return Flatten()
            case "ReduceMean":
                axes = whole(fixed[0] if fixed else given.get("axes"))
                if len(shape) == 3 and sorted(axis + 4 * (axis < 0) for axis in axes) == [2, 3]:
                    return AveragePool((shape[1], shape[2]), (1, 1))
                over = f"{kind} over axes {axes}" if axes else f"{kind} over all axes"
                raise FormlessError(over, REWRITES[kind])
        return None

    def _pad(self, item: NodeProto, source: str, given: Attributes) -> None:
        """Keep the zeros that a Pad puts around a map for the layers behind it."""
        output = item.output[0]
        takers = [other.op_type for other in self.graph.node if output in other.input]
        takers += ["the output"] * (output == self.graph.output[0].name)
        inputs = [self.constants.get(key) for key in item.input[1:]]
        around = zeros(given, inputs, 1 + len(self.shapes[source]))
        odd = [taker for taker in takers if taker not in WINDOWED]
        if any(around) and odd:
            raise FormlessError(f"Pad before {odd[0]}", "Pad directly before a Conv or an average pool")
        self.alias[output] = source
        self.padding[output] = around

    def _fold(self, item: NodeProto, name: str, source: str, fixed: list[Array], given: Attributes) -> None:
        """Fold batch normalisation into the convolution or linear layer before it."""
        if len(fixed) != 4:
            raise FormlessError("BatchNormalization without stored statistics", "a trained export")
        if given.get("training_mode", 0):
            raise FormlessError("BatchNormalization in training mode", EVALUATED)
        scale, shift, mean, variance = (values.astype(np.float64) for values in fixed)
        if any(values.shape != self.shapes[source][:1] for values in fixed):
            raise UnsoundError
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = scale / np.sqrt(variance + float(given.get("epsilon", 1e-5)))
        node = self._sole_layer(source)
        if node is None:  # nothing linear to fold into: a 1 x 1 convolution by itself
            if len(self.shapes[source]) != 3:
                raise FormlessError("BatchNormalization of a vector", "one right after a Gemm")
            operation = Convolution(
                gain[:, None, None, None], shift - mean * gain, (1, 1), (0, 0, 0, 0), len(gain)
            )
            self._append(name, operation, (source,), item.output[0])
            return
        layer = node.operation
        assert isinstance(layer, Convolution | Linear)
        weight = layer.weight * gain.reshape(-1, *(1,) * (layer.weight.ndim - 1))
        self._replace(node, weight, (layer.bias - mean) * gain + shift)
        self.alias[item.output[0]] = source

    def _fold_bias(self, source: str, value: Array) -> bool:
        """Fold an added constant into the layer before it, where it is one value per output channel."""
        node = self._sole_layer(source)
        if node is None:
            return False
        layer = node.operation
        assert isinstance(layer, Convolution | Linear)
        trailing = (1,) * (len(node.shape) - 1)
        per_channel = value.size == len(layer.bias) and value.shape[-len(node.shape) :] == (
            value.size,
            *trailing,
        )
        if value.size > 1 and not per_channel:
            return False
        self._replace(node, layer.weight, layer.bias + value.astype(np.float64).ravel())
        return True

    def _sole_layer(self, source: str) -> Node | None:
        """Return the convolution or linear node ``source`` if nothing else has used its output yet."""
        node = next((node for node in self.nodes if node.name == source), None)
        used = any(source in other.inputs for other in self.nodes)
        used = used or self.alias.get(self.graph.output[0].name) == source
        uses = sum(self.alias.get(key) == source for item in self.graph.node for key in item.input)
        linear = node is not None and isinstance(node.operation, Convolution | Linear)
        return node if linear and not used and uses == 1 else None

    def _replace(self, node: Node, weight: Array, bias: Array) -> None:
        layer = node.operation
        if isinstance(layer, Convolution):
            new: Operation = Convolution(weight, bias, layer.stride, layer.padding, layer.groups)
        else:
            new = Linear(weight, bias)
        self.nodes[self.nodes.index(node)] = Node(node.name, new, node.inputs, node.shape)
