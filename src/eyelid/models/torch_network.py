"""A shipped network in PyTorch, for those who need its gradients: cloaks and the attacks on them."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

from eyelid.errors import ModelError
from eyelid.models.cards import card
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import onnx
    from torch import Tensor


@contextmanager
def one_thread() -> Iterator[None]:
    """Let PyTorch compute on one thread: on small pictures more of them wait for each other, all busy."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class TorchNetwork:
    """One network of a single input and output, in float32 on the CPU, differentiable in its input.

    It knows the operators that the shipped embedders use. Raises ModelError for weights that are not those of
    the card and for operators it does not know, UsageError where PyTorch or onnx is not installed.
    """

    def __init__(self, name: str) -> None:
        require("the gradient of a network", "cloak", "torch", "onnx")
        import onnx

        self.card = card(name)
        graph = onnx.load_model_from_string(self.card.weights()).graph
        self._input, self._output = graph.input[0].name, graph.output[0].name
        self._weights = {entry.name: _tensor(entry) for entry in graph.initializer}
        self._steps: list[_Step] = []
        for step in map(_Step, graph.node):
            if all(name in self._weights for name in step.inputs):  # widens weights: once is enough
                self._weights[step.output] = step(*(self._weights[name] for name in step.inputs))
            else:
                self._steps.append(step)

    def __call__(self, pictures: Tensor) -> Tensor:
        """Return the output for float32 pictures (n, 3, height, width), channels BGR, values 0..255."""
        import torch

        convention = self.card.input
        ordered = pictures.flip(1) if convention.channels == "rgb" else pictures
        shape = (1, 3, 1, 1)
        mean, scale = torch.tensor(convention.mean).view(shape), torch.tensor(convention.scale).view(shape)
        values = (ordered - mean) / scale
        return self._run(values.permute(0, 2, 3, 1) if convention.layout == "nhwc" else values)

    def _run(self, values: Tensor) -> Tensor:
        known = {**self._weights, self._input: values}
        for step in self._steps:
            known[step.output] = step(*(known[name] for name in step.inputs))
        return known[self._output]


class _Step:
    """One node of the graph."""

    def __init__(self, node: onnx.NodeProto) -> None:
        from onnx import helper

        if node.op_type not in OPERATORS:
            raise ModelError(f"the operator {node.op_type} has no gradient here; use another network")
        self.inputs = tuple(node.input)
        self.output = node.output[0]
        attributes = {entry.name: helper.get_attribute_value(entry) for entry in node.attribute}
        self._apply = OPERATORS[node.op_type](attributes)

    def __call__(self, *values: Tensor) -> Tensor:
        return self._apply(*values)


Attributes = dict[str, list[int]]


def _convolution(attributes: Attributes) -> Callable[..., Tensor]:
    top, left, bottom, right = attributes["pads"]
    strides, dilations = attributes["strides"], attributes["dilations"]
    group: int = attributes["group"]  # type: ignore[assignment]  # the one attribute that is no list
    even = (top, left) == (bottom, right)  # then there is nothing to copy into a larger picture first

    def apply(values: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        from torch.nn.functional import conv2d, pad

        padded = values if even else pad(values, (left, right, top, bottom))
        return conv2d(padded, weight, bias, strides, (top, left) if even else 0, dilations, group)

    return apply


def _dequantized(bits: Tensor, scale: Tensor, zero: Tensor) -> Tensor:
    return (bits.float() - zero.float()) * scale


def _pool(kind: str) -> Callable[[Attributes], Callable[[Tensor], Tensor]]:
    def build(attributes: Attributes) -> Callable[[Tensor], Tensor]:
        def apply(values: Tensor) -> Tensor:
            from torch.nn import functional

            pool: Callable[..., Tensor] = getattr(functional, kind)
            return pool(values, attributes["kernel_shape"], attributes["strides"])

        return apply

    return build


def _padded(values: Tensor, sides: Tensor) -> Tensor:
    from torch.nn.functional import pad

    before, after = sides.view(2, -1).tolist()
    order = [n for ends in zip(reversed(before), reversed(after), strict=True) for n in ends]
    return pad(values, order)


def _minimum(_: Attributes) -> Callable[..., Tensor]:
    return lambda a, b: _clipped(a, -math.inf, b.item()) if b.numel() == 1 else a.minimum(b)


def _maximum(_: Attributes) -> Callable[..., Tensor]:
    return lambda a, b: _clipped(a, b.item(), math.inf) if b.numel() == 1 else a.maximum(b)


def _clipped(values: Tensor, low: float, high: float) -> Tensor:
    """Clip: what minimum and maximum do as well, whose gradients take longer than a convolution."""
    from torch.nn.functional import hardtanh

    return hardtanh(values, low, high)


OPERATORS: dict[str, Callable[[Attributes], Callable[..., Tensor]]] = {
    "Add": lambda _: lambda a, b: a + b,
    "AveragePool": _pool("avg_pool2d"),
    "Cast": lambda _: lambda a: a.float(),
    "Conv": _convolution,
    "DequantizeLinear": lambda _: _dequantized,
    "GlobalAveragePool": lambda _: lambda a: a.mean((2, 3), keepdim=True),
    "MatMul": lambda _: lambda a, b: a @ b,
    "Max": _maximum,
    "MaxPool": _pool("max_pool2d"),
    "Min": _minimum,
    "Mul": lambda _: lambda a, b: a * b,
    "Pad": lambda _: _padded,
    "Relu": lambda _: lambda a: a.relu(),
    "Squeeze": lambda _: lambda a, axes: a.squeeze(tuple(axes.tolist())),
    "Transpose": lambda attributes: lambda a: a.permute(attributes["perm"]),
}


def _tensor(entry: onnx.TensorProto) -> Tensor:
    import torch
    from onnx import numpy_helper

    return torch.from_numpy(numpy_helper.to_array(entry).copy())
