"""Networks that look like others: read as onnxruntime runs them, or refused by the name of the node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from eyelid.errors import InputError, UnsupportedError
from eyelid.infer.onnx_reader import read
from tests.infer.networks import OnnxBuilder
from tests.infer.test_network import agrees

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

SHAPE = (2, 5, 6)
FEATURES = 60


def weights(*shape: int) -> NDArray[np.float32]:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


KERNEL = weights(3, 2, 3, 3)
STATISTICS = [np.abs(weights(2)) + np.float32(number + 1) for number in range(4)]
HALF = np.asarray(0.5, np.float32)

LOOK_ALIKES: dict[str, tuple[str, list[tuple[str, list[Any], dict[str, Any]]]]] = {
    "statistics of the batch": (
        "node odd is BatchNormalization in training mode.*eval",
        [("BatchNormalization", STATISTICS, {"training_mode": 1})],
    ),
    "neurons left out": (
        "node odd is Dropout in training mode.*eval",
        [("Dropout", [HALF, np.array(True)], {})],
    ),
    "padding beside VALID": (
        "node odd do not fit",
        [("AveragePool", [], {"kernel_shape": [2, 2], "auto_pad": "VALID", "pads": [1, 1, 1, 1]})],
    ),
    "padding beside SAME": (
        "node odd do not fit",
        [("Conv", [KERNEL], {"auto_pad": "SAME_UPPER", "pads": [1, 1, 1, 1]})],
    ),
    "padding of no known kind": ("node odd do not fit", [("Conv", [KERNEL], {"auto_pad": "SAME"})]),
    "another size than the weights": ("node odd do not fit", [("Conv", [KERNEL], {"kernel_shape": [2, 2]})]),
    "no groups": ("node odd do not fit", [("Conv", [KERNEL], {"group": 0})]),
    "one stride": ("node odd do not fit", [("Conv", [KERNEL], {"strides": [2]})]),
    "three strides": ("node odd do not fit", [("Conv", [KERNEL], {"strides": [2, 2, 2]})]),
    "padding of one axis": ("node odd do not fit", [("Conv", [KERNEL], {"pads": [1, 1]})]),
    "a row as window": ("node odd do not fit", [("AveragePool", [], {"kernel_shape": [2]})]),
    "a cube as window": ("node odd do not fit", [("AveragePool", [], {"kernel_shape": [2, 2, 2]})]),
    "nothing as window": ("node odd do not fit", [("AveragePool", [], {"kernel_shape": [0, 2]})]),
    "the mean of a vector": (
        "node odd is GlobalAveragePool",
        [("Flatten", [], {}), ("GlobalAveragePool", [], {})],
    ),
    "windows over a vector": (
        "node odd do not fit",
        [("Flatten", [], {}), ("AveragePool", [], {"kernel_shape": [2, 2], "auto_pad": "SAME_UPPER"})],
    ),
    "a bias for each image of four": (
        "node odd do not fit",
        [("Flatten", [], {}), ("Gemm", [weights(FEATURES, 4), weights(4, 1)], {})],
    ),
    "two rows of an image": ("node odd is Reshape", [("Reshape", [np.array([2, -1])], {})]),
    "an image a column": ("node odd is Reshape", [("Reshape", [np.array([FEATURES, -1])], {})]),
    "no images": ("node odd is Reshape", [("Reshape", [np.array([0, FEATURES])], {"allowzero": 1})]),
    "a fifth axis": ("node odd is Add with a constant of more axes", [("Add", [weights(1, 1, 1, 1, 1)], {})]),
    "a fifth axis of a bias": (
        "node odd is Add with a constant of more axes",
        [("Conv", [KERNEL], {}), ("Add", [weights(1, 1, 3, 1, 1)], {})],
    ),
    "a third axis of a vector": (
        "node odd is Pow with a constant of more axes",
        [("Flatten", [], {}), ("Pow", [np.full((1, 1, 1), 2, np.float32)], {})],
    ),
    "words": ("node odd do not fit", [("Add", [np.array(["a"], np.str_)], {})]),
    "a power in words": ("node odd is Pow", [("Pow", [np.array(["2"], np.str_)], {})]),
    "complex numbers": ("node odd do not fit", [("Mul", [np.asarray(1j, np.complex64)], {})]),
    "whole numbers": ("node odd do not fit", [("Add", [np.asarray(1, np.int64)], {})]),
    "the mean of each colour": (
        "node odd is Sub with a constant of many numbers.*; use a single number or BatchNormalization",
        [("Sub", [weights(1, 2, 1, 1)], {})],
    ),
    "a division by channels": (
        "node odd is Div with a constant of many numbers.*; use a single number or BatchNormalization",
        [("Conv", [KERNEL], {}), ("Div", [weights(3, 1, 1)], {})],
    ),
}


@pytest.mark.parametrize("what", LOOK_ALIKES)
def test_what_looks_like_another_network_is_refused_by_its_node(what: str, tmp_path: Path) -> None:
    message, nodes = LOOK_ALIKES[what]
    build = OnnxBuilder(SHAPE)
    for number, (kind, constants, attributes) in enumerate(nodes):
        name = "odd" if number == len(nodes) - 1 else f"n{number}"
        build.add(kind, name, build.last, *constants, **attributes)
    if build.nodes[-1].op_type == "BatchNormalization":
        build.nodes[-1].output.extend(["mean", "variance"])
    build.add("Flatten", "flat")
    with pytest.raises((InputError, UnsupportedError), match=message):
        read(build.save(tmp_path / "a.onnx"))


@pytest.mark.parametrize("domain", ["com.microsoft", "mine"])
def test_an_operator_of_another_kin_is_none_of_onnx(domain: str, tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.add("Relu", "odd", domain=domain)
    path = build.save(tmp_path / "a.onnx")
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid(domain, 1))
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match=f"node odd is Relu of {domain}, which"):
        read(path)


def test_operators_of_before_2017_mean_something_else(tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.add("Dropout", "dropout")
    with pytest.raises(UnsupportedError, match=r"operators of version 6; .*7 or later"):
        read(build.save(tmp_path / "a.onnx", opset=6))


@pytest.mark.parametrize("kind", [TensorProto.UINT8, TensorProto.INT32])
def test_whole_numbers_as_input_are_refused(kind: int, tmp_path: Path) -> None:
    """Half of 1 is 0 there, and 1 less than 0 is 255."""
    build = OnnxBuilder(SHAPE)
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx")
    model = onnx.load(path)
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.elem_type = kind
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match="the input must be of floating-point numbers"):
        read(path)


def test_a_node_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    seen = build.add("Mul", "square", "image", "image")
    build.add("Mul", "idle", seen, seen)
    build.add("Flatten", "flat", seen)
    with pytest.raises(UnsupportedError, match=r"node idle .*drop it"):
        read(build.save(tmp_path / "a.onnx"))


def test_a_network_without_layers_is_refused(tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.add("Identity", "same")
    with pytest.raises(UnsupportedError, match="no layer"):
        read(build.save(tmp_path / "a.onnx"))


def outside(tensor: TensorProto) -> TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="outside.bin")
    return tensor


def test_a_constant_in_another_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be one of the folder that the user is in, whoever made the network."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside.bin").write_bytes(b"abcd")
    build = OnnxBuilder(SHAPE)
    build.nodes.append(helper.make_node("Constant", [], ["k"], value=outside(numpy_helper.from_array(HALF))))
    build.add("Mul", "scaled", "image", "k")
    with pytest.raises(InputError, match="external_data=False"):
        read(build.save(tmp_path / "a.onnx"))


DAMAGE: dict[str, tuple[str, bytes, bytes]] = {
    "more numbers than places": ("weights kernel.1 cannot be read", b"\x08\x03\x08\x02", b"\x08\x03\x08\x01"),
    "numbers of no known kind": ("weights kernel.1 cannot be read", b"\x10\x01B", b"\x10\x63B"),
    "an operator that is no word": ("not a sound ONNX file", b"Conv", b"Co\xff\xfe"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_file_is_refused(what: str, tmp_path: Path) -> None:
    message, before, after = DAMAGE[what]
    build = OnnxBuilder(SHAPE)
    build.add("Conv", "kernel", "image", KERNEL)
    path = build.save(tmp_path / "a.onnx")
    whole = path.read_bytes()
    assert whole.count(before) == 1
    path.write_bytes(whole.replace(before, after))
    with pytest.raises(InputError, match=message):
        read(path)


@pytest.mark.parametrize("sizes", [[1, -1], [0, -1], [-1, FEATURES], [0, FEATURES], [1, FEATURES]])
def test_every_form_of_reshape_that_flattens(sizes: list[int], tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.add("Reshape", "flat", "image", np.array(sizes))
    path = build.save(tmp_path / "a.onnx")
    model = onnx.load(path)
    if sizes[0] == 1:
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    onnx.save(model, path)
    agrees(read(path), path, count=1)


@pytest.mark.parametrize(
    "bias", [weights(4), weights(1, 4), weights(1), weights(1, 1), np.asarray(2, np.float32)]
)
@pytest.mark.parametrize("turned", [0, 1])
def test_every_form_of_gemm(turned: int, bias: NDArray[np.float32], tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.add("Flatten", "flat")
    matrix = weights(4, FEATURES) if turned else weights(FEATURES, 4)
    build.add("Gemm", "scores", build.last, matrix, bias, transB=turned, alpha=0.5, beta=2.0)
    path = build.save(tmp_path / "a.onnx")
    agrees(read(path), path)


CONSTANTS: dict[str, Any] = {
    "value_float": 2.0,
    "value_floats": [2.0],
    "value": numpy_helper.from_array(HALF),
}


@pytest.mark.parametrize("form", CONSTANTS)
def test_every_form_of_constant(form: str, tmp_path: Path) -> None:
    build = OnnxBuilder(SHAPE)
    build.nodes.append(helper.make_node("Constant", [], ["k"], **{form: CONSTANTS[form]}))
    build.add("Mul", "scaled", "image", "k")
    build.add("Flatten", "flat")
    path = build.save(tmp_path / "a.onnx")
    agrees(read(path), path)
