"""Small trained networks for the tests of private inference, written as ONNX without any exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import nn


class OnnxBuilder:
    """Adds one node after the other to a chain; ``last`` names the newest tensor."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape, self.last = shape, "image"
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, kind: str, name: str, *inputs: str | NDArray[Any], **attributes: Any) -> str:
        """Add a node that takes ``inputs`` (by default the newest tensor); arrays become constants."""
        names = []
        for number, item in enumerate(inputs or (self.last,)):
            if isinstance(item, str):
                names.append(item)
            else:
                self.weights.append(numpy_helper.from_array(np.ascontiguousarray(item), f"{name}.{number}"))
                names.append(f"{name}.{number}")
        self.last = f"{name}.out"
        self.nodes.append(helper.make_node(kind, names, [self.last], name=name, **attributes))
        return self.last

    def save(self, path: Path, opset: int = 17) -> Path:
        graph = helper.make_graph(
            self.nodes,
            "network",
            [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", *self.shape])],
            [helper.make_tensor_value_info(self.last, onnx.TensorProto.FLOAT, ["n", "scores"])],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
        onnx.save(model, path)
        return path


def write(layers: Sequence[nn.Module], shape: tuple[int, int, int], path: Path) -> Path:
    """Write a chain of torch layers as ONNX."""
    from torch import nn

    builder = OnnxBuilder(shape)
    counts: dict[str, int] = {}

    def name(kind: str) -> str:
        counts[kind] = counts.get(kind, 0) + 1
        return f"{kind}{counts[kind]}"

    for layer in layers:
        values = {key: value.detach().cpu().numpy() for key, value in layer.state_dict().items()}
        match layer:
            case nn.Conv2d():
                pads = [int(size) for size in (*layer.padding, *layer.padding)]
                weights = (values["weight"], values["bias"])
                builder.add("Conv", name("conv"), builder.last, *weights, strides=layer.stride, pads=pads)
            case nn.Linear():
                builder.add("Gemm", name("fc"), builder.last, values["weight"], values["bias"], transB=1)
            case nn.BatchNorm2d():
                order = [values[key] for key in ("weight", "bias", "running_mean", "running_var")]
                builder.add("BatchNormalization", name("norm"), builder.last, *order, epsilon=layer.eps)
            case nn.AvgPool2d():
                size = [int(layer.kernel_size)] * 2  # type: ignore[arg-type]
                builder.add("AveragePool", name("pool"), builder.last, kernel_shape=size, strides=size)
            case nn.ReLU():
                builder.add("Relu", name("relu"))
            case nn.Flatten():
                builder.add("Flatten", name("flatten"))
            case _ if hasattr(layer, "bend"):  # x + bend x^2 = bend ((x + 1 / 2 bend)^2 - 1 / 4 bend^2)
                bend = np.float32(layer.bend)  # type: ignore[arg-type]
                shift = np.float32(0.5) / bend
                moved = builder.add("Add", name("shift"), builder.last, np.asarray(shift))
                builder.add("Mul", name("square"), moved, moved)
                builder.add("Mul", name("scale"), builder.last, np.asarray(bend))
                builder.add("Add", name("level"), builder.last, np.asarray(-bend * shift * shift))
            case _:
                builder.add("Mul", name("square"), builder.last, builder.last)
    return builder.save(path)


def train(
    layers: Sequence[nn.Module],
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    epochs: int,
    *,
    deep: bool = False,
) -> None:
    """Train a chain of layers with Adam, in batches of 64; the same start each time.

    ``deep`` is for many squares in a row: gradients are clipped, and the rate falls to nothing.
    """
    import torch

    torch.manual_seed(4)
    network = torch.nn.Sequential(*layers)
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.reset_parameters()
    optimiser = torch.optim.Adam(network.parameters(), 3e-3 if deep else 2e-3, weight_decay=1e-4)
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    steps = epochs * -(-len(x) // 64)
    falling = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0 if deep else 1.0, steps)
    network.train()
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(64):  # type: ignore[no-untyped-call]
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(x[part]), y[part]).backward()  # type: ignore[no-untyped-call]
            if deep:
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            falling.step()
    network.eval()


def square() -> nn.Module:
    """Return the activation x * x as a torch layer."""
    from torch import Tensor, nn

    class Square(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * x

    return Square()


def parabola(bend: float) -> nn.Module:
    """Return the activation x + bend x^2, which deep networks learn with, as a torch layer."""
    from torch import Tensor, nn

    class Parabola(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bend = bend

        def forward(self, x: Tensor) -> Tensor:
            return x + self.bend * x * x

    return Parabola()
