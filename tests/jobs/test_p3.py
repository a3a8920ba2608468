"""Whole files: what goes into a split comes out of the join, and a failure leaves nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image

from eyelid.errors import InputError, LockError, OutputError, UnsupportedError, UsageError
from eyelid.jobs.p3 import join, join_resized, split
from eyelid.media.jpeg_coefficients import read_coefficients
from eyelid.obfuscate.keys import generate_key
from eyelid.obfuscate.p3_resized import Filter
from tests.media.jpegs import KINDS, pixels, save

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    generate_key(tmp_path / "k")
    return tmp_path / "k"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_photo_comes_back_exactly(kind: str, key: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg", kind)
    made = split(photo, key)
    assert (made.public.name, made.secret.name) == ("a.p3.jpg", "a.p3.jpg.secret")
    joined = join(made.public, key)
    assert joined.name == "a.joined.jpg"
    np.testing.assert_array_equal(pixels(joined), pixels(photo))
    for mine, theirs in zip(read_coefficients(joined).blocks, read_coefficients(photo).blocks, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("threshold", [1, 2, 10, 100])
def test_every_threshold_comes_back_exactly(threshold: int, key: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg", "422", 31, 17)
    made = split(photo, key, threshold)
    np.testing.assert_array_equal(pixels(join(made.public, key)), pixels(photo))
    for blocks in read_coefficients(made.public).blocks:
        assert abs(blocks).max() <= threshold
        assert not blocks[..., 0, 0].any()


def test_the_thumbnail_is_gone_and_told(key: Path, tmp_path: Path) -> None:
    """The EXIF of a camera holds a small copy of the photo, which would undo the whole split."""
    small = save(tmp_path / "small.jpg", "420", 40, 30).read_bytes()
    exif = Image.Exif()
    exif[0x0110] = "SECRETCAM"
    block = exif.tobytes()  # IFD1 with a thumbnail, appended by hand: Pillow does not write one
    offset = len(block) - 6
    entries = [(0x0201, 4, 1, offset + 2 + 12 * 2 + 4), (0x0202, 4, 1, len(small))]
    order: Literal["little", "big"] = "little" if block[6:8] == b"II" else "big"
    ifd = len(entries).to_bytes(2, order)
    for tag, kind, count, value in entries:
        ifd += (
            tag.to_bytes(2, order)
            + kind.to_bytes(2, order)
            + count.to_bytes(4, order)
            + value.to_bytes(4, order)
        )
    first = 6 + 8
    entries_in_ifd0 = int.from_bytes(block[first : first + 2], order)
    link = first + 2 + 12 * entries_in_ifd0
    block = block[:link] + offset.to_bytes(4, order) + block[link + 4 :] + ifd + bytes(4) + small
    photo = save(tmp_path / "a.jpg", "420", exif=block, comment=b"SECRETNOTE")
    made = split(photo, key)
    assert {"embedded thumbnail", "camera make and model", "comment"} <= set(made.dropped)
    for path in (made.public, made.secret, join(made.public, key)):
        data = path.read_bytes()
        assert b"SECRET" not in data
        assert small[200:260] not in data
    assert made.public.read_bytes().count(b"\xff\xd8\xff") == 1


def test_the_orientation_stays(key: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photo = save(tmp_path / "a.jpg", exif=exif.tobytes())
    made = split(photo, key)
    for path in (made.public, join(made.public, key)):
        with Image.open(path) as image:
            assert image.getexif()[0x0112] == 6
    np.testing.assert_array_equal(pixels(tmp_path / "a.joined.jpg"), pixels(photo))


def test_another_key_restores_nothing(key: Path, tmp_path: Path) -> None:
    made = split(save(tmp_path / "a.jpg"), key)
    generate_key(tmp_path / "other")
    before = names(tmp_path)
    with pytest.raises(LockError, match="wrong key"):
        join(made.public, tmp_path / "other")
    assert names(tmp_path) == before


@pytest.mark.parametrize("place", [30, 200, -1])
def test_a_changed_public_part_is_refused(place: int, key: Path, tmp_path: Path) -> None:
    made = split(save(tmp_path / "a.jpg"), key)
    data = bytearray(made.public.read_bytes())
    data[place] ^= 1
    made.public.write_bytes(data)
    with pytest.raises(LockError, match="does not belong"):
        join(made.public, key)
    assert "a.joined.jpg" not in names(tmp_path)


def test_parts_of_two_photos_do_not_join(key: Path, tmp_path: Path) -> None:
    one = split(save(tmp_path / "a.jpg"), key)
    two = split(save(tmp_path / "b.jpg", width=68), key)
    with pytest.raises(LockError, match="does not belong"):
        join(one.public, key, secret=two.secret)


def test_nothing_appears_where_an_output_exists(key: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg")
    (tmp_path / "a.p3.jpg.secret").write_bytes(b"precious")
    with pytest.raises(OutputError, match="--force"):
        split(photo, key)
    assert names(tmp_path) == {"a.jpg", "k", "a.p3.jpg.secret"}
    assert (tmp_path / "a.p3.jpg.secret").read_bytes() == b"precious"
    split(photo, key, force=True)
    join(tmp_path / "a.p3.jpg", key)
    with pytest.raises(OutputError, match="--force"):
        join(tmp_path / "a.p3.jpg", key)


def test_the_input_is_never_the_output(key: Path, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg")
    before = photo.read_bytes()
    with pytest.raises(OutputError, match="input itself"):
        split(photo, key, output=photo, force=True)
    made = split(photo, key)
    for target in (made.public, made.secret):
        with pytest.raises((OutputError, UsageError)):
            join(made.public, key, target, force=True)
    assert photo.read_bytes() == before


@pytest.mark.parametrize("threshold", [0, -3, 101, 10**9])
def test_thresholds_out_of_range(threshold: int, key: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"--threshold {threshold}: choose 1 to 100"):
        split(save(tmp_path / "a.jpg"), key, threshold)
    assert names(tmp_path) == {"a.jpg", "k"}


def test_a_join_that_would_not_be_exact_publishes_nothing(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mutant of the arithmetic is caught by the file's own check."""
    from eyelid.obfuscate import p3

    monkeypatch.setattr(p3, "correction", lambda secret, _: np.zeros_like(secret))
    with pytest.raises(InputError, match="would not come back exactly"):
        split(save(tmp_path / "a.jpg"), key)
    assert names(tmp_path) == {"a.jpg", "k"}


def test_a_resized_public_part_joins(key: Path, tmp_path: Path) -> None:
    made = split(save(tmp_path / "a.jpg", "grey", 200, 150), key)
    with Image.open(made.public) as image:
        image.resize((100, 75), Image.Resampling.BICUBIC).save(tmp_path / "small.png")
    output, kind = join_resized(tmp_path / "small.png", key, secret=made.secret, kind=Filter.BICUBIC)
    assert (output.name, kind) == ("small.joined.png", Filter.BICUBIC)
    with Image.open(tmp_path / "a.jpg") as image:
        expected = np.asarray(image.resize((100, 75), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(pixels(output) - expected).mean() < 4


def test_resized_parts_that_do_not_fit(key: Path, tmp_path: Path) -> None:
    made = split(save(tmp_path / "a.jpg", "grey", 200, 150), key)
    Image.new("L", (100, 99)).save(tmp_path / "cropped.png")
    Image.new("RGB", (100, 75)).save(tmp_path / "coloured.png")
    Image.new("I;16", (100, 75)).save(tmp_path / "deep.png")
    before = names(tmp_path)
    with pytest.raises(LockError, match="proportions"):
        join_resized(tmp_path / "cropped.png", key, secret=made.secret)
    with pytest.raises(LockError, match="colours"):
        join_resized(tmp_path / "coloured.png", key, secret=made.secret)
    with pytest.raises(UnsupportedError, match="8 bits"):
        join_resized(tmp_path / "deep.png", key, secret=made.secret)
    assert names(tmp_path) == before
