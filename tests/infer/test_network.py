from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
import pytest

from eyelid.errors import InputError, UnsupportedError
from eyelid.infer.network import Convolution, Linear, Network, Relu, Square
from eyelid.infer.onnx_reader import read
from tests.infer.networks import OnnxBuilder, write

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.infer.conftest import Digits

RNG = np.random.default_rng(1)


def truth(path: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": batch.astype(np.float32)})[0])


def agrees(network: Network, path: Path) -> None:
    batch = RNG.random((3, *network.input_shape)).astype(np.float32)
    assert np.allclose(network.run(batch), truth(path, batch), rtol=1e-4, atol=1e-4)


def test_the_tutorial_network_is_read(tutorial_onnx: Path, digits: Digits) -> None:
    network = read(tutorial_onnx)
    assert network.input_shape == (1, 28, 28)
    assert network.digest == hashlib.sha256(tutorial_onnx.read_bytes()).hexdigest()
    kinds = [type(node.operation).__name__ for node in network.nodes]
    assert kinds == ["Convolution", "Square", "Flatten", "Linear", "Square", "Linear"]
    assert [node.shape for node in network.nodes] == [(4, 8, 8), (4, 8, 8), (256,), (64,), (64,), (10,)]
    agrees(network, tutorial_onnx)
    found = network.run(digits.test_images.astype(np.float64)).argmax(1)
    assert (found == digits.test_labels).mean() > 0.95


def test_rectifiers_are_read(relu_onnx: Path) -> None:
    network = read(relu_onnx)
    assert sum(isinstance(node.operation, Relu) for node in network.nodes) == 2
    agrees(network, relu_onnx)


def test_batch_norm_is_folded_into_the_layer_before_it(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'eyelid[attack]'")
    nn = torch.nn
    norm = nn.BatchNorm2d(6)
    with torch.no_grad():
        for values in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            assert values is not None
            values.uniform_(0.5, 2)
    layers = [
        nn.Conv2d(3, 6, 3, 2, 1),
        norm.eval(),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(24, 5),
    ]
    path = write(layers, (3, 8, 8), tmp_path / "norm.onnx")
    network = read(path)
    assert [type(node.operation).__name__ for node in network.nodes][:2] == ["Convolution", "Relu"]
    agrees(network, path)


def test_groups_padding_residual_and_own_bias(tmp_path: Path) -> None:
    build = OnnxBuilder((4, 9, 7))
    kernel = RNG.standard_normal((4, 2, 3, 3)).astype(np.float32)
    first = build.add("Conv", "first", "image", kernel, group=2, pads=[1, 1, 1, 1])
    build.add("Add", "bias", first, RNG.standard_normal((1, 4, 1, 1)).astype(np.float32))
    biased = build.last
    build.add("Mul", "square", biased, biased)
    build.add("Add", "join", build.last, "image")
    build.add("Conv", "same", build.last, kernel, group=2, auto_pad="SAME_LOWER", strides=[2, 2])
    build.add("GlobalAveragePool", "mean")
    build.add("Flatten", "flat")
    build.add("MatMul", "scores", build.last, RNG.standard_normal((4, 3)).astype(np.float32))
    path = build.save(tmp_path / "branches.onnx")
    network = read(path)
    assert [node.name for node in network.nodes][:3] == ["first", "square", "join"]
    assert isinstance(network.nodes[0].operation, Convolution)
    assert isinstance(network.nodes[1].operation, Square)
    assert isinstance(network.nodes[-1].operation, Linear)
    agrees(network, path)


@pytest.mark.parametrize(("kind", "rewrite"), [("MaxPool", "AveragePool"), ("Softmax", "leave it out")])
def test_an_unsupported_operator_is_named_with_a_way_out(tmp_path: Path, kind: str, rewrite: str) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add(kind, "odd_one", **({"kernel_shape": [2, 2]} if kind == "MaxPool" else {}))
    with pytest.raises(UnsupportedError, match=f"node odd_one is {kind}.*{rewrite}"):
        read(build.save(tmp_path / "odd.onnx"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="not a sound ONNX file"):
        read(tmp_path / "text.onnx")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "missing.onnx")
