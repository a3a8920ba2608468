"""Images as the numbers that a network takes: grey or RGB in [0, 1], checked before anything is encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from eyelid.errors import EyelidError, InputError
from eyelid.media.still import StillReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def load(source: Path | Sequence[Path], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Read images as float32 (n, channels, height, width) in [0, 1], fitted to a network's input shape.

    ``source`` is an image, a folder of images (in the order of their names), a ``.npy`` file of an array,
    or several of these. A picture is resized to the network's size; one channel is grey (BT.601), three are
    RGB. Raises :class:`InputError` for what cannot be read or does not fit.
    """
    return load_named(source, shape)[0]


def load_named(
    source: Path | Sequence[Path], shape: tuple[int, int, int]
) -> tuple[NDArray[np.float32], list[str]]:
    """Read images as :func:`load` does, and return the name of each: its file, and its place in an array."""
    paths = [source] if isinstance(source, Path) else list(source)
    found, names = [], []
    for file in (file for path in paths for file in _files(path)):
        part = _array(file, shape) if file.suffix == ".npy" else _picture(file, shape)
        found.append(part)
        names += [str(file)] if len(part) == 1 else [f"{file}[{place}]" for place in range(len(part))]
    if not found:
        raise InputError(f"{paths[0] if paths else 'The folder'} holds no image; name one.")
    return np.concatenate(found), names


def check(batch: NDArray[Any], shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return a batch as contiguous float32 (n, c, h, w) after checking its shape, its numbers and its range.

    A single image (c, h, w), or (h, w) for one channel, is a batch of one. Raises :class:`InputError`.
    """
    values = np.asarray(batch)
    if values.dtype == np.uint8:
        values = values / np.float32(255)
    if values.shape == shape[1:] and shape[0] == 1:
        values = values[None]
    if values.shape == shape:
        values = values[None]
    wanted = " x ".join(map(str, shape))
    if values.shape[1:] != shape:
        size = " x ".join(map(str, values.shape))
        raise InputError(f"The images have the shape {size}, but the network takes (n) x {wanted}.")
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise InputError(f"The images hold {values.dtype} values, but the network takes real numbers.")
    if not np.isfinite(values).all():
        raise InputError("The images hold values that are not numbers (NaN or infinite); repair them first.")
    if len(values) and (values.min() < 0 or values.max() > 1):
        raise InputError("The images hold values outside [0, 1]; scale them to that range first.")
    return np.ascontiguousarray(values, np.float32)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(item for item in path.iterdir() if item.is_file() and not item.name.startswith("."))


def _array(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return an array file as (n, c, h, w)."""
    try:
        return check(np.load(path, allow_pickle=False), shape)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} cannot be read as a numpy array; save it again.") from error
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _picture(path: Path, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return one picture file as (1, c, h, w)."""
    channels, height, width = shape
    if channels not in (1, 3):
        raise InputError(f"{path}: the network takes {channels} channels, and a picture has 1 or 3.")
    try:
        with StillReader(path) as reader:
            frame = next(iter(reader))
            # At its own size first: shrinking by area then weighs every pixel, as small networks expect.
            drawn = frame.render(frame.width, frame.height)
    except InputError:
        raise
    except (EyelidError, OSError) as error:
        raise InputError(f"{path} cannot be read as a picture: {error}") from error
    small = drawn.shape[:2]
    way = cv2.INTER_AREA if small[0] >= height and small[1] >= width else cv2.INTER_LINEAR
    sized = cv2.resize(drawn, (width, height), interpolation=way) if small != (height, width) else drawn
    if channels == 1:
        values = np.asarray(cv2.cvtColor(sized, cv2.COLOR_BGR2GRAY))[None]
    else:
        values = np.asarray(cv2.cvtColor(sized, cv2.COLOR_BGR2RGB)).transpose(2, 0, 1)
    return check(values, shape)
