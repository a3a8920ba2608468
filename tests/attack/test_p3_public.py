"""What an attacker sees of the public part is what the file holds, and it suffices to name people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from eyelid.attack.base import Knowledge
from eyelid.attack.p3_public import P3PublicAttack, public_luma, public_picture
from eyelid.errors import UsageError
from eyelid.media.jpeg_coefficients import decode, encode
from eyelid.obfuscate.p3 import split
from tests.attack.faces import invented, nobody
from tests.media.jpegs import picture

if TYPE_CHECKING:
    from numpy.typing import NDArray


def stored(grey: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


@pytest.mark.parametrize("quality", [30, 75, 90])
@pytest.mark.parametrize("threshold", [1, 10, 50])
def test_features_are_those_of_the_file(quality: int, threshold: int) -> None:
    grey = np.asarray(picture(64, 48, "L"))
    (blocks,) = decode(stored(grey, quality), "a").blocks
    public, _ = split(blocks, threshold)
    features = public_luma(grey, threshold, quality)
    assert features.shape == (6, 8, 15)
    difference = np.abs(features[..., :2] - np.stack([public[..., 0, 1], public[..., 1, 0]], axis=-1))
    assert difference.max() <= 2 * threshold  # libjpeg's transform in integers may round another way
    assert (difference == 0).mean() > 0.95
    assert np.abs(features).max() <= threshold


def test_the_picture_is_what_a_viewer_shows() -> None:
    grey = np.asarray(picture(61, 45, "L"))
    whole = decode(stored(grey, 80), "a")
    public = encode(whole.with_blocks([split(blocks, 10)[0] for blocks in whole.blocks]))
    shown = np.asarray(Image.open(io.BytesIO(public)))
    seen = public_picture(grey, 10, 80)
    assert seen.shape == shown.shape
    assert np.abs(seen.astype(int) - shown).mean() < 1


def test_hardly_anything_is_lost_through_the_pixels_that_a_viewer_shows() -> None:
    """Also not where blocks reach over the edge, as with pictures 92 pixels wide."""
    grey = np.asarray(picture(92, 61, "L"))
    features = public_luma(grey, 1)
    assert features.shape == (7, 11, 15)
    assert (public_luma(public_picture(grey, 1), 100) == features).mean() > 0.99


def test_colour_is_taken_as_luma() -> None:
    grey = np.asarray(picture(32, 32, "L"))
    np.testing.assert_array_equal(public_luma(cv2.merge([grey] * 3), 10), public_luma(grey, 10))  # type: ignore[arg-type]


def test_people_are_named_far_above_chance() -> None:
    result = P3PublicAttack(10, seeds=2).run(invented(people=6, each=6))
    assert result.success > 0.9
    assert result.beats_chance
    assert result.chance == pytest.approx(1 / 6)
    assert result.threat.knowledge is Knowledge.RETRAINED


def test_where_there_is_nobody_nothing_is_found() -> None:
    result = P3PublicAttack(10, seeds=3).run(nobody(people=6, each=6))
    assert not result.beats_chance


@pytest.mark.parametrize(
    ("threshold", "quality", "seeds"), [(0, 90, 1), (101, 90, 1), (10, 0, 1), (10, 90, 0)]
)
def test_values_out_of_range(threshold: int, quality: int, seeds: int) -> None:
    with pytest.raises(UsageError):
        P3PublicAttack(threshold, quality=quality, seeds=seeds)
