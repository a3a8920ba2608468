"""Frames and networks for the tests of detectors."""

from pathlib import Path

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from eyelid.types import Bgr, RawFrame


def frame_of(picture: Bgr) -> RawFrame:
    """A frame that shows ``picture``, for detectors (it has no planes)."""

    def render(width: int, height: int) -> Bgr:
        shrinks = width < picture.shape[1]
        sized = cv2.resize(
            picture, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
        return np.asarray(sized, np.uint8)

    return RawFrame(picture.shape[1], picture.shape[0], (), render)


def blank(width: int, height: int, value: int = 90) -> RawFrame:
    """A frame of one grey."""
    return frame_of(np.full((height, width, 3), value, np.uint8))


def constant_network(path: Path, output: NDArray[np.float32], side: int | None = 64) -> Path:
    """Write an ONNX network (1, 3, side, side) that answers ``output`` to every picture.

    It adds 0 times the mean of the picture, so that its input is used.
    """
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
            helper.make_node("Add", ["answer", "nothing"], ["output"]),
        ],
        "constant",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, side or "h", side or "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, output.shape)],
        [
            numpy_helper.from_array(output.astype(np.float32), "answer"),
            numpy_helper.from_array(np.array(0, np.float32), "zero"),
        ],
    )
    return save(graph, path)


def save(graph: onnx.GraphProto, path: Path) -> Path:
    """Write a checked network."""
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path
