"""Random networks of every attribute: what is read is what onnxruntime runs, and all else is refused."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import shape_inference

from eyelid.errors import EyelidError
from eyelid.infer.onnx_reader import read
from tests.infer.networks import OnnxBuilder
from tests.infer.test_network import truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NETWORKS = 200


class Drawn:
    """A network of up to six random layers, in most cases sound ones."""

    def __init__(self, seed: int, path: Path) -> None:
        self.draw, self.path = np.random.default_rng(seed), path
        self.opset = self.one_of(11, 13, 17, 18, 21)
        self.build = OnnxBuilder((self.one_of(1, 2, 3), self.one_of(3, 5, 8), self.one_of(4, 7)))
        self.shape: tuple[int, ...] = self.build.shape
        for _ in range(self.draw.integers(1, 7)):
            self.add_layer()
            found = self.inferred()
            if len(found) not in (1, 3) or min(found) < 1:
                break
            self.shape = found
        if len(found) != 1:
            self.build.add("Flatten", "end")
        self.build.save(path, self.opset)

    def one_of(self, *values: Any) -> Any:
        return values[int(self.draw.integers(len(values)))]

    def weights(self, *shape: int) -> NDArray[np.float32]:
        return self.draw.standard_normal(shape).astype(np.float32)

    def inferred(self) -> tuple[int, ...]:
        """Return the shape of the newest tensor without its batch."""
        model = onnx.load(self.build.save(self.path, self.opset))
        model.graph.output[0].type.tensor_type.ClearField("shape")
        shape = shape_inference.infer_shapes(model).graph.output[0].type.tensor_type.shape
        return tuple(item.dim_value for item in shape.dim)[1:]

    def add(self, kind: str, *constants: Any, **attributes: Any) -> None:
        self.build.add(kind, f"n{len(self.build.nodes)}", self.build.last, *constants, **attributes)

    def add_layer(self) -> None:
        makers = [self.other, self.constant, self.join, self.square, self.normalisation]
        if len(self.shape) == 3:
            makers += [self.convolution, self.convolution, self.pool, self.pad]
        else:
            makers += [self.linear, self.linear]
        self.one_of(*makers)()

    def window(self, kernel: list[int]) -> dict[str, Any]:
        given: dict[str, Any] = {"strides": self.draw.integers(1, 4, 2).tolist()} if self.one_of(0, 1) else {}
        match self.one_of("none", "pads", "same", "valid"):
            case "pads":
                given["pads"] = self.draw.integers(0, kernel * 2).tolist()
            case "same":  # with steps over pixels onnxruntime knows no such padding
                given["strides"] = np.minimum(given.get("strides", 1), kernel).tolist()
                given["auto_pad"] = self.one_of("SAME_UPPER", "SAME_LOWER")
            case "valid":
                given["auto_pad"] = "VALID"
        return given

    def convolution(self) -> None:
        groups, kernel = self.one_of(1, self.shape[0]), self.draw.integers(1, 4, 2).tolist()
        weight = self.weights(groups * self.one_of(1, 2), self.shape[0] // groups, *kernel)
        bias = [self.weights(len(weight))] if self.one_of(0, 1) else []
        more = {"dilations": self.one_of([1, 1], [1, 1], [1, 2])} if self.one_of(0, 1) else {}
        self.add("Conv", weight, *bias, group=groups, **self.window(kernel), **more)

    def pool(self) -> None:
        kernel = self.draw.integers(1, 4, 2).tolist()
        more = {"count_include_pad": self.one_of(0, 1, 1), "ceil_mode": self.one_of(0, 0, 0, 1)}
        self.add("AveragePool", kernel_shape=kernel, **self.window(kernel), **more)

    def linear(self) -> None:
        size, out, turned = self.shape[0], int(self.draw.integers(1, 5)), self.one_of(0, 1)
        if self.one_of(0, 1):
            self.add("MatMul", self.weights(size, out))
            return
        bias = self.one_of([], [self.weights(out)], [self.weights(1, out)], [self.weights(1)])
        matrix = self.weights(out, size) if turned else self.weights(size, out)
        self.add(
            "Gemm", matrix, *bias, transB=turned, alpha=self.one_of(1.0, 0.5), beta=self.one_of(1.0, 2.0)
        )

    def constant(self) -> None:
        kind, first = self.one_of("Add", "Sub", "Mul", "Div", "Pow"), self.shape[0]
        sizes = self.one_of(
            (), (1,), (1, 1), (first,), (first, 1, 1), (1, first, 1, 1), self.shape[-1:], (1,) * 5
        )
        value = np.asarray(np.abs(self.weights(*sizes)) + np.float32(0.5), np.float32)
        sides: list[Any] = [self.build.last, np.asarray(2, np.float32) if kind == "Pow" else value]
        self.build.add(kind, f"n{len(self.build.nodes)}", *(sides if self.one_of(0, 1, 1) else sides[::-1]))

    def pad(self) -> None:
        sizes = np.zeros(8, np.int64)
        sizes[[2, 3, 6, 7]] = self.draw.integers(0, 3, 4)
        self.add("Pad", sizes)

    def normalisation(self) -> None:
        four = [np.abs(self.weights(self.shape[0])) + np.float32(number + 0.5) for number in range(4)]
        self.add("BatchNormalization", *four, epsilon=self.one_of(1e-5, 0.5))

    def join(self) -> None:
        earlier = self.one_of("image", *(node.output[0] for node in self.build.nodes))
        sides = self.one_of((self.build.last, earlier), (earlier, self.build.last))
        self.build.add(self.one_of("Add", "Add", "Mul"), f"n{len(self.build.nodes)}", *sides)

    def square(self) -> None:
        self.add("Mul", self.build.last)

    def other(self) -> None:
        match self.one_of("Relu", "Identity", "Dropout", "GlobalAveragePool", "Flatten", "Reshape", "Mean"):
            case "Flatten":
                self.add("Flatten", axis=self.one_of(1, 1, 1, 2, -1))
            case "Reshape":
                self.add("Reshape", np.array(self.one_of([0, -1], [-1, 1], [2, -1], [0, 0, -1])))
            case "Mean":
                axes, kept = self.one_of([2, 3], [-1, -2], [1], [3]), self.one_of(0, 1)
                if self.opset < 18:
                    self.add("ReduceMean", axes=axes, keepdims=kept)
                else:
                    self.add("ReduceMean", np.array(axes), keepdims=kept)
            case kind:
                self.add(kind)


def verdict(seed: int, path: Path) -> str:
    drawn = Drawn(seed, path)
    try:
        network = read(path)
    except EyelidError as error:
        return "refused" if re.search(r"node \w+|last node|no layer", str(error)) else f"seed {seed}: {error}"
    for count in (1, 3):
        batch = drawn.draw.standard_normal((count, *network.input_shape)).astype(np.float32)
        found, expected = network.run(batch), truth(path, batch)
        slack = 1e-4 * max(1.0, float(np.abs(expected).max()))
        if found.shape != expected.shape or not np.allclose(found, expected, 1e-3, slack):
            return f"seed {seed}: wrong"
    return "equal"


def test_what_is_read_is_what_onnxruntime_runs(tmp_path: Path) -> None:
    found = Counter(verdict(seed, tmp_path / "a.onnx") for seed in range(NETWORKS))
    assert set(found) == {"equal", "refused"}
    assert min(found.values()) > NETWORKS / 4
