"""ONNX files as models: whole, sound, and of operators that ONNX has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eyelid.errors import InputError, UnsupportedError, UsageError
from eyelid.infer.onnx_refused import FormlessError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray
    from onnx import ModelProto, NodeProto

OLDEST: Final = 7
"""Of the versions of the operators: before it Dropout and BatchNormalization trained, and Add had axes."""


def load(path: Path) -> tuple[ModelProto, bytes]:
    """Return an ONNX file as a model, checked by onnx, and its bytes.

    Raises :class:`InputError` for a file that is missing, not ONNX, not sound or not whole,
    :class:`UnsupportedError` for operators of others or of old versions, and :class:`UsageError` where onnx
    is not installed.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise UsageError("Reading a network needs onnx: pip install 'eyelid[he]'.") from error
    try:
        source = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        model = onnx.load_model_from_string(source)
        _check_whole(path, model)
        _check_operators(path, model)
        onnx.checker.check_model(model)
    except (DecodeError, onnx.checker.ValidationError, TypeError, ValueError) as error:  # Type: no UTF-8
        raise InputError(f"{path} is not a sound ONNX file; export it again.") from error
    return model, source


def constants(path: Path, model: ModelProto) -> dict[str, NDArray[Any]]:
    """Return a model's weights by their names. Raises :class:`InputError` for damaged ones."""
    from onnx import numpy_helper

    found = {}
    for item in model.graph.initializer:
        try:
            found[item.name] = np.asarray(numpy_helper.to_array(item))
        except (LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path}: the weights {item.name} cannot be read; export it again.") from error
    return found


def refused(path: Path, name: str, why: FormlessError) -> UnsupportedError:
    """Return the error of a node called ``name`` that has no form here."""
    return UnsupportedError(
        f"{path}: node {name} is {why.what}, which private inference has no form for; use {why.rewrite}."
    )


def _check_whole(path: Path, model: ModelProto) -> None:
    from onnx import TensorProto

    tensors = [*model.graph.initializer, *(entry.t for item in model.graph.node for entry in item.attribute)]
    if any(item.data_location == TensorProto.EXTERNAL for item in tensors):
        raise InputError(
            f"{path} keeps its weights in another file; export it as one, with external_data=False, "
            "or load it with onnx.load and save it with onnx.save."
        )


def _check_operators(path: Path, model: ModelProto) -> None:
    """Refuse operators that ONNX does not have, or not in the version that the file is of."""
    from onnx import defs

    version = next((item.version for item in model.opset_import if not item.domain), 0)
    if 0 < version < OLDEST:
        raise UnsupportedError(
            f"{path} has operators of version {version}; export it again with opset {OLDEST} or later."
        )
    for item in model.graph.node:
        if item.domain:
            raise refused(path, _name(item), FormlessError(f"{item.op_type} of {item.domain}"))
        if version and not defs.has(item.op_type, version):
            raise refused(path, _name(item), FormlessError(item.op_type))


def _name(item: NodeProto) -> str:
    return item.name or item.op_type
