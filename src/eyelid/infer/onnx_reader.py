"""ONNX files as networks: batch normalisation folded, every unsupported operator named with a way out."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from eyelid.errors import InputError, UnsupportedError, UsageError
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
from eyelid.infer.onnx_padding import NONE, WINDOWED, FormlessError, both, whole, widened, zeros

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from onnx import ModelProto, NodeProto

    from eyelid.infer.onnx_padding import Padding

REWRITES = {
    "MaxPool": "AveragePool of the same kernel and stride, then train on for an epoch",
    "GlobalMaxPool": "GlobalAveragePool",
    "Sigmoid": "Relu, or nothing where it is the last layer: the order of the scores stays",
    "Softmax": "nothing in its place: the order of the logits is the same, and the client can apply it",
    "LogSoftmax": "nothing in its place: the order of the logits is the same, and the client can apply it",
    "Tanh": "Relu",
    "LeakyRelu": "Relu",
    "PRelu": "Relu",
    "Elu": "Relu",
    "Gelu": "Relu",
    "HardSwish": "Relu",
    "Clip": "Relu",
    "LayerNormalization": "BatchNormalization, which folds into the layer before it",
    "InstanceNormalization": "BatchNormalization, which folds into the layer before it",
    "ConvTranspose": "a nearest-neighbour enlargement of the image before the network, then Conv",
    "Concat": "Add",
    "Shape": "Flatten: torch.flatten(x, 1) rather than x.view(x.size(0), -1)",
    "ReduceMean": "the mean over height and width together (axes 2 and 3); over one of them an AveragePool, "
    "over channels a 1 x 1 Conv of equal weights",
}
NEAREST = "one of Conv, Gemm, MatMul, AveragePool, BatchNormalization, Relu, Mul (x by x), Add, Sub, Flatten"

_INVERSE: Mapping[str, Callable[[Array], Array]] = {"Sub": np.negative, "Div": np.reciprocal}
"""Of a constant: what subtracts or divides by it adds or multiplies with this."""

Attributes: TypeAlias = "Mapping[str, Any]"


def read(path: Path) -> Network:
    """Read an ONNX file as a network.

    Raises :class:`InputError` for a file that is missing, not ONNX or not sound, :class:`UnsupportedError`
    with the operator's name and the nearest supported rewrite for a network that has no such form, and
    :class:`UsageError` where onnx is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError("Reading a network needs onnx: pip install 'eyelid[he]'.") from error
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        model = onnx.load_model_from_string(source)
        if any(item.data_location == onnx.TensorProto.EXTERNAL for item in model.graph.initializer):
            raise InputError(
                f"{path} keeps its weights in another file; export it as one, with external_data=False, "
                "or load it with onnx.load and save it with onnx.save."
            )
        _check_operators(path, model)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, ValueError) as error:
        raise InputError(f"{path} is not a sound ONNX file; export it again.") from error
    return _Reader(path, model).read(hashlib.sha256(source).hexdigest())


def _check_operators(path: Path, model: ModelProto) -> None:
    """Name an operator that ONNX does not have, or not in the version that the file is of."""
    from onnx import defs

    versions = {item.domain: item.version for item in model.opset_import}
    for item in model.graph.node:
        version = versions.get(item.domain)
        if not item.domain and version and not defs.has(item.op_type, version, item.domain):
            raise _unsupported(
                path, item.name or item.op_type, item.op_type, REWRITES.get(item.op_type, NEAREST)
            )


def _unsupported(path: Path, name: str, kind: str, rewrite: str) -> UnsupportedError:
    return UnsupportedError(
        f"{path}: node {name} is {kind}, which private inference has no form for; use {rewrite}."
    )


class _Reader:
    """Walks the graph in its (topological) order; tensors that pass unchanged are aliases of others."""

    def __init__(self, path: Path, model: ModelProto) -> None:
        from onnx import numpy_helper

        self.path, self.graph = path, model.graph
        self.constants: dict[str, Array] = {
            item.name: np.asarray(numpy_helper.to_array(item)) for item in model.graph.initializer
        }
        self.alias: dict[str, str] = {}
        self.padding: dict[str, Padding] = {}  # around an alias
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.nodes: list[Node] = []

    def read(self, digest: str) -> Network:
        inputs = [item for item in self.graph.input if item.name not in self.constants]
        if len(inputs) != 1 or len(self.graph.output) != 1:
            raise UnsupportedError(f"{self.path} must have one input and one output; export it so.")
        size = [item.dim_value for item in inputs[0].type.tensor_type.shape.dim]
        if len(size) != 4 or min(size[1:]) < 1:
            raise UnsupportedError(
                f"{self.path}: the input must be (n, channels, height, width) of fixed sizes, not {size}."
            )
        shape = (size[1], size[2], size[3])
        self.alias[inputs[0].name], self.shapes[INPUT] = INPUT, shape
        for number, item in enumerate(self.graph.node):
            self._take(item, item.name or f"{item.op_type.lower()}{number}")
        if not self.nodes or self.alias.get(self.graph.output[0].name) != self.nodes[-1].name:
            raise UnsupportedError(f"{self.path}: the last node must make the output; drop what follows it.")
        for node in self.nodes:
            if not is_finite(node.operation):
                raise InputError(
                    f"{self.path}: node {node.name} has weights that are not numbers (NaN or infinite); "
                    "train it again."
                )
        return Network(shape, tuple(self.nodes), digest)

    def _take(self, item: NodeProto, name: str) -> None:
        from onnx import helper, numpy_helper

        attributes = {entry.name: helper.get_attribute_value(entry) for entry in item.attribute}
        if item.op_type == "Constant" and "value" in attributes:
            self.constants[item.output[0]] = np.asarray(numpy_helper.to_array(attributes["value"]))
            return
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
        if item.op_type not in ("Add", "Mul") and item.input[0] not in self.alias:
            raise self._unsupported(name, f"{item.op_type} with a constant before the image", NEAREST)
        kind = item.op_type
        if kind in _INVERSE and len(fixed) == 1:
            with np.errstate(divide="ignore"):  # by zero: no weight, and refused as such
                kind, fixed = "Add" if kind == "Sub" else "Mul", [_INVERSE[kind](fixed[0].astype(np.float64))]
        if kind in ("Identity", "Dropout"):
            self.alias[item.output[0]] = dynamic[0]
        elif kind == "BatchNormalization":
            self._fold(item, name, dynamic[0], fixed, attributes)
        elif kind == "Pad":
            self._pad(item, name, dynamic[0], attributes)
        elif kind == "Add" and len(dynamic) == 1 and self._fold_bias(dynamic[0], fixed[0]):
            self.alias[item.output[0]] = dynamic[0]
        else:
            around = self.padding.get(item.input[0], NONE)
            operation = self._operation(kind, name, dynamic, fixed, attributes, around)
            if isinstance(operation, Convolution | AveragePool):
                operation = replace(operation, padding=both(operation.padding, around))
            self._append(name, operation, tuple(dict.fromkeys(dynamic)) or (INPUT,), item.output[0], dynamic)
            if kind == "ReduceMean" and not attributes.get("keepdims", 1):
                self._append(f"{name}/flat", Flatten(), (name,), item.output[0], [name])

    def _append(
        self, name: str, operation: Operation, inputs: tuple[str, ...], output: str, dynamic: list[str]
    ) -> None:
        if isinstance(operation, Add):
            inputs = tuple(dynamic)
            if self.shapes[inputs[0]] != self.shapes[inputs[1]]:
                raise UnsupportedError(f"{self.path}: node {name} adds tensors of unequal shapes.")
        if name in self.shapes:
            raise UnsupportedError(f"{self.path}: two nodes are named {name}; give each a name of its own.")
        if not accepts(operation, self.shapes[inputs[0]]):
            raise self._unsound(name)
        shape = output_shape(operation, self.shapes[inputs[0]])
        if min(shape) < 1:
            raise UnsupportedError(
                f"{self.path}: node {name} has nothing left to work on; enlarge the input."
            )
        self.nodes.append(Node(name, operation, inputs, shape))
        self.shapes[name] = shape
        self.alias[output] = name

    def _operation(
        self,
        kind: str,
        name: str,
        dynamic: list[str],
        fixed: list[Array],
        given: Attributes,
        around: Padding,
    ) -> Operation:
        """Return what a node does to its input with zeros ``around`` it, which are not its own padding."""
        shape = widened(self.shapes[dynamic[0]], around)
        dense = set(given.get("dilations", [1])) == {1}
        match kind:
            case "Conv" if dense and len(dynamic) == 1 and fixed and fixed[0].ndim == 4:
                weight = fixed[0].astype(np.float64)
                bias = fixed[1].astype(np.float64) if len(fixed) > 1 else np.zeros(len(weight))
                stride, padding = self._window(name, shape, weight.shape[2:], given)
                return Convolution(weight, bias, stride, padding, int(given.get("group", 1)))
            case "Conv":
                raise self._unsupported(
                    name, "Conv with dilation, computed weights, or not over two dimensions", "a plain Conv"
                )
            case "Gemm" if len(dynamic) == 1 and fixed and not given.get("transA", 0):
                weight = fixed[0].astype(np.float64) * float(given.get("alpha", 1.0))
                weight = weight if given.get("transB", 0) else np.ascontiguousarray(weight.T)
                bias = fixed[1] * float(given.get("beta", 1.0)) if len(fixed) > 1 else np.zeros(1)
                bias = np.repeat(bias, len(weight)) if bias.size == 1 else bias.ravel()
                return Linear(weight, bias.astype(np.float64))
            case "MatMul" if len(dynamic) == 1 and fixed and fixed[0].ndim == 2 and len(shape) == 1:
                return Linear(np.ascontiguousarray(fixed[0].T, np.float64), np.zeros(fixed[0].shape[1]))
            case "AveragePool" if dense:
                kernel = (int(given["kernel_shape"][0]), int(given["kernel_shape"][1]))
                stride, padding = self._window(name, shape, kernel, given)
                if given.get("ceil_mode", 0) or (any(padding) and not given.get("count_include_pad", 0)):
                    raise self._unsupported(
                        name, "AveragePool whose windows differ in size at the edges", "count_include_pad=1"
                    )
                return AveragePool(kernel, stride, padding)
            case "GlobalAveragePool":
                return AveragePool((shape[1], shape[2]), (1, 1))
            case "Relu":
                return Relu()
            case "Mul" if len(dynamic) == 2 and dynamic[0] == dynamic[1]:
                return Square()
            case "Pow" if len(dynamic) == 1 and fixed[0].size == 1 and 1 < float(fixed[0].item()) <= 8:
                power = float(fixed[0].item())
                if power.is_integer():
                    return Square() if power == 2 else Polynomial((*(0.0,) * int(power), 1.0))
            case "Mul" if len(dynamic) == 1 and fixed[0].size == 1:
                return Polynomial((0.0, float(fixed[0].item())))
            case "Add" if len(dynamic) == 2:
                return Add()
            case "Add" if fixed[0].size == 1:
                return Polynomial((float(fixed[0].item()), 1.0))
            case "Flatten" if given.get("axis", 1) == 1:
                return Flatten()
            case "Reshape" if len(fixed) == 1 and fixed[0].size == 2:
                if int(fixed[0][1]) in (-1, math.prod(shape)):
                    return Flatten()
            case "ReduceMean":
                axes = whole(fixed[0] if fixed else given.get("axes"))
                if len(shape) == 3 and sorted(axis + 4 * (axis < 0) for axis in axes) == [2, 3]:
                    return AveragePool((shape[1], shape[2]), (1, 1))
                over = f"{kind} over axes {axes}" if axes else f"{kind} over all axes"
                raise self._unsupported(name, over, REWRITES[kind])
        raise self._unsupported(name, kind, REWRITES.get(kind, NEAREST))

    def _unsound(self, name: str) -> InputError:
        return InputError(f"{self.path}: the weights of node {name} do not fit its input; export it again.")

    def _unsupported(self, name: str, kind: str, rewrite: str) -> UnsupportedError:
        return _unsupported(self.path, name, kind, rewrite)

    def _window(
        self, name: str, shape: tuple[int, ...], kernel: tuple[int, ...], given: Attributes
    ) -> tuple[tuple[int, int], tuple[int, int, int, int]]:
        """Return stride (y, x) and padding (top, left, bottom, right)."""
        stride_y, stride_x = (int(step) for step in given.get("strides", (1, 1)))
        if min(stride_y, stride_x) < 1:
            raise self._unsound(name)
        mode = given.get("auto_pad", b"NOTSET").decode()
        if mode in ("SAME_UPPER", "SAME_LOWER"):
            spare = [
                max((-(-size // step) - 1) * step + width - size, 0)
                for size, step, width in zip(shape[1:], (stride_y, stride_x), kernel, strict=True)
            ]
            less, more = [item // 2 for item in spare], [-(-item // 2) for item in spare]
            first, last = (less, more) if mode == "SAME_UPPER" else (more, less)
            return (stride_y, stride_x), (first[0], first[1], last[0], last[1])
        top, left, bottom, right = (int(size) for size in given.get("pads", (0, 0, 0, 0)))
        if min(top, left, bottom, right) < 0:
            raise self._unsupported(name, "a layer with negative padding", "a crop of the image before it")
        return (stride_y, stride_x), (top, left, bottom, right)

    def _pad(self, item: NodeProto, name: str, source: str, given: Attributes) -> None:
        """Keep the zeros that a Pad puts around a map for the layers behind it."""
        output = item.output[0]
        takers = [other.op_type for other in self.graph.node if output in other.input]
        takers += ["the output"] * (output == self.graph.output[0].name)
        inputs = [self.constants.get(key) for key in item.input[1:]]
        try:
            around = zeros(given, inputs, 1 + len(self.shapes[source]))
            odd = [taker for taker in takers if taker not in WINDOWED]
            if any(around) and odd:
                raise FormlessError(f"Pad before {odd[0]}", "Pad directly before a Conv or an average pool")
        except FormlessError as error:
            raise self._unsupported(name, error.what, error.rewrite) from None
        self.alias[output] = source
        self.padding[output] = around

    def _fold(self, item: NodeProto, name: str, source: str, fixed: list[Array], given: Attributes) -> None:
        """Fold batch normalisation into the convolution or linear layer before it."""
        if len(fixed) != 4:
            raise self._unsupported(name, "BatchNormalization without stored statistics", "a trained export")
        scale, shift, mean, variance = (values.astype(np.float64) for values in fixed)
        if any(values.shape != self.shapes[source][:1] for values in fixed):
            raise self._unsound(name)
        with np.errstate(invalid="ignore", divide="ignore"):
            gain = scale / np.sqrt(variance + float(given.get("epsilon", 1e-5)))
        node = self._sole_layer(source)
        if node is None:  # nothing linear to fold into: a 1 x 1 convolution by itself
            if len(self.shapes[source]) != 3:
                raise self._unsupported(name, "BatchNormalization of a vector", "one right after a Gemm")
            operation = Convolution(
                gain[:, None, None, None], shift - mean * gain, (1, 1), (0, 0, 0, 0), len(gain)
            )
            self._append(name, operation, (source,), item.output[0], [source])
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
