"""Padded maps and means of whole maps under encryption: the answers of onnxruntime on the same file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.infer.he.artefact import Target
from eyelid.infer.he.compile import compile as compiled
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.network import (
    AveragePool,
    Convolution,
    Flatten,
    Linear,
    Network,
    Node,
    Polynomial,
    output_shape,
)
from eyelid.infer.onnx_reader import read
from tests.infer.he.test_compile import Client
from tests.infer.networks import OnnxBuilder
from tests.infer.test_network import truth

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.infer.network import Operation


def weights(*shape: int) -> NDArray[np.float32]:
    random = np.random.default_rng(sum(shape))
    return (random.standard_normal(shape) / np.prod(shape[1:]) ** 0.5).astype(np.float32)


def encrypted(network: Network, target: Target) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Return images, and the decrypted scores of them."""
    images = np.random.default_rng(3).random((6, *network.input_shape)).astype(np.float32)
    artefact = compiled(network, images, target)
    shown = images if target is Target.THROUGHPUT else images[:1]
    return shown, Client(artefact).infer(Evaluator(artefact), shown)


def is_near(found: NDArray[np.float64], expected: NDArray[np.floating]) -> bool:
    return bool(np.abs(found - expected).max() < 0.01 * np.abs(expected).max())


@pytest.mark.parametrize("target", list(Target))
def test_zeros_around_the_picture_and_around_a_map(target: Target, tmp_path: Path) -> None:
    """Asymmetric, with windows of the pool that see nothing but padding."""
    build = OnnxBuilder((1, 5, 6))
    build.add("Pad", "around", "image", np.array([0, 0, 2, 0, 0, 0, 1, 1]))
    build.add("Conv", "conv", build.last, weights(2, 1, 3, 3), weights(2))
    build.add("Mul", "square", build.last, build.last)
    build.add("Pad", "wide", build.last, np.array([0, 0, 0, 2, 0, 0, 1, 3]))
    build.add("AveragePool", "pool", build.last, kernel_shape=[2, 2], strides=[2, 2])
    build.add("Flatten", "flat")
    build.add("Gemm", "scores", build.last, weights(3, 30), weights(3), transB=1)
    path = build.save(tmp_path / "padded.onnx")
    network = read(path)
    assert [node.name for node in network.nodes] == ["conv", "square", "pool", "flat", "scores"]
    images, found = encrypted(network, target)
    assert is_near(found, truth(path, images))


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("target", list(Target))
def test_means_of_whole_maps(target: Target, keepdims: int, tmp_path: Path) -> None:
    build = OnnxBuilder((1, 5, 6))
    build.add("Conv", "conv", "image", weights(4, 1, 3, 3), weights(4), pads=[1, 1, 1, 1])
    build.add("Mul", "square", build.last, build.last)
    build.add("ReduceMean", "mean", axes=[2, 3], keepdims=keepdims)
    if keepdims:
        build.add("Flatten", "flat")
    build.add("Gemm", "scores", build.last, weights(3, 4), weights(3), transB=1)
    path = build.save(tmp_path / "mean.onnx")
    images, found = encrypted(read(path), target)
    assert is_near(found, truth(path, images))


@pytest.mark.parametrize("target", list(Target))
def test_what_an_activation_makes_of_0_is_not_in_the_padding_of_the_pool_behind_it(target: Target) -> None:
    operations: tuple[Operation, ...] = (
        Convolution(weights(2, 1, 2, 2).astype(np.float64), np.zeros(2)),
        Polynomial((3.0, 0.5, 1.0)),
        AveragePool((2, 2), (2, 2), (1, 1, 1, 1)),
        Flatten(),
        Linear(weights(2, 18).astype(np.float64), np.zeros(2)),
    )
    nodes: list[Node] = []
    shape: tuple[int, ...] = (1, 5, 5)
    for number, operation in enumerate(operations):
        shape = output_shape(operation, shape)
        nodes.append(Node(f"n{number}", operation, (nodes[-1].name if nodes else "input",), shape))
    network = Network((1, 5, 5), tuple(nodes), "0" * 64)
    images, found = encrypted(network, target)
    assert is_near(found, network.run(images))
