"""Coefficients come out of a JPEG and go into one exactly; libjpeg through another door is the witness."""

from __future__ import annotations

import io
import tempfile
from contextlib import suppress
from itertools import pairwise
from typing import TYPE_CHECKING

import jpeglib  # type: ignore[import-untyped]
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from eyelid.errors import InputError, UnsupportedError, UsageError
from eyelid.media.jpeg_coefficients import CoefficientJpeg, decode, encode, read_coefficients
from eyelid.media.jpeg_entropy import _assign, _huffman
from eyelid.media.jpeg_header import Component, Kept, Layout, parse
from tests.media.jpegs import KINDS, SIZES, jpeg, pixels, save

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

PLAIN = Kept(jfif=False, adobe_transform=None, orientation=1, profile=())


def witness(data: bytes) -> list[NDArray[np.int16]]:
    """Read coefficients with jpeglib's own reader."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(data)
        file.flush()
        read = jpeglib.read_dct(file.name)
        read.load()
        return [plane for plane in (read.Y, read.Cb, read.Cr, read.K) if plane is not None]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_goes_through_exactly(kind: str, tmp_path: Path) -> None:
    width, height = 67, 50
    original = jpeg(kind, width, height)
    (tmp_path / "a.jpg").write_bytes(original)
    read = read_coefficients(tmp_path / "a.jpg")
    expected = witness(original)
    assert len(read.blocks) == len(expected) == {"grey": 1, "cmyk": 4}.get(kind, 3)
    for mine, theirs in zip(read.blocks, expected, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    written = encode(read)
    for mine, theirs in zip(read.blocks, witness(written), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(pixels(written), pixels(original))


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("kind", ["420", "411", "grey", "cmyk"])
def test_every_size_goes_through_exactly(kind: str, width: int, height: int) -> None:
    original = jpeg(kind, width, height)
    header = parse(original, "a")
    blocks = tuple(witness(original))
    assert [part.shape[:2] for part in blocks] == list(header.layout.grids)
    written = encode(CoefficientJpeg(header.layout, blocks, header.kept))
    np.testing.assert_array_equal(pixels(written), pixels(original))


@st.composite
def coefficient_jpegs(draw: st.DrawFn) -> CoefficientJpeg:
    """Draw any layout that libjpeg reads, with sparse, dense or extreme coefficients."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    peak = draw(st.sampled_from([1, 100, 2000, 16383]))
    density = draw(st.sampled_from([0.0, 0.02, 1.0]))
    factors = st.sampled_from([1, 2, 4])
    components = tuple(
        Component(i + 1, draw(factors), draw(factors), rng.integers(1, 256, 64).astype(np.uint16))
        for i in range(draw(st.sampled_from([1, 3, 4])))
    )
    layout = Layout(draw(st.integers(1, 70)), draw(st.integers(1, 70)), components)
    blocks = []
    for grid in layout.grids:
        values = rng.integers(-peak, peak + 1, (*grid, 8, 8))
        blocks.append((values * (rng.random(values.shape) < density)).astype(np.int16))
    return CoefficientJpeg(layout, tuple(blocks), PLAIN)


@settings(max_examples=60, deadline=None)
@given(coefficient_jpegs())
def test_any_coefficients_in_any_layout_go_through(made: CoefficientJpeg) -> None:
    for mine, theirs in zip(made.blocks, witness(encode(made)), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_bands_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    original = jpeg("420", 200, 150)
    read = decode(original, "a")
    whole = encode(read)
    for blocks in (1, 40, 100):
        monkeypatch.setattr("eyelid.media.jpeg_entropy._BAND_BLOCKS", blocks)
        assert encode(read) == whole


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 2**40), min_size=256, max_size=256).filter(any))
def test_codes_are_a_prefix_code_within_16_bits_and_never_all_ones(frequencies: list[int]) -> None:
    counts, symbols = _huffman(np.array(frequencies))
    codes, lengths = _assign(counts, symbols)
    assert sorted(symbols) == [symbol for symbol, n in enumerate(frequencies) if n]
    assert len(counts) == 16
    texts = sorted(format(int(codes[s]), f"0{int(lengths[s])}b") for s in symbols)
    assert all(len(text) <= 16 and "0" in text for text in texts)
    assert not any(later.startswith(text) for text, later in pairwise(texts))


def test_fibonacci_frequencies_make_codes_too_long_without_a_limit() -> None:
    frequencies = np.zeros(256, np.int64)
    frequencies[0] = frequencies[1] = 1
    for i in range(2, 40):
        frequencies[i] = frequencies[i - 1] + frequencies[i - 2]
    counts, symbols = _huffman(frequencies)
    assert len(symbols) == 40
    assert sum(count * 2.0**-length for length, count in enumerate(counts, 1)) < 1


def test_a_coefficient_too_large_is_refused() -> None:
    layout = Layout(8, 8, (Component(1, 1, 1, np.ones(64, np.uint16)),))
    blocks = np.full((1, 1, 8, 8), -(2**15), np.int16)
    with pytest.raises(InputError, match="larger than a JPEG can hold"):
        encode(CoefficientJpeg(layout, (blocks,), PLAIN))


def test_metadata_stays_behind_but_not_what_pixels_need(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SECRETCAM"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    profile = Image.new("RGB", (1, 1)).info.get("icc_profile") or bytes(range(200)) * 700
    path = save(
        tmp_path / "a.jpg", exif=exif.tobytes(), icc_profile=profile, comment=b"SECRETWORD", dpi=(300, 300)
    )
    path.write_bytes(path.read_bytes() + b"SECRETTAIL")
    read = read_coefficients(path)
    written = encode(read)
    assert b"SECRET" not in written
    assert {"camera make and model", "GPS position", "comment", "data after the picture"} <= set(read.dropped)
    with Image.open(io.BytesIO(written)) as image:
        assert image.getexif()[ExifTags.Base.Orientation] == 6
        assert len(image.getexif()) == 1
        assert image.info["icc_profile"] == profile == read.kept.icc_profile
    np.testing.assert_array_equal(pixels(written), pixels(path))


def test_the_picture_goes_into_no_temporary_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no place for temporary files, whoever needs one fails."""
    for name in ("TMPDIR", "TEMP", "TMP"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    hook = "import tempfile\ntempfile.NamedTemporaryFile = tempfile.mkstemp = tempfile.gettempdir = None\n"
    (tmp_path / "sitecustomize.py").write_text(hook)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    source = jpeg("420", 64, 64)
    for mine, theirs in zip(decode(source, "a").blocks, witness(source), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("cut", [3, 30, 300, 700, -2])
def test_a_jpeg_cut_short_is_refused(cut: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg("420", 67, 50)[:cut])
    with pytest.raises(InputError, match=r"a\.jpg"):
        read_coefficients(path)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 3000), st.binary(min_size=1, max_size=6))
def test_a_damaged_jpeg_is_read_or_refused_but_never_ends_the_process(place: int, noise: bytes) -> None:
    data = bytearray(jpeg("420", 40, 40))
    place %= len(data)
    data[place : place + len(noise)] = noise
    with suppress(InputError):
        decode(bytes(data), "a.jpg")


def test_damage_in_the_coded_data_is_noticed(tmp_path: Path) -> None:
    """Viewers pass over it and show something grey; a coefficient that was made up must not be split."""
    data = jpeg("420", 200, 200)
    middle = len(data) * 2 // 3
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:middle] + b"\xff\xd9")
    with pytest.raises(InputError, match="damaged"):
        read_coefficients(path)


def test_bytes_that_fill_up_the_end_are_no_damage() -> None:
    data = jpeg("420", 40, 40)
    filled = data[:-2] + bytes(7) + data[-2:]
    for mine, theirs in zip(decode(filled, "a").blocks, witness(data), strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize(
    ("marker", "precision", "words"),
    [(0xC1, 12, "12 bits"), (0xC3, 8, "lossless"), (0xC9, 8, "arithmetic"), (0xC5, 8, "hierarchical")],
)
def test_unusual_processes_are_refused_by_name(marker: int, precision: int, words: str) -> None:
    data = bytearray(jpeg("420", 16, 16))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = marker, precision
    with pytest.raises(UnsupportedError, match=words):
        decode(bytes(data), "a.jpg")


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    with pytest.raises(UnsupportedError, match=r"PNG.*save it as JPEG"):
        read_coefficients(tmp_path / "a.png")


def test_modules_in_the_working_folder_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of downloads may hold anything."""
    for name in ("numpy", "jpeglib", "eyelid", "sitecustomize"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert decode(jpeg("420", 8, 8), "a.jpg").layout.width == 8


def test_a_broken_jpeglib_is_not_called_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jpeglib.py").write_text("raise ImportError('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError, match="jpeglib cannot be loaded"):
        decode(jpeg("420", 8, 8), "a.jpg")


def test_without_jpeglib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"pip install 'eyelid\[p3\]'"):
        decode(jpeg("420", 8, 8), "a.jpg")
