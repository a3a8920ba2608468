"""ONNX's windows: kernels, strides, their padding, and Pad as the padding of the layers behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from eyelid.infer.onnx_refused import FormlessError, UnsoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Padding: TypeAlias = tuple[int, int, int, int]
"""Top, left, bottom, right, in pixels, with zeros."""

NONE: Final[Padding] = (0, 0, 0, 0)
WINDOWED: Final = ("Conv", "AveragePool", "GlobalAveragePool", "ReduceMean")
"""The operators whose padding it can become."""
OWN: Final = "zeros, the padding of the Conv or AveragePool behind it"


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


def pair(values: object) -> tuple[int, int]:
    """Return a kernel or a stride, (y, x). Raises :class:`UnsoundError` unless it is two numbers above 0."""
    numbers = whole(values)
    if len(numbers) != 2 or min(numbers) < 1:
        raise UnsoundError
    return numbers[0], numbers[1]


def window(
    shape: Sequence[int], kernel: tuple[int, int], given: Mapping[str, Any]
) -> tuple[tuple[int, int], Padding]:
    """Return stride (y, x) and padding of a layer over a map (channels, height, width) from its attributes.

    Raises :class:`UnsoundError` where they do not fit, :class:`FormlessError` for negative padding.
    """
    stride = pair(given.get("strides", (1, 1)))
    mode, ends = given.get("auto_pad", b"NOTSET").decode(), whole(given.get("pads", NONE))
    if len(shape) != 3 or len(ends) != 4 or (mode != "NOTSET" and any(ends)):
        raise UnsoundError
    top, left, bottom, right = ends
    match mode:
        case "NOTSET" | "VALID":
            if min(ends) < 0:
                raise FormlessError("a layer with negative padding", "a crop of the image before it")
            return stride, (top, left, bottom, right)
        case "SAME_UPPER" | "SAME_LOWER":
            spare = [
                max((-(-size // step) - 1) * step + width - size, 0)
                for size, step, width in zip(shape[1:], stride, kernel, strict=True)
            ]
            less, more = [item // 2 for item in spare], [-(-item // 2) for item in spare]
            first, last = (less, more) if mode == "SAME_UPPER" else (more, less)
            return stride, (first[0], first[1], last[0], last[1])
    raise UnsoundError


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
