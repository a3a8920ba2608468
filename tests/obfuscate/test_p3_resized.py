"""A resized public part and the secret part give the resized photo, as far as rounding allows."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from eyelid.media.jpeg_coefficients import CoefficientJpeg, decode, encode
from eyelid.obfuscate.p3 import split
from eyelid.obfuscate.p3_resized import _OPENCV, _PILLOW, Filter, find_filter, restore

if TYPE_CHECKING:
    from eyelid.types import SafeFrame

Pixels = NDArray[np.uint8]


ASTRONAUT = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
OPENCV_SAMPLINGS = {"440": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440, "411": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411}


def photo(kind: str, orientation: int = 1) -> bytes:
    """Return a photo, for noise is clipped too much to be like one."""
    with Image.open(ASTRONAUT) as image:
        cropped = image.convert("L" if kind == "grey" else "RGB").crop((40, 0, 200, 120))
    if kind in OPENCV_SAMPLINGS:
        options = [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, OPENCV_SAMPLINGS[kind]]
        return cv2.imencode(".jpg", np.asarray(cropped), options)[1].tobytes()
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    cropped.save(
        stream, "JPEG", quality=90, subsampling={"444": 0, "422": 1}.get(kind, 2), exif=exif.tobytes()
    )
    return stream.getvalue()


def parts(data: bytes, threshold: int) -> tuple[bytes, CoefficientJpeg]:
    whole = decode(data, "a")
    both = [split(blocks, threshold) for blocks in whole.blocks]
    return encode(whole.with_blocks([p for p, _ in both])), whole.with_blocks([s for _, s in both])


def upright(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        array = np.asarray(ImageOps.exif_transpose(image))
    return array if array.ndim == 3 else array[..., None]


def shrink(pixels: Pixels, width: int, height: int, kind: Filter) -> Pixels:
    """Resize as the libraries do for pictures of 8 bits, with their rounding."""
    if kind in _OPENCV:
        made = np.asarray(cv2.resize(pixels, (width, height), interpolation=_OPENCV[kind]))
    else:
        image = Image.fromarray(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
        made = np.asarray(image.resize((width, height), _PILLOW[kind]))
    return made.reshape(height, width, -1).astype(np.uint8)


def psnr(one: Pixels, other: Pixels) -> float:
    error = float(np.mean((one.astype(np.float64) - other) ** 2))
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def samples(frame: SafeFrame) -> Pixels:
    return np.stack([plane.samples for plane in frame.planes], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("kind", list(Filter))
@pytest.mark.parametrize("threshold", [1, 10, 40])
def test_every_filter_restores_within_rounding(kind: Filter, threshold: int) -> None:
    data = photo("420")
    public, secret = parts(data, threshold)
    for width, height in ((80, 60), (61, 46), (200, 150)):
        small = shrink(upright(public), width, height, kind)
        expected = shrink(upright(data), width, height, kind)
        assert psnr(samples(restore(small, secret, threshold, kind)), expected) > 44
        assert psnr(small, expected) < 25


@pytest.mark.parametrize("kind", ["grey", "444", "422", "420", "440", "411"])
def test_every_sampling_restores_within_rounding(kind: str) -> None:
    data = photo(kind)
    public, secret = parts(data, 10)
    small = shrink(upright(public), 80, 60, Filter.BICUBIC)
    expected = shrink(upright(data), 80, 60, Filter.BICUBIC)
    assert psnr(samples(restore(small, secret, 10, Filter.BICUBIC)), expected) > (
        40 if kind in {"440", "411"} else 44
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_as_viewers_do(orientation: int) -> None:
    data = photo("444", orientation)
    public, secret = parts(data, 10)
    shown = upright(public)
    height, width = shown.shape[0] // 2, shown.shape[1] // 2
    small = shrink(shown, width, height, Filter.LANCZOS)
    expected = shrink(upright(data), width, height, Filter.LANCZOS)
    assert psnr(samples(restore(small, secret, 10, Filter.LANCZOS)), expected) > 44


@pytest.mark.parametrize("kind", list(Filter))
def test_the_filter_is_found_or_one_that_does_the_same(kind: Filter) -> None:
    data = photo("420")
    public, secret = parts(data, 10)
    small, expected = (shrink(upright(part), 118, 88, kind) for part in (public, data))
    found = find_filter(small, secret, 10)
    assert found is not None
    assert psnr(samples(restore(small, secret, 10, found)), expected) > 40


def test_no_filter_is_found_where_nothing_is_secret_but_brightness() -> None:
    stream = io.BytesIO()
    Image.new("RGB", (32, 32), (90, 20, 200)).save(stream, "JPEG")
    public, secret = parts(stream.getvalue(), 10)
    assert find_filter(shrink(upright(public), 16, 16, Filter.BOX), secret, 10) is None
