from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from eyelid.media.still import StillReader, StillWriter
from eyelid.media.still_info import PageEncoding
from tests.media.samples import image, picture, safe

if TYPE_CHECKING:
    from pathlib import Path


def copy(source: Path, output: Path) -> None:
    with StillReader(source) as reader, StillWriter(output, reader.info) as writer:
        for frame in reader:
            writer.write(safe(frame))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pictures_are_turned_and_the_turn_is_dropped(orientation: int, tmp_path: Path) -> None:
    source, output = tmp_path / "in.heic", tmp_path / "out.heic"
    exif = Image.Exif()
    exif[0x0112] = orientation
    pillow_heif.from_pillow(image("RGB", 64, 48)).save(source, exif=exif.tobytes(), quality=95)
    expected = pillow_heif.open_heif(source).to_pillow()
    assert expected.size == ((48, 64) if orientation > 4 else (64, 48))
    copy(source, output)
    written = pillow_heif.open_heif(output)
    assert written[0].info.get("original_orientation") is None
    assert not written[0].info["exif"]
    assert np.abs(np.asarray(written.to_pillow(), int) - np.asarray(expected, int)).mean() < 3


def test_every_picture_of_a_file_is_a_page(tmp_path: Path) -> None:
    source, output = tmp_path / "in.heic", tmp_path / "out.heic"
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    sizes = [(64, 48), (32, 80)]
    for seed, size in enumerate(sizes):
        file.add_from_pillow(image("RGB", *size, seed=seed))
    file.save(source, quality=90)
    copy(source, output)
    assert [page.size for page in pillow_heif.open_heif(output)] == sizes


@pytest.mark.parametrize("depth", [10, 12])
def test_depth_and_colour_tags_are_kept(depth: int, tmp_path: Path) -> None:
    source, output = tmp_path / "in.heic", tmp_path / "out.heic"
    file = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    samples = picture(64, 48).astype(np.uint16) * 257
    added = file.add_frombytes("RGB;16", (64, 48), samples.tobytes())
    added.info["bit_depth"] = depth
    file.save(source, quality=95, color_primaries=9, transfer_characteristics=16, matrix_coefficients=9)
    copy(source, output)
    before, after = pillow_heif.open_heif(source, False), pillow_heif.open_heif(output, False)
    assert before[0].info["bit_depth"] == after[0].info["bit_depth"] == depth
    with StillReader(source) as first, StillReader(output) as second:
        one, two = next(iter(first)), next(iter(second))
    assert isinstance(one.carrier, PageEncoding)
    assert isinstance(two.carrier, PageEncoding)
    assert one.carrier.colour == two.carrier.colour
    assert one.carrier.colour is not None
    assert one.carrier.colour[:3] == (9, 16, 9)
    assert np.abs(one.planes[0].samples.astype(int) - two.planes[0].samples).mean() < 3 * 257


def test_loss_is_said(tmp_path: Path) -> None:
    source = tmp_path / "in.heic"
    pillow_heif.from_pillow(image("RGB")).save(source)
    assert "HEIC is encoded again with loss, at quality 90" in StillReader(source).info.changes
