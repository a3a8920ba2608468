"""Pad and ReduceMean as the padding and the pools that all ways of private inference have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eyelid.errors import UnsupportedError
from eyelid.infer.network import AveragePool, Convolution, Flatten
from eyelid.infer.onnx_reader import read
from tests.infer.networks import OnnxBuilder
from tests.infer.test_network import agrees

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

AROUND = np.array([0, 0, 1, 2, 0, 0, 0, 3])
"""Of a Pad: 1 row above, 2 columns to the left, none below, 3 to the right."""
ZERO = np.asarray(0, np.float32)


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [[2, 3], [-1, -2], [3, -2]])
@pytest.mark.parametrize("opset", [17, 18])
def test_a_mean_over_height_and_width_is_a_pool_of_all(
    opset: int, axes: list[int], keepdims: int, tmp_path: Path
) -> None:
    build = OnnxBuilder((2, 5, 4))
    build.add("Conv", "conv", "image", weights(3, 2, 2, 2))
    build.add("Mul", "square", build.last, build.last)
    if opset < 18:
        build.add("ReduceMean", "mean", axes=axes, keepdims=keepdims)
    else:
        build.add("ReduceMean", "mean", build.last, np.array(axes), keepdims=keepdims)
    if keepdims:
        build.add("Flatten", "flat")
    build.add("Gemm", "scores", build.last, weights(4, 3), transB=1)
    path = build.save(tmp_path / "a.onnx", opset)
    network = read(path)
    pool, flat = (network.nodes[number].operation for number in (2, 3))
    assert isinstance(pool, AveragePool)
    assert pool.kernel == (4, 3)
    assert isinstance(flat, Flatten)
    agrees(network, path)


def test_a_mean_over_height_and_width_may_be_the_answer(tmp_path: Path) -> None:
    build = OnnxBuilder((2, 3, 4))
    build.add("ReduceMean", "mean", axes=[2, 3], keepdims=0)
    path = build.save(tmp_path / "a.onnx")
    assert read(path).nodes[-1].shape == (2,)
    agrees(read(path), path)


BEHIND: dict[str, tuple[str, list[NDArray[Any]], dict[str, Any]]] = {
    "a convolution": ("Conv", [weights(3, 2, 3, 2)], {}),
    "one with padding of its own": ("Conv", [weights(3, 2, 3, 3)], {"pads": [0, 1, 2, 0], "strides": [2, 1]}),
    "one that keeps the size": ("Conv", [weights(3, 2, 3, 3)], {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "one of groups": ("Conv", [weights(2, 1, 2, 2), weights(2)], {"group": 2}),
    "a pool": ("AveragePool", [], {"kernel_shape": [2, 2], "strides": [2, 2]}),
    "a pool with padding of its own": (
        "AveragePool",
        [],
        {"kernel_shape": [3, 3], "pads": [1, 2, 0, 1], "count_include_pad": 1},
    ),
    "a pool of all": ("GlobalAveragePool", [], {}),
    "a mean": ("ReduceMean", [], {"axes": [2, 3]}),
}


@pytest.mark.parametrize("what", BEHIND)
def test_zeros_around_a_map_become_the_padding_of_what_is_behind(what: str, tmp_path: Path) -> None:
    kind, constants, attributes = BEHIND[what]
    build = OnnxBuilder((2, 5, 6))
    build.add("Mul", "square", "image", "image")
    build.add("Pad", "pad", build.last, AROUND)
    build.add(kind, "behind", build.last, *constants, **attributes)
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx")
    network = read(path)
    assert [node.name for node in network.nodes] == ["square", "behind", "flat"]
    agrees(network, path)


@pytest.mark.parametrize(
    ("opset", "constants", "attributes"),
    [
        (10, [], {"pads": AROUND.tolist(), "value": 0.0}),
        (11, [AROUND], {"mode": "constant"}),
        (17, [AROUND, ZERO], {}),
        (18, [AROUND[[2, 3, 6, 7]], ZERO, np.array([2, 3])], {}),
        (18, [AROUND[[3, 2, 7, 6]], "", np.array([-1, -2])], {}),
    ],
)
def test_every_form_of_pad(
    opset: int, constants: list[Any], attributes: dict[str, Any], tmp_path: Path
) -> None:
    build = OnnxBuilder((2, 5, 6))
    build.add("Pad", "pad", "image", *constants, **attributes)
    build.add("Conv", "conv", build.last, weights(3, 2, 3, 3))
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx", opset)
    network = read(path)
    first = network.nodes[0].operation
    assert isinstance(first, Convolution)
    assert first.padding == (1, 2, 0, 3)
    agrees(network, path)


def test_one_pad_before_two_layers_and_normalisation_on_both_sides(tmp_path: Path) -> None:
    build = OnnxBuilder((2, 5, 6))
    norm = [np.abs(weights(3)) + np.float32(0.5 + number) for number in range(4)]
    build.add("Conv", "first", "image", weights(3, 2, 2, 2))
    build.add("BatchNormalization", "before", build.last, *norm)
    seen = build.add("Pad", "pad", build.last, AROUND)
    one = build.add("Conv", "one", seen, weights(3, 3, 3, 3))
    one = build.add("BatchNormalization", "behind", one, *norm)
    two = build.add("AveragePool", "two", seen, kernel_shape=[3, 3])
    build.add("Add", "join", one, two)
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx")
    network = read(path)
    assert [node.name for node in network.nodes] == ["first", "one", "two", "join", "flat"]
    agrees(network, path)


def test_a_pad_of_nothing_is_nothing(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("Pad", "pad", "image", AROUND * 0)
    build.add("Relu", "relu")
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx")
    assert [node.name for node in read(path).nodes] == ["relu", "flat"]


CHANNELS = np.array([0, 1, 0, 0, 0, 0, 0, 0])
REFUSED: dict[str, tuple[str, str, list[Any], dict[str, Any]]] = {
    "reflection": ("Pad in reflect mode.*use zeros", "Pad", [AROUND], {"mode": "reflect"}),
    "edges": ("Pad in edge mode.*use zeros", "Pad", [AROUND], {"mode": "edge"}),
    "ones": ("Pad with a value other than 0.*use zeros", "Pad", [AROUND, ZERO + 1], {}),
    "NaN": ("Pad with a value other than 0.*use zeros", "Pad", [AROUND, ZERO * np.float32(np.nan)], {}),
    "channels": ("Pad of other axes.*height and width.*Conv of more", "Pad", [CHANNELS], {}),
    "too few sizes": ("Pad of other axes", "Pad", [AROUND[:6]], {}),
    "an axis twice": ("Pad of other axes", "Pad", [AROUND[[2, 2, 2, 2]], ZERO, np.array([2, -2])], {}),
    "no such axis": ("Pad of other axes", "Pad", [AROUND[[2, 2]], ZERO, np.array([7])], {}),
    "a crop": (r"Pad that cuts off .*use a crop", "Pad", [-AROUND], {}),
    "channels averaged": (r"ReduceMean over axes \[1\].*1 x 1 Conv", "ReduceMean", [np.array([1])], {}),
    "rows averaged": (r"ReduceMean over axes \[2\].*AveragePool", "ReduceMean", [np.array([2])], {}),
    "all but pictures": (r"ReduceMean over axes \[1, 2, 3\]", "ReduceMean", [np.array([1, 2, 3])], {}),
    "everything": ("ReduceMean over all axes.*axes 2 and 3", "ReduceMean", [], {}),
}


@pytest.mark.parametrize("what", REFUSED)
def test_all_else_is_refused_by_its_node_with_a_way_out(what: str, tmp_path: Path) -> None:
    message, kind, constants, attributes = REFUSED[what]
    build = OnnxBuilder((2, 5, 6))
    build.add(kind, "odd_one", "image", *constants, **attributes)
    build.add("Conv", "conv", build.last, weights(3, 2, 1, 1))
    with pytest.raises(UnsupportedError, match=f"node odd_one is {message}"):
        read(build.save(tmp_path / "a.onnx", opset=18))


def test_a_mean_of_a_vector_is_refused(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("Flatten", "flat")
    build.add("ReduceMean", "mean", axes=[1], keepdims=1)
    with pytest.raises(UnsupportedError, match=r"node mean is ReduceMean over axes \[1\]"):
        read(build.save(tmp_path / "a.onnx"))


@pytest.mark.parametrize("kind", ["Relu", "BatchNormalization", "Add", "Mul", "Flatten", "Pad", None])
def test_a_pad_before_anything_else_is_refused(kind: str | None, tmp_path: Path) -> None:
    """Its zeros are not around what these layers make."""
    build = OnnxBuilder((1, 4, 4))
    build.add("Conv", "conv", "image", weights(1, 1, 1, 1))
    build.add("Pad", "pad", build.last, AROUND)
    others: dict[str, list[Any]] = {
        "BatchNormalization": [np.ones(1, np.float32)] * 4,
        "Add": [ZERO + 1],
        "Mul": [build.last],
        "Pad": [AROUND],
    }
    if kind is not None:
        build.add(kind, "taker", build.last, *others.get(kind, []))
        build.add("Conv", "last", build.last, weights(1, 1, 1, 1))
    what = f"Pad before {kind or 'the output'}, .*; use Pad directly before a Conv or an average pool"
    with pytest.raises(UnsupportedError, match=f"node pad is {what}"):
        read(build.save(tmp_path / "a.onnx"))


def test_a_bias_that_the_image_decides_is_refused(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 1, 1))
    bias = build.add("Flatten", "flat")
    build.add("Conv", "conv", "image", weights(1, 1, 1, 1), bias)
    with pytest.raises(UnsupportedError, match=r"node conv is Conv with .*computed weights"):
        read(build.save(tmp_path / "a.onnx"))


@pytest.mark.filterwarnings("ignore")  # of the exporter, which is old
def test_what_torch_exports(tmp_path: Path) -> None:
    """It computes the sizes of a Pad in nodes of constants."""
    torch = pytest.importorskip("torch", reason="needs torch: pip install 'eyelid[attack]'")

    class Padded(torch.nn.Module):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 3, 3, bias=False)
            self.around = torch.nn.ZeroPad2d((1, 0, 2, 1))
            self.last = torch.nn.Linear(3, 4)

        def forward(self, x: Any) -> Any:
            seen = self.conv(torch.nn.functional.pad(x, (2, 1, 0, 3)))
            pooled = torch.nn.functional.avg_pool2d(self.around(seen * seen), 2)
            return self.last(pooled.mean((2, 3)))

    path = tmp_path / "torch.onnx"
    example = torch.zeros(1, 2, 5, 6)
    torch.onnx.export(
        Padded(), (example,), path, dynamo=False, input_names=["image"], dynamic_axes={"image": {0: "n"}}
    )
    network = read(path)
    kinds = [type(node.operation).__name__ for node in network.nodes]
    assert kinds == ["Convolution", "Square", "AveragePool", "AveragePool", "Flatten", "Linear"]
    agrees(network, path)


def test_sizes_without_end_are_not_made(tmp_path: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("ConstantOfShape", "endless", np.array([2**40]))
    build.add("Pad", "pad", "image", build.last)
    with pytest.raises(UnsupportedError, match=r"node endless \(ConstantOfShape\) works on constants alone"):
        read(build.save(tmp_path / "a.onnx"))
