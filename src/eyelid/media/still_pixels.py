"""Planes out of Pillow's pictures and back, and a view of them for detectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import cv2
import numpy as np
from PIL import Image

from eyelid.errors import UnsupportedError
from eyelid.types import Bgr, Plane, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Name: TypeAlias = Literal["L", "R", "G", "B", "C", "M", "Y", "K", "A", "Cb", "Cr"]

_NAMES: dict[str, tuple[Name, ...]] = {
    "L": ("L",),
    "LA": ("L", "A"),
    "RGB": ("R", "G", "B"),
    "RGBA": ("R", "G", "B", "A"),
    "CMYK": ("C", "M", "Y", "K"),
    "YCbCr": ("L", "Cb", "Cr"),
}
_DIRECT = {"L", "LA", "RGB", "RGBA", "CMYK"}
_CONVERTED = {"1": "L", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB", "YCbCr": "RGB", "HSV": "RGB"}
_TURNS = {2: (0, 1), 3: (2, 0), 4: (2, 1), 5: (3, 1), 6: (3, 0), 7: (1, 1), 8: (1, 0)}


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Colour planes of one page, each a contiguous array of its own.

    ``mode`` is L, LA, RGB, RGBA, CMYK or YCbCr; ``samples`` are uint8 or uint16 of shape (rows, columns), in
    YCbCr the last two may be half as wide and high.
    """

    mode: str
    samples: tuple[Samples, ...]

    @property
    def height(self) -> int:
        """Rows of the picture."""
        return int(self.samples[0].shape[0])

    @property
    def width(self) -> int:
        """Columns of the picture."""
        return int(self.samples[0].shape[1])

    def planes(self) -> tuple[Plane, ...]:
        """Return the planes as the obfuscators see them: views, not copies."""
        return tuple(self._plane(name, s) for name, s in zip(_NAMES[self.mode], self.samples, strict=True))

    def _plane(self, name: Name, samples: Samples) -> Plane:
        peak = int(np.iinfo(samples.dtype).max)
        black = {"A": peak, "K": peak, "Cb": (peak + 1) // 2, "Cr": (peak + 1) // 2}.get(name, 0)
        half = samples.shape != self.samples[0].shape
        step = 2 if half else 1
        return Plane(name, samples, black, peak, step, step)

    def render(self, width: int, height: int) -> Bgr:
        """Draw the picture at a size, uint8 BGR of shape (height, width, 3), with all that can be seen in it.

        Colours show at full strength however transparent they are, because a viewer can undo transparency;
        only where a picture has no colours of its own its transparency is drawn, over white.
        """
        small = [_to_8_bit(_resize(s, width, height)) for s in self.samples]
        if self.mode == "YCbCr":
            return _as_bgr(cv2.cvtColor(cv2.merge([small[0], small[2], small[1]]), cv2.COLOR_YCrCb2BGR))
        if self.mode == "CMYK":
            light = 255 - small[3].astype(np.uint16)
            inks = [((255 - ink) * light + 127) // 255 for ink in small[2::-1]]
            return _as_bgr(np.stack(inks, axis=-1))
        colours, alpha = (small[:-1], small[-1]) if self.mode.endswith("A") else (small, None)
        if alpha is not None:
            colours = _show_transparent(colours, alpha)
        return _as_bgr(cv2.merge(colours[::-1] if len(colours) == 3 else colours * 3))


def from_pillow(image: Image.Image) -> Pixels:
    """Take the samples out of a loaded picture of any of Pillow's modes; raises UnsupportedError."""
    if image.mode.startswith("I;16"):
        return Pixels("L", (np.array(image).astype(np.uint16, copy=False),))
    if image.mode in {"I", "F"}:
        return Pixels("L", (scale_to_16_bit(np.asarray(image)),))
    if image.has_transparency_data and image.mode not in {"LA", "RGBA"}:
        image = image.convert("LA" if image.mode in {"1", "L", "La"} else "RGBA")
    elif image.mode in {"P", "PA"}:
        image = image.convert("RGB")
    elif image.mode not in _DIRECT:
        if image.mode not in _CONVERTED:
            raise UnsupportedError(
                f"pictures of mode {image.mode} are not supported; convert it to RGB first"
            )
        image = image.convert(_CONVERTED[image.mode])
    return from_interleaved(np.asarray(image), image.mode)


def from_interleaved(samples: NDArray[Any], mode: str) -> Pixels:
    """Split an array of shape (height, width) or (height, width, channels) into planes.

    Colours under fully transparent pixels are set to black: nothing hidden goes on to the output.
    """
    channels: list[NDArray[Any]] = [np.array(samples)] if samples.ndim == 2 else list(cv2.split(samples))
    if mode.endswith("A"):
        hidden = channels[-1] == 0
        for channel in channels[:-1]:
            channel[hidden] = 0
    return Pixels(mode, tuple(channels))


def to_pillow(planes: Sequence[Plane], mode: str) -> Image.Image:
    """Make a picture of 8-bit planes in Pillow's ``mode``, or of one 16-bit plane.

    A palette is built of exactly the colours in use; with more than 256 the picture keeps full colour.
    """
    names = "".join(plane.name for plane in planes)
    if names == "LCbCr":
        width, height = planes[0].samples.shape[1], planes[0].samples.shape[0]
        full = [_repeat(plane)[:height, :width] for plane in planes]
        return Image.merge("YCbCr", [Image.fromarray(np.ascontiguousarray(s)) for s in full])
    if len(planes) == 1:
        grey = Image.fromarray(planes[0].samples)
        return grey.convert("1", dither=Image.Dither.NONE) if mode == "1" else grey
    if mode == "P":
        return with_exact_palette(planes) or to_pillow(planes, names)
    return Image.merge(names, [Image.fromarray(plane.samples) for plane in planes])


def with_exact_palette(planes: Sequence[Plane]) -> Image.Image | None:
    """Make a palette picture of 8-bit RGB(A) planes, or None when they hold more than 256 colours.

    Transparency is in ``info["transparency"]``, one byte an entry.
    """
    packed = np.zeros(planes[0].samples.shape, np.uint32)
    for plane in planes:
        packed = (packed << np.uint32(8)) | plane.samples
    colours, index = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        return None
    image = Image.fromarray(index.reshape(packed.shape).astype(np.uint8))
    table = colours.astype(">u4").view(np.uint8).reshape(-1, 4)
    image.putpalette(np.ascontiguousarray(table[:, :3] if len(planes) == 4 else table[:, 1:]).tobytes())
    if len(planes) == 4:
        image.info["transparency"] = table[:, 3].tobytes()
    return image


def orient(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror a picture as its EXIF orientation (1 to 8) asks (CIPA DC-008, tag 0x0112)."""
    if orientation == 1:
        return pixels
    turns, mirrored = _TURNS[orientation]
    turned: list[NDArray[Any]] = []
    for samples in pixels.samples:
        view = np.rot90(samples, turns)
        turned.append(np.ascontiguousarray(np.fliplr(view) if mirrored else view))
    return Pixels(pixels.mode, tuple(turned))


def scale_to_16_bit(values: NDArray[Any]) -> NDArray[np.uint16]:
    """Keep integers that fit into 16 bit; else stretch the finite range of the values over 0 to 65535."""
    values = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    fits = low >= 0 and high <= 65535 and bool((values == np.rint(values)).all())
    if not fits:
        values = (values - low) / (high - low or 1.0) * 65535
    return np.rint(values).astype(np.uint16)


def _repeat(plane: Plane) -> NDArray[Any]:
    """Draw a plane of 8 bits at the size of the picture: each of its samples as often as it counts."""
    rows, columns = plane.samples.shape
    size = (columns * plane.step_x, rows * plane.step_y)
    return np.asarray(cv2.resize(plane.samples, size, interpolation=cv2.INTER_NEAREST_EXACT))


def _resize(samples: Samples, width: int, height: int) -> NDArray[Any]:
    if samples.shape == (height, width):
        return samples
    smaller = width <= samples.shape[1] and height <= samples.shape[0]
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(samples, (width, height), interpolation=interpolation), samples.dtype)


def _to_8_bit(samples: NDArray[Any]) -> NDArray[np.uint8]:
    return (samples >> 8).astype(np.uint8) if samples.dtype == np.uint16 else samples


def _show_transparent(colours: list[NDArray[np.uint8]], alpha: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    hidden = alpha == 0
    flat = all(np.ptp(c[~hidden]) == 0 if not hidden.all() else True for c in colours)
    if flat:
        weight = alpha.astype(np.uint16)
        return [((c * weight + (255 - weight) * 255 + 127) // 255).astype(np.uint8) for c in colours]
    return [np.where(hidden, np.uint8(255), c) for c in colours]


def _as_bgr(picture: object) -> Bgr:
    return np.ascontiguousarray(picture, dtype=np.uint8)
