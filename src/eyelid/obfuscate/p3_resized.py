"""P3 where the public part was made smaller or larger meanwhile, as services do with photos.

Resizing is linear: A(photo) = A(public) + A(secret + correction), and the last term needs only the secret
part (Ra et al., NSDI 2013, 3.3). What is not linear stays as error: rounding, clipping, encoding again.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eyelid.media.still_info import PageEncoding
from eyelid.media.still_pixels import from_pillow
from eyelid.obfuscate.p3 import correction
from eyelid.types import _SEAL, RawFrame, SafeFrame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.media.jpeg_coefficients import CoefficientJpeg

Picture: TypeAlias = NDArray[np.float32]
"""Samples without rounding, float32 (rows, columns, channels), grey or RGB."""

_TO_RGB: Final = np.array([[1, 0, 1.402], [1, -0.344136, -0.714136], [1, 1.772, 0]], np.float32)
"""From Y, Cb, Cr without their offsets (JFIF 1.02)."""


class Filter(StrEnum):
    """The filter of a resize: those of Pillow, which widen with the scale, and those of OpenCV."""

    BOX = "box"
    BILINEAR = "bilinear"
    HAMMING = "hamming"
    BICUBIC = "bicubic"
    LANCZOS = "lanczos"
    CV_AREA = "cv-area"
    CV_LINEAR = "cv-linear"
    CV_CUBIC = "cv-cubic"
    CV_LANCZOS = "cv-lanczos"


_PILLOW: Final = {
    Filter.BOX: Image.Resampling.BOX,
    Filter.BILINEAR: Image.Resampling.BILINEAR,
    Filter.HAMMING: Image.Resampling.HAMMING,
    Filter.BICUBIC: Image.Resampling.BICUBIC,
    Filter.LANCZOS: Image.Resampling.LANCZOS,
}
_OPENCV: Final = {
    Filter.CV_AREA: cv2.INTER_AREA,
    Filter.CV_LINEAR: cv2.INTER_LINEAR,
    Filter.CV_CUBIC: cv2.INTER_CUBIC,
    Filter.CV_LANCZOS: cv2.INTER_LANCZOS4,
}


def restore(resized: NDArray[np.uint8], secret: CoefficientJpeg, threshold: int, kind: Filter) -> SafeFrame:
    """Return the photo at the size of the resized public part, uint8 (h, w, 1 or 3), upright.

    The key holder's own decision makes the frame safe to write.
    """
    height, width = resized.shape[:2]
    missing = _draw([blocks + correction(blocks, threshold) for blocks in secret.blocks], secret)
    whole = np.clip(np.rint(resized + resize(missing, width, height, kind)), 0, 255).astype(np.uint8)
    pixels = from_pillow(Image.fromarray(whole if whole.shape[-1] == 3 else whole[..., 0]))
    page = PageEncoding(mode=pixels.mode, icc_profile=secret.kept.icc_profile)
    return SafeFrame(RawFrame(width, height, pixels.planes(), pixels.render, carrier=page), _SEAL)


def find_filter(resized: NDArray[np.uint8], secret: CoefficientJpeg, threshold: int) -> Filter | None:
    """Return the filter that the public part was most likely resized with; None where nothing tells.

    Wherever the secret part holds an AC coefficient, the public one is the threshold itself. Drawn alone,
    these correlate best with the resized picture when resized in the same way. Arguments as for
    :func:`restore`.
    """
    known = [np.where(blocks, np.int16(threshold), np.int16(0)) for blocks in secret.blocks]
    for blocks in known:
        blocks[..., 0, 0] = 0
    drawn = _draw(known, secret)
    seen = resized - resized.mean(dtype=np.float32)
    match = {kind: _alike(seen, resize(drawn, resized.shape[1], resized.shape[0], kind)) for kind in Filter}
    best = max(match, key=match.__getitem__)
    return best if match[best] > 0 else None


def resize(picture: Picture, width: int, height: int, kind: Filter) -> Picture:
    """Resize a picture without rounding."""
    if kind in _OPENCV:
        resized = cv2.resize(picture, (width, height), interpolation=_OPENCV[kind])
        return resized.reshape(height, width, -1).astype(np.float32)
    channels = [
        np.asarray(Image.fromarray(picture[..., i]).resize((width, height), _PILLOW[kind]))
        for i in range(picture.shape[-1])
    ]
    return np.stack(channels, axis=-1)


def _alike(one: Picture, other: Picture) -> float:
    norm = float(np.linalg.norm(other))
    return float(np.vdot(one, other)) / norm if norm else 0.0


def _draw(parts: Sequence[NDArray[np.int16]], like: CoefficientJpeg) -> Picture:
    """Return the pixels, around 0, of coefficients that are laid out as those of ``like``, upright."""
    layout = like.layout
    planes = []
    for component, blocks in zip(layout.components, parts, strict=True):
        plane = _samples((blocks * component.table.reshape(8, 8)).astype(np.float32))
        across, down = layout.most_across // component.across, layout.most_down // component.down
        plane = plane[: -(-layout.height // down), : -(-layout.width // across)]
        plane = _upsample(_upsample(plane, down).T, across).T
        planes.append(plane[: layout.height, : layout.width])
    picture = np.stack(planes, axis=-1)
    if len(planes) == 3 and not like.kept.stores_rgb(layout):
        picture = picture @ _TO_RGB.T
    return _upright(picture, like.kept.orientation)


def _upright(picture: Picture, orientation: int) -> Picture:
    if orientation > 4:
        picture = picture.swapaxes(0, 1)
    if orientation in {3, 4, 7, 8}:
        picture = picture[::-1]
    if orientation in {2, 3, 6, 7}:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)


def _samples(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the inverse DCT of dequantised blocks (rows, columns, 8, 8): (rows * 8, columns * 8)."""
    n = np.arange(8)
    cosines = np.cos((2 * n + 1) * n[:, None] * np.pi / 16) / 2
    cosines[0] = np.sqrt(1 / 8)
    basis = cosines.astype(np.float32)
    rows, columns = blocks.shape[:2]
    samples = (basis.T @ blocks @ basis).astype(np.float32, copy=False)
    return samples.swapaxes(1, 2).reshape(rows * 8, columns * 8)


def _upsample(plane: NDArray[np.float32], times: int) -> NDArray[np.float32]:
    """Repeat rows; where they double, mix each 3 to 1 with the next as libjpeg does (jdsample.c, fancy)."""
    if times != 2:
        return np.repeat(plane, times, axis=0)
    padded = np.pad(plane, ((1, 1), (0, 0)), "edge")
    finer = np.empty((2 * len(plane), plane.shape[1]), np.float32)
    finer[0::2] = (3 * plane + padded[:-2]) / 4
    finer[1::2] = (3 * plane + padded[2:]) / 4
    return finer
