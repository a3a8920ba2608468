"""Frames of every kind that eyelid reads, and the check that a region is truly destroyed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from hypothesis import strategies as st

from eyelid.obfuscate.regions import regions
from eyelid.types import Bgr, Detections, Plane, RawFrame, Samples, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eyelid.obfuscate.base import Obfuscator

Mode = Literal["L8", "L16", "RGB8", "RGBA8", "RGB16", "CMYK8", "420", "422", "444", "420p10", "411", "RGBA16"]
MODES: Final[tuple[Mode, ...]] = (
    *("L8", "L16", "RGB8", "RGBA8", "RGB16", "CMYK8", "420", "422", "444", "420p10", "411", "RGBA16"),
)
_STEPS: Final = {"420": (2, 2), "422": (2, 1), "444": (1, 1), "420p10": (2, 2), "411": (4, 1)}
_NAMES: Final[dict[str, tuple[Literal["L", "R", "G", "B", "C", "M", "Y", "K", "A"], ...]]] = {
    "L": ("L",),
    "RGB": ("R", "G", "B"),
    "RGBA": ("R", "G", "B", "A"),
    "CMYK": ("C", "M", "Y", "K"),
}


def make(mode: Mode, width: int, height: int, seed: int = 0, index: int = 0) -> RawFrame:
    """Return a frame of random samples; stills are interleaved in memory, video planes have padded rows."""
    random = np.random.default_rng(seed)

    def draw(rows: int, columns: int, peak: int) -> Samples:
        samples: Samples = random.integers(
            0, peak + 1, (rows, columns), np.uint8 if peak == 255 else np.uint16
        )
        return samples

    planes: list[Plane] = []
    if mode in _STEPS:
        peak, (sx, sy) = 1023 if mode.endswith("p10") else 255, _STEPS[mode]
        planes.append(Plane("Y", draw(height, width + 5, peak)[:, :width], 16, peak))
        for name in ("Cb", "Cr"):
            rows, columns = -(-height // sy), -(-width // sx)
            samples = draw(rows, columns + 3, peak)[:, :columns]
            planes.append(Plane("Cb" if name == "Cb" else "Cr", samples, (peak + 1) // 2, peak, sx, sy))
    else:
        names, peak = _NAMES[mode.rstrip("0123456789")], 255 if mode.endswith("8") else 65535
        joined = draw(height, width * len(names), peak).reshape(height, width, len(names))
        for i, letter in enumerate(names):
            planes.append(Plane(letter, joined[..., i], peak if letter in "AK" else 0, peak))
    return RawFrame(width, height, tuple(planes), _no_render, index=index)


def _no_render(width: int, height: int) -> Bgr:
    raise AssertionError("an obfuscator works on the planes alone")


def detections(
    *boxes: tuple[float, float, float, float],
    target: Target = Target.FACE,
    polygon: NDArray[np.float32] | None = None,
) -> Detections:
    """Return detections of one target."""
    n = len(boxes)
    return Detections(
        np.array(boxes, np.float32).reshape(n, 4),
        np.ones(n, np.float32),
        (target,) * n,
        polygons=(polygon,) * n,
    )


def inside(frame: RawFrame, found: Detections, obfuscator: Obfuscator) -> list[NDArray[np.bool_]]:
    """Return for each plane which samples stand for a covered pixel, sample by sample."""
    pixels = np.zeros((frame.height, frame.width), np.bool_)
    for region in regions(found, obfuscator.coverage, frame.width, frame.height):
        view = pixels[region.y0 : region.y1, region.x0 : region.x1]
        view |= True if region.mask is None else region.mask
    masks = []
    for plane in frame.planes:
        mask = np.zeros(plane.samples.shape, np.bool_)
        for y, x in np.argwhere(pixels):
            mask[y // plane.step_y, x // plane.step_x] = True
        masks.append(mask)
    return masks


def copies(frame: RawFrame) -> list[Samples]:
    """Return the samples of all planes as they are now."""
    return [plane.samples.copy() for plane in frame.planes]


def assert_destroyed(
    build: Callable[[], Obfuscator], mode: Mode, width: int, height: int, found: Detections
) -> None:
    """Check that the output does not depend on the region, and that nothing else changed.

    Two frames that agree outside the region and differ in every sample inside must become the same.
    """
    first, second = make(mode, width, height, seed=1), make(mode, width, height, seed=1)
    masks = inside(first, found, build())
    for plane, mask in zip(second.planes, masks, strict=True):
        plane.samples[mask] = plane.peak - plane.samples[mask]
    before = copies(first)
    safe = build().apply(first, found), build().apply(second, found)
    for old, mask, a, b in zip(before, masks, safe[0].planes, safe[1].planes, strict=True):
        assert np.array_equal(a.samples, b.samples), f"{a.name} depends on what was covered"
        assert np.array_equal(a.samples[~mask], old[~mask]), f"{a.name} changed outside the region"
        if a.name == "A":
            assert (a.samples[mask] == a.black).all(), "transparency inside the region"


numbers = st.floats(-300, 300, width=32) | st.floats(width=32, allow_nan=False, allow_infinity=False)
boxes = st.tuples(numbers, numbers, numbers, numbers)
sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))
targets = st.sampled_from(list(Target))
