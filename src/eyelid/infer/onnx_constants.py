"""Constants, and nodes on constants alone: how exporters write the sizes of a Pad, for one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from onnx import NodeProto

KINDS: Final = {
    "Add",
    "Cast",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Gather",
    "Mul",
    "Reshape",
    "Slice",
    "Squeeze",
    "Sub",
    "Transpose",
    "Unsqueeze",
}
MOST: Final = 64
"""Elements of each input: sizes and scalars, no weights."""


def folded(item: NodeProto, constants: Mapping[str, NDArray[Any]]) -> NDArray[Any] | None:
    """Return what a node makes of constants, None where it takes other inputs, or is none of KINDS."""
    inputs = {key: constants[key] for key in item.input if key in constants}
    if item.op_type not in KINDS or len(inputs) != len({key for key in item.input if key}):
        return None
    if any(values.size > MOST for values in inputs.values()):
        return None
    from onnx.reference import ReferenceEvaluator

    try:
        if item.op_type == "ConstantOfShape" and math.prod(map(int, *inputs.values())) > MOST:
            return None
        (made,) = ReferenceEvaluator(item).run(None, inputs)
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError):
        return None  # not sound, or of an old version of ONNX: refused with its name
    return np.asarray(made)
