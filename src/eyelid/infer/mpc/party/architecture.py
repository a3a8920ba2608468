"""Whether an architecture makes sense: a party checks what another sends before it builds anything of it."""

from __future__ import annotations

import math
from typing import Any

MOST_LAYERS = 1_000
MOST_VALUES = 2**24
"""Of an image, or of what a layer makes of one."""
MOST_WEIGHTS = 2**26
MOST_WORK = 2**28
"""Values that all layers together make of one image, patches of convolutions included."""
MOST_IMAGES = 256
"""Computed at once; fewer where all of them would make more values than MOST_WORK."""
MOST_SIDE = 512
"""Of a kernel: each row and each column of it is a step of the program."""
MOST_POWERS = 32
MOST_COEFFICIENT = 2.0**20
MOST_LETTERS = 1_000
"""Of a layer's name."""
INPUT = "input"

_LAYER = {"name", "kind", "inputs", "shape"}
_WINDOW = {"kernel", "stride", "padding"}
_OWN: dict[str, set[str]] = {
    "conv": _WINDOW,
    "pool": _WINDOW,
    "linear": set(),
    "relu": set(),
    "square": set(),
    "polynomial": {"coefficients"},
    "add": set(),
    "flatten": set(),
}


def check(plan: object) -> int:
    """Return how many images may be computed at once; raises ValueError, whose text quotes numbers alone.

    Names are distinct, each layer takes what is there, every shape is what its layer makes, the weights are
    those of the layers, and all sizes are within the bounds above.
    """
    if not isinstance(plan, dict) or set(plan) != {"input_shape", "nodes", "weights"}:
        raise ValueError("it is not an input, layers and weights")
    if not isinstance(plan["nodes"], list) or not 0 < len(plan["nodes"]) <= MOST_LAYERS:
        raise ValueError(f"it has not 1 to {MOST_LAYERS:,} layers")
    if not isinstance(plan["weights"], list) or len(plan["weights"]) > 2 * MOST_LAYERS:
        raise ValueError("its weights are no list, or too many")
    shapes = {INPUT: _sizes(plan["input_shape"], "the image", 3)}
    taken, work, names = 0, _values(shapes[INPUT], "the image"), {INPUT}
    weights = [_sizes(shape, f"weight {number}") for number, shape in enumerate(plan["weights"])]
    if sum(map(math.prod, weights)) > MOST_WEIGHTS:
        raise ValueError(f"it has more than {MOST_WEIGHTS:,} weights")
    for number, node in enumerate(plan["nodes"]):
        where = f"layer {number}"
        inputs = [shapes[name] for name in _inputs(node, where, shapes)]
        own = weights[taken : taken + 2] if node["kind"] in ("conv", "linear") else []
        made, cost = _layer(node, where, inputs, own)
        taken += 2 if node["kind"] in ("conv", "linear") else 0
        if _sizes(node["shape"], where) != made:
            raise ValueError(f"{where} is said to make {node['shape']}, and makes {list(made)}")
        _values(made, where)
        work += max(cost, math.prod(made))
        if work > MOST_WORK:
            raise ValueError(f"it makes more than {MOST_WORK:,} values of one image")
        new = {node["name"], *weights_of(node)}
        if new & names:
            raise ValueError(f"{where} has the name of another")
        names |= new
        shapes[node["name"]] = made
    if taken != len(weights):
        raise ValueError(f"it has {len(weights)} weights, and its layers {taken}")
    return max(1, min(MOST_IMAGES, MOST_WORK // work))


def weights_of(node: dict[str, Any]) -> list[str]:
    """Return the names of a layer's weights."""
    return [f"{node['name']}/weight", f"{node['name']}/bias"] if node["kind"] in ("conv", "linear") else []


def _inputs(node: object, where: str, shapes: dict[str, tuple[int, ...]]) -> list[str]:
    """Return the names of a layer's inputs, once its fields are those of its kind."""
    if not isinstance(node, dict) or not _is_name(node.get("name")):
        raise ValueError(f"{where} has no name")
    kind, inputs = node.get("kind"), node.get("inputs")
    if not isinstance(kind, str) or kind not in _OWN:
        raise ValueError(f"{where} is of no kind that is known")
    if set(node) != _LAYER | _OWN[kind]:
        raise ValueError(f"{where} has not the fields of its kind, {kind}")
    if not isinstance(inputs, list) or len(inputs) != (2 if kind == "add" else 1):
        raise ValueError(f"{where}, {kind}, has another number of inputs than it takes")
    if not all(isinstance(name, str) and name in shapes for name in inputs):
        raise ValueError(f"{where} takes what no layer before it makes")
    return inputs


def _layer(
    node: dict[str, Any], where: str, inputs: list[tuple[int, ...]], own: list[tuple[int, ...]]
) -> tuple[tuple[int, ...], int]:
    """Return the shape that a layer makes, and how many values it needs on the way."""
    kind, first = node["kind"], inputs[0]
    match kind:
        case "add":
            if inputs[1] != first:
                raise ValueError(f"{where} adds {list(first)} and {list(inputs[1])}")
        case "flatten":
            return (math.prod(first),), 0
        case "polynomial":
            _coefficients(node["coefficients"], where)
        case "linear":
            if len(first) != 1 or len(own) < 2 or len(own[1]) != 1 or own[0] != first + own[1]:
                raise ValueError(f"{where}: the weights do not fit its input {list(first)}")
            return own[1], 0
        case "conv" | "pool":
            size = _windows(node, where, first)
            kernel = math.prod(node["kernel"])
            if kind == "pool":
                return (first[0], *size), math.prod(first[:1] + size) * kernel
            groups = own[0][0] if len(own) == 2 and len(own[1]) == 1 else 0
            whole = groups and not first[0] % groups and not own[1][0] % groups
            if not whole or own[0] != (groups, kernel * first[0] // groups, own[1][0] // groups):
                raise ValueError(f"{where}: the weights do not fit its input {list(first)}")
            return (*own[1], *size), math.prod(first[:1] + size) * kernel
    return first, 0


def _windows(node: dict[str, Any], where: str, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many windows of a layer fit (rows, columns)."""
    if len(shape) != 3:
        raise ValueError(f"{where} takes channels, rows and columns, not {list(shape)}")
    kernel, stride = (_sizes(node[key], where, 2) for key in ("kernel", "stride"))
    top, left, bottom, right = _sizes(node["padding"], where, 4, least=0)
    if max(kernel) > MOST_SIDE:
        raise ValueError(f"{where} has a kernel of more than {MOST_SIDE} rows or columns")
    high, wide = shape[1] + top + bottom, shape[2] + left + right
    _values((shape[0], high, wide), where)
    if high < kernel[0] or wide < kernel[1]:
        raise ValueError(f"{where} has a kernel that is larger than its input")
    return (high - kernel[0]) // stride[0] + 1, (wide - kernel[1]) // stride[1] + 1


def _coefficients(values: object, where: str) -> None:
    if not isinstance(values, list) or not 2 <= len(values) <= MOST_POWERS:
        raise ValueError(f"{where} has not 2 to {MOST_POWERS} coefficients")
    # A comparison with NaN is false.
    if not all(type(value) in (int, float) and abs(value) <= MOST_COEFFICIENT for value in values):
        raise ValueError(f"{where} has coefficients beyond {MOST_COEFFICIENT:.0f}, or none")


def _sizes(value: object, where: str, count: int | None = None, *, least: int = 1) -> tuple[int, ...]:
    """Return a list of whole numbers in bounds, ``count`` of them or 1 to 3."""
    if not isinstance(value, list) or not (1 <= len(value) <= 3 if count is None else len(value) == count):
        raise ValueError(f"{where} has a size with another number of dimensions than it needs")
    if not all(type(size) is int and least <= size <= MOST_WEIGHTS for size in value):
        raise ValueError(f"{where} has a size that is out of bounds")
    return tuple(value)


def _values(shape: tuple[int, ...], where: str) -> int:
    count = math.prod(shape)
    if count > MOST_VALUES:
        raise ValueError(f"{where} has more than {MOST_VALUES:,} values")
    return count


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_LETTERS
