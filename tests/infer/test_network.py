from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
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
TRANSB = {"transB": 1}


def truth(path: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"image": batch.astype(np.float32)})[0])


def agrees(network: Network, path: Path, count: int = 3) -> None:
    batch = RNG.random((count, *network.input_shape)).astype(np.float32)
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


@pytest.mark.parametrize(
    ("kind", "rewrite"), [("MaxPool", "AveragePool"), ("Softmax", "use nothing in its place")]
)
def test_an_unsupported_operator_is_named_with_a_way_out(tmp_path: Path, kind: str, rewrite: str) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add(kind, "odd_one", **({"kernel_shape": [2, 2]} if kind == "MaxPool" else {}))
    with pytest.raises(UnsupportedError, match=f"node odd_one is {kind}.*{rewrite}"):
        read(build.save(tmp_path / "odd.onnx"))


@pytest.mark.parametrize("kind", ["Gelu", "NoSuch"])
def test_an_operator_that_the_file_s_version_does_not_have_is_named(tmp_path: Path, kind: str) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add(kind, "odd_one")
    with pytest.raises(UnsupportedError, match=f"node odd_one is {kind}.*use .*Relu"):
        read(build.save(tmp_path / "odd.onnx"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match="not a sound ONNX file"):
        read(tmp_path / "text.onnx")
    with pytest.raises(InputError, match="cannot be read"):
        read(tmp_path / "missing.onnx")


def test_pictures_that_the_network_itself_centres_and_scales(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("Sub", "centre", "image", np.asarray(0.1307, np.float32))
    build.add("Div", "scale", build.last, np.asarray(0.3081, np.float32))
    seen = build.add("Conv", "conv", build.last, RNG.standard_normal((3, 1, 3, 3)).astype(np.float32))
    shared = build.add("Identity", "shared", np.asarray([0.5, 1.5, 2.5], np.float32)[:, None, None])
    build.add("Sub", "bias", seen, shared)
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "centred.onnx")
    network = read(path)
    assert [node.name for node in network.nodes] == ["centre", "scale", "conv", "flat"]
    agrees(network, path)


@pytest.mark.parametrize(("kind", "rewrite"), [("Sub", "with a constant before"), ("Shape", "flatten")])
def test_what_only_looks_like_it_is_refused(kind: str, rewrite: str, tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    before = [np.asarray(1, np.float32)] if kind == "Sub" else []
    build.add(kind, "turned", *before, "image")
    with pytest.raises(UnsupportedError, match=f"node turned is {kind}.*{rewrite}"):
        read(build.save(tmp_path / "a.onnx"))


ONES = np.ones((3, 16), np.float32)
KERNEL = np.ones((3, 1, 3, 3), np.float32)
UNSOUND: dict[str, tuple[str, list[tuple[str, list[NDArray[Any]], dict[str, Any]]]]] = {
    "a width that does not fit": (
        "weights of node n1",
        [("Flatten", [], {}), ("Gemm", [ONES[:, :7]], TRANSB)],
    ),
    "a vector of a map": ("weights of node n0", [("Gemm", [ONES[:, :4]], TRANSB)]),
    "other channels": ("weights of node n0", [("Conv", [np.ones((3, 2, 3, 3), np.float32)], {})]),
    "another bias": ("weights of node n0", [("Conv", [KERNEL, np.ones(2, np.float32)], {})]),
    "no stride": ("weights of node n0", [("Conv", [KERNEL], {"strides": [0, 1]})]),
    "another bias of a vector": (
        "weights of node n1",
        [("Flatten", [], {}), ("Gemm", [ONES, np.ones(2, np.float32)], TRANSB)],
    ),
    "statistics of other channels": (
        "weights of node n1",
        [("Conv", [KERNEL[:1]], {}), ("BatchNormalization", [np.ones(3, np.float32)] * 4, {})],
    ),
    "NaN": ("node n0 has weights that are not numbers", [("Conv", [KERNEL * np.nan], {})]),
    "a negative variance": (
        "node n0 has weights that are not numbers",
        [
            ("Conv", [KERNEL[:1]], {}),
            ("BatchNormalization", [*[np.ones(1, np.float32)] * 3, -np.ones(1, np.float32)], {}),
        ],
    ),
    "an infinite factor": (
        "node n0 has weights that are not numbers",
        [("Mul", [np.asarray(np.inf, np.float32)], {}), ("Flatten", [], {})],
    ),
    "a division by zero": (
        "node n0 has weights that are not numbers",
        [("Div", [np.asarray(0, np.float32)], {}), ("Flatten", [], {})],
    ),
    "windows with gaps": (
        "node n0 is AveragePool",
        [("AveragePool", [], {"kernel_shape": [2, 2], "dilations": [2, 2]})],
    ),
    "a bias a row": (
        "node n2 is Add",
        [("Flatten", [], {}), ("Gemm", [ONES], TRANSB), ("Add", [np.ones((2, 3), np.float32)], {})],
    ),
}


@pytest.mark.parametrize("what", UNSOUND)
@pytest.mark.filterwarnings("error")
def test_a_network_that_is_not_sound_is_refused_by_its_node(what: str, tmp_path: Path) -> None:
    message, nodes = UNSOUND[what]
    build = OnnxBuilder((1, 4, 4))
    for number, (kind, weights, attributes) in enumerate(nodes):
        build.add(kind, f"n{number}", build.last, *weights, **attributes)
    with pytest.raises(InputError, match=message):
        read(build.save(tmp_path / "a.onnx", opset=19))


@pytest.mark.parametrize("kind", ["Pow", "MatMul"])
def test_a_constant_on_the_left_is_no_weight_on_the_right(kind: str, tmp_path: Path) -> None:
    """2^x is not x^2."""
    build = OnnxBuilder((1, 4, 4))
    flat = build.add("Flatten", "flat")
    build.add(kind, "turned", np.full((1, 1), 2, np.float32), flat)
    with pytest.raises(UnsupportedError, match=f"node turned is {kind} with a constant before"):
        read(build.save(tmp_path / "a.onnx"))


def test_what_follows_the_output_changes_nothing_before_it(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    scores = build.add("Conv", "scores", "image", KERNEL[:1])
    build.add("BatchNormalization", "idle", scores, *[np.full(1, 5, np.float32)] * 4)
    build.last = scores
    path = build.save(tmp_path / "a.onnx")
    with pytest.raises(UnsupportedError, match=r"node idle .*; drop it"):
        read(path)


def test_weights_in_another_file_are_refused_with_a_way_out(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("Conv", "conv", "image", np.ones((64, 1, 3, 3), np.float32))
    whole = onnx.load(build.save(tmp_path / "a.onnx"))
    onnx.save(whole, tmp_path / "b.onnx", save_as_external_data=True, size_threshold=0, location="b.data")
    with pytest.raises(InputError, match="external_data=False"):
        read(tmp_path / "b.onnx")
