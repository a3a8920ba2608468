"""Turns a TF.js graph model (model.json and its .bin files) into ONNX.

Needs tensorflow-cpu 2.21 and tf2onnx 1.17, at conversion time only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf2onnx
from google.protobuf import json_format
from tensorflow.core.framework.graph_pb2 import GraphDef
from tensorflow.core.framework.node_def_pb2 import NodeDef

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import onnx

Array = np.ndarray[Any, Any]

OPSET = 15
FLOAT = tf.float32.as_datatype_enum
INT64, INT32 = tf.int64.as_datatype_enum, tf.int32.as_datatype_enum
FUSED = {
    "_FusedConv2D": ("Conv2D", ("strides", "padding", "dilations", "data_format", "explicit_paddings")),
    "FusedDepthwiseConv2dNative": (
        "DepthwiseConv2dNative",
        ("strides", "padding", "dilations", "data_format"),
    ),
    "_FusedMatMul": ("MatMul", ("transpose_a", "transpose_b")),
}


def read_weights(folder: Path, manifest: list[dict[str, Any]]) -> dict[str, Array]:
    """Return the named arrays of all shards, quantised ones expanded to their own type."""
    arrays = {}
    for group in manifest:
        data = b"".join((folder / shard).read_bytes() for shard in group["paths"])
        offset = 0
        for entry in group["weights"]:
            stored = entry.get("quantization", {})
            kind = np.dtype(stored.get("dtype", entry["dtype"]))
            count = int(np.prod(entry["shape"]))
            values: Array = np.frombuffer(data, kind, count, offset)
            offset += count * kind.itemsize
            if "scale" in stored:
                values = values.astype(np.float32) * stored["scale"] + stored["min"]
            arrays[entry["name"]] = values.astype(entry["dtype"]).reshape(entry["shape"])
    return arrays


def node(name: str, op: str, *inputs: str) -> NodeDef:
    """Return a float node."""
    made = NodeDef(name=name, op=op, input=inputs)
    made.attr["T"].type = FLOAT
    return made


def constant(name: str, values: Array) -> NodeDef:
    """Return a Const node."""
    made = NodeDef(name=name, op="Const")
    tensor = tf.make_tensor_proto(values)
    made.attr["value"].tensor.CopyFrom(tensor)
    made.attr["dtype"].type = tensor.dtype
    return made


def prelu(name: str, value: str, alpha: str) -> Iterator[NodeDef]:
    """Yield relu(x) - alpha * relu(-x)."""
    yield node(f"{name}/positive", "Relu", value)
    yield node(f"{name}/negated", "Neg", value)
    yield node(f"{name}/negative", "Relu", f"{name}/negated")
    yield node(f"{name}/scaled", "Mul", f"{name}/negative", alpha)
    yield node(name, "Sub", f"{name}/positive", f"{name}/scaled")


def unfused(fused: NodeDef) -> Iterator[NodeDef]:
    """Yield the plain nodes that a fused one stands for."""
    op, attributes = FUSED[fused.op]
    base = node(f"{fused.name}/base", op, *fused.input[:2])
    for key in attributes:
        if key in fused.attr:
            base.attr[key].CopyFrom(fused.attr[key])
    yield base
    arguments = iter(fused.input[2:])
    steps = [step.decode() for step in fused.attr["fused_ops"].list.s]
    value = base.name
    for i, step in enumerate(steps):
        name = fused.name if i == len(steps) - 1 else f"{fused.name}/step{i}"
        if step == "BiasAdd":
            yield node(name, "AddV2", value, next(arguments))
        elif step == "Prelu":
            yield from prelu(name, value, next(arguments))
        else:
            yield node(name, step, value)
        value = name


def read_graph(path: Path) -> GraphDef:
    """Return the graph of a model.json, its weights as constants and its fused operations as plain ones."""
    described = json.loads(path.read_text(encoding="utf-8"))
    topology = described["modelTopology"]
    weights = read_weights(path.parent, described["weightsManifest"])
    fields = {key: topology[key] for key in ("node", "library", "versions") if key in topology}
    source = json_format.ParseDict(fields, GraphDef(), ignore_unknown_fields=True)
    graph = GraphDef()
    graph.versions.producer = 1000
    for entry in source.node:
        for value in entry.attr.values():
            if value.type == INT64:  # TF.js computes them as int32
                value.type = INT32
        if entry.op == "Const" and entry.name in weights:
            graph.node.append(constant(entry.name, weights[entry.name]))
        elif entry.op in FUSED:
            graph.node.extend(unfused(entry))
        elif entry.op == "Prelu":
            graph.node.extend(prelu(entry.name, entry.input[0], entry.input[1]))
        else:
            graph.node.append(entry)
    return graph


def convert(path: Path, outputs: list[str] | None = None) -> onnx.ModelProto:
    """Return the ONNX network of a model.json, with these outputs, or with all that nothing else uses."""
    graph = read_graph(path)
    used = {name.split(":")[0].lstrip("^") for entry in graph.node for name in entry.input}
    inputs = [f"{entry.name}:0" for entry in graph.node if entry.op == "Placeholder"]
    outputs = outputs or [
        f"{entry.name}:0"
        for entry in graph.node
        if entry.name not in used and entry.op not in ("Placeholder", "Const", "NoOp")
    ]
    model, _ = tf2onnx.convert.from_graph_def(graph, input_names=inputs, output_names=outputs, opset=OPSET)
    return model
