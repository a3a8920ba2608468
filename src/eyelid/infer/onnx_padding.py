"""ONNX's Pad as the padding of the layers behind it, and what it cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Padding: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels, with zeros."""

NONE: Final[Padding] = (0, 0, 0, 0)
WINDOWED: Final = ("Conv", "AveragePool", "GlobalAveragePool", "ReduceMean")
"""The operators whose padding it can become."""
OWN: Final = "zeros, the padding of the Conv or AveragePool behind it"


class FormlessError(Exception):
    """A node that private inference has no form for: what it is, and what to use in its place."""

    def __init__(self, what: str, rewrite: str) -> None:
        super().__init__(what)
        self.what, self.rewrite = what, rewrite


def zeros(given: Mapping[str, Any], inputs: Sequence[NDArray[Any] | None], rank: int) -> Padding:
    """Return the zeros that a Pad puts around its input, which has ``rank`` axes.

    ``given`` are its attributes; ``inputs`` are sizes, value and axes, None where they are left out. Raises
    :class:`FormlessError` for all else that a Pad can be.
    """
    sizes, value, axes = (*inputs, None, None, None)[:3]
    mode = given.get("mode", b"constant").decode()
    if mode != "constant":
        raise FormlessError(f"Pad in {mode} mode", OWN)
    if np.any(np.asarray(given.get("value", 0.0) if value is None else value) != 0):
        raise FormlessError("Pad with a value other than 0", OWN)
    ends = whole(given.get("pads") if sizes is None else sizes)
    over = list(range(rank)) if axes is None else whole(axes)
    pairs = zip(ends[: len(over)], ends[len(over) :], strict=False)
    around = {axis % rank: pair for axis, pair in zip(over, pairs, strict=False)}
    sound = len(ends) == 2 * len(over) == 2 * len(around) and all(-rank <= axis < rank for axis in over)
    top, bottom = around.pop(2, (0, 0))
    left, right = around.pop(3, (0, 0))
    if rank != 4 or not sound or any(map(any, around.values())):
        raise FormlessError(
            "Pad of other axes than height and width", "zeros around these alone, or a Conv of more channels"
        )
    if min(top, left, bottom, right) < 0:
        raise FormlessError("Pad that cuts off (sizes below 0)", "a crop of the image before it")
    return top, left, bottom, right


def widened(shape: Sequence[int], padding: Padding) -> tuple[int, ...]:
    """Return the shape of a padded map (channels, height, width)."""
    top, left, bottom, right = padding
    return (shape[0], shape[1] + top + bottom, shape[2] + left + right) if any(padding) else tuple(shape)


def both(one: Padding, other: Padding) -> Padding:
    """Return one padding around another."""
    return one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3]


def whole(values: object) -> list[int]:
    """Return whole numbers as they are, none where there are none or they are of another kind."""
    array = np.asarray([] if values is None else values)
    return [int(value) for value in array.ravel()] if array.dtype.kind in "iu" else []
