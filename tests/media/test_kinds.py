from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from eyelid.errors import InputError, UnsupportedError
from eyelid.media.kinds import MediaFormat, MediaKind, sniff, sniff_format
from eyelid.media.still import StillReader
from tests.media.samples import STILLS, write_sample

if TYPE_CHECKING:
    from pathlib import Path


def _ftyp(*brands: bytes) -> bytes:
    return (
        (8 + 4 * (len(brands) + 1)).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    )


@pytest.mark.parametrize("name", STILLS)
def test_every_sample_is_a_still_under_any_name(name: str, tmp_path: Path) -> None:
    path = write_sample(name, tmp_path).rename(tmp_path / "wrong.mp4")
    assert sniff(path) is MediaKind.STILL


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (_ftyp(b"isom", b"mp42"), MediaFormat.MP4),
        (_ftyp(b"qt  "), MediaFormat.MP4),
        (b"\x00\x00\x00\x08wide" + b"\x00\x00\x01\x00mdat", MediaFormat.MP4),
        (b"\x1a\x45\xdf\xa3" + bytes(40), MediaFormat.MATROSKA),
        (b"RIFF\x10\x00\x00\x00AVI LIST", MediaFormat.AVI),
        (_ftyp(b"mif1", b"heic"), MediaFormat.HEIF),
    ],
)
def test_signatures(head: bytes, expected: MediaFormat, tmp_path: Path) -> None:
    path = tmp_path / "clip.jpg"
    path.write_bytes(head)
    assert sniff_format(path) is expected


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"%PDF-1.7\n", "PDF"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "SVG"),
        (b"PK\x03\x04" + bytes(30), "zip"),
        (b"\x1f\x8b\x08" + bytes(30), "gzip"),
        (bytes(257) + b"ustar" + bytes(100), "tar"),
        (b"Dear Anna, the photo is attached.\n", "text"),
        ("Grüße aus Köln".encode(), "text"),
        ("Grüße".encode("utf-16"), "text"),
        (("ä" * 3000).encode(), "text"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "raw"),
        (_ftyp(b"avif", b"mif1"), "AVIF"),
        (_ftyp(b"mif1", b"avif"), "AVIF"),
        (_ftyp(b"M4A "), "audio"),
        (_ftyp(b"crx "), "raw"),
        (b"RIFF\x10\x00\x00\x00WAVE", "audio"),
        ((b"\x47" + bytes(187)) * 4, "transport stream"),
        (bytes(range(1, 256)) * 3, "not a photo or video"),
    ],
)
def test_what_is_not_media_is_named(content: bytes, what: str, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(content)
    with pytest.raises(UnsupportedError, match=what) as caught:
        sniff(path)
    assert str(path) in str(caught.value)


def test_missing_empty_folder_and_special_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        sniff(tmp_path / "none.jpg")
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match="is empty"):
        sniff(tmp_path / "empty.jpg")
    with pytest.raises(InputError, match="is a folder"):
        sniff(tmp_path)
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(InputError, match="not a regular file"):
        sniff(tmp_path / "pipe.jpg")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    path = write_sample("rgb.png", tmp_path)
    path.chmod(0)
    with pytest.raises(InputError, match="may not be read"):
        sniff(path)


def test_a_permission_error_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_sample("rgb.png", tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(type(path), "open", refuse)
    with pytest.raises(InputError, match="may not be read"):
        sniff(path)


def test_a_gif_is_no_transport_stream_whatever_its_palette(tmp_path: Path) -> None:
    """Both begin with a G; the packets of the other do so every 188 bytes."""
    content = bytearray(write_sample("palette.gif", tmp_path).read_bytes())
    content[188] = content[376] = content[0]  # all within the palette
    (tmp_path / "a.gif").write_bytes(content)
    assert sniff_format(tmp_path / "a.gif") is MediaFormat.GIF
    assert StillReader(tmp_path / "a.gif").info.pages == 1
