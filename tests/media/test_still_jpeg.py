from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image, JpegImagePlugin

from eyelid.media.still import Decode, StillReader, StillWriter
from tests.media.samples import image, jpeg_with_segments, picture, safe, write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def psnr(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    error = np.square(first.astype(float) - second).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def component_tables(opened: Image.Image) -> list[list[int]]:
    assert isinstance(opened, JpegImagePlugin.JpegImageFile)
    return [opened.quantization[component[3]] for component in opened.layer]


def rgb(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def copy(source: Path, output: Path, decode: Decode) -> None:
    with StillReader(source, decode=decode) as reader, StillWriter(output, reader.info) as writer:
        for frame in reader:
            writer.write(safe(frame))


def noisy(path: Path, width: int, height: int, **options: int) -> None:
    rng = np.random.default_rng(1)
    drawn = picture(width, height).astype(int) + rng.integers(-40, 40, (height, width, 3))
    Image.fromarray(drawn.clip(0, 255).astype(np.uint8)).save(path, "JPEG", **options)


@pytest.mark.parametrize(("subsampling", "gain"), [(0, 0), (1, 0), (2, 8)])
@pytest.mark.parametrize("size", [(160, 120), (161, 121)])
def test_native_planes_lose_less_than_a_way_through_rgb(
    subsampling: int, gain: float, size: tuple[int, int], tmp_path: Path
) -> None:
    source = tmp_path / "in.jpg"
    noisy(source, *size, quality=85, subsampling=subsampling)
    quality = {}
    for decode in Decode:
        copy(source, tmp_path / "out.jpg", decode)
        quality[decode] = psnr(rgb(source), rgb(tmp_path / "out.jpg"))
    assert quality[Decode.NATIVE] > 45
    assert quality[Decode.NATIVE] >= quality[Decode.RGB] + gain


def test_stored_chroma_is_read_sample_by_sample(tmp_path: Path) -> None:
    """Where chroma is flat per sample and luma is anything, its stored values come back as they went in."""
    source = tmp_path / "in.jpg"
    flat = np.full((64, 64), 90, np.uint8)
    bands = [Image.fromarray(b) for b in (picture(64, 64, 1)[..., 0], flat, flat + 50)]
    Image.merge("YCbCr", bands).save(source, quality=95, subsampling=2)
    frame = next(iter(StillReader(source)))
    assert [(p.name, p.step_x, p.step_y, p.black) for p in frame.planes] == [
        ("L", 1, 1, 0),
        ("Cb", 2, 2, 128),
        ("Cr", 2, 2, 128),
    ]
    assert frame.planes[1].samples.shape == (32, 32)
    assert np.abs(frame.planes[1].samples.astype(int) - 90).max() <= 1
    assert np.abs(frame.planes[2].samples.astype(int) - 140).max() <= 1


@pytest.mark.parametrize("name", ["rgb420.jpg", "rgb422.jpg", "rgb444.jpg", "keep_rgb.jpg", "cmyk.jpg"])
def test_rgb_decoding_is_what_pillow_gives(name: str, tmp_path: Path) -> None:
    source = write_sample(name, tmp_path)
    frame = next(iter(StillReader(source, decode=Decode.RGB)))
    with Image.open(source) as opened:
        assert np.array_equal(np.dstack([p.samples for p in frame.planes]), np.asarray(opened))


@pytest.mark.parametrize("quality", [5, 50, 75, 100])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_quantisation_and_subsampling_are_kept(
    quality: int, subsampling: int, progressive: bool, tmp_path: Path
) -> None:
    source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
    noisy(source, 50, 30, quality=quality, subsampling=subsampling, progressive=progressive)
    copy(source, output, Decode.NATIVE)
    with Image.open(source) as before, Image.open(output) as after:
        assert component_tables(after) == component_tables(before)
        assert JpegImagePlugin.get_sampling(after) == subsampling
        assert bool(after.info.get("progressive")) == progressive


def test_tables_of_each_component_are_kept_and_turned_with_the_picture(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
    tables = [[1 + k * (i % 8) for i in range(64)] for k in (1, 2, 3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    image("RGB").save(source, qtables=tables, subsampling=0, exif=exif)
    copy(source, output, Decode.NATIVE)
    with Image.open(output) as after:
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        turned = [np.reshape(table, (8, 8)).T.ravel().tolist() for table in tables]
        assert list(after.quantization.values()) == turned


def test_one_table_for_all_components(tmp_path: Path) -> None:
    source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
    image("RGB").save(source, qtables=[[7] * 64], subsampling=2)
    copy(source, output, Decode.NATIVE)
    with Image.open(output) as after:
        assert isinstance(after, JpegImagePlugin.JpegImageFile)
        assert after.quantization == {0: [7] * 64}


def test_secondary_pictures_and_thumbnails_in_front_do_not_confuse(tmp_path: Path) -> None:
    """A multi-picture file (MPO) is read as its first picture alone."""
    source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
    image("RGB").save(source, "MPO", save_all=True, append_images=[image("RGB", seed=3)])
    copy(source, output, Decode.NATIVE)
    with StillReader(source) as reader:
        assert reader.info.pages == 1
        assert "secondary pictures" in reader.info.dropped
    with Image.open(output) as after:
        assert after.format == "JPEG"
        assert np.abs(np.asarray(after, int) - np.asarray(image("RGB"), int)).mean() < 4


def test_uncommon_subsampling_becomes_full_and_is_said(tmp_path: Path) -> None:
    data = io.BytesIO()
    image("RGB", 48, 32).save(data, "JPEG", subsampling=1)
    frame_header = data.getvalue().index(b"\xff\xc0")
    edited = bytearray(data.getvalue())
    edited[frame_header + 11] = 0x12  # luma twice as high instead of twice as wide: 4:4:0
    source, output = tmp_path / "in.jpg", tmp_path / "out.jpg"
    source.write_bytes(edited)
    with StillReader(source) as reader:
        assert "chroma subsampling becomes 4:4:4" in reader.info.changes
    copy(source, output, Decode.NATIVE)
    with Image.open(output) as after:
        assert JpegImagePlugin.get_sampling(after) == 0


def test_adobe_rgb_and_ycck_are_told_apart(tmp_path: Path) -> None:
    data = io.BytesIO()
    image("RGB").save(data, "JPEG", keep_rgb=True)
    for name, content in [("rgb.jpg", data.getvalue()), ("more.jpg", jpeg_with_segments(data.getvalue()))]:
        (tmp_path / name).write_bytes(content)
        frame = next(iter(StillReader(tmp_path / name)))
        assert "".join(p.name for p in frame.planes) == "RGB"
