"""Metadata is found in every container, wherever it stands, and a clean file is called clean."""

from __future__ import annotations

import struct
import subprocess
import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING

import av
import pillow_heif
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from eyelid.attack.metadata import MetadataAttack
from eyelid.attack.metadata_scan import leftovers
from eyelid.attack.voice import VoiceAttack
from eyelid.errors import InputError, UnsupportedError
from tests.media.clips import CANARY, Clip, copy
from tests.media.jpegs import jpeg, picture, save

if TYPE_CHECKING:
    from pathlib import Path


def exif() -> Image.Exif:
    block = Image.Exif()
    block[ExifTags.Base.Make] = CANARY
    block[ExifTags.Base.DateTime] = "2021:03:04 05:06:07"
    block.get_ifd(ExifTags.IFD.Exif)[0xA431] = CANARY
    block.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    return block


EXIF_NAMES = {"camera make and model", "date and time", "GPS position", "camera serial number"}
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + CANARY.encode() + b"</x:xmpmeta>"


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".heic"])
def test_exif_is_found_in_every_format(suffix: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / f"a{suffix}"
    options = {"exif": exif()} if suffix != ".heic" else {"exif": exif().tobytes()}
    picture(64, 48).save(path, **options)
    written = {"camera make and model", "date and time"} if suffix == ".tiff" else EXIF_NAMES
    assert set(leftovers(path.read_bytes())) >= written  # Pillow writes no second directory into a TIFF
    found = MetadataAttack(original=path).measure(path)
    assert found.values_of_original == found.values_searched > 0


def test_an_original_in_heic_is_read_though_nobody_taught_pillow(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / "a.heic"
    picture(64, 48).save(path, exif=exif().tobytes())
    code = (
        "import sys, pathlib; from eyelid.attack.metadata import MetadataAttack;"
        "path = pathlib.Path(sys.argv[1]); print(MetadataAttack(path).measure(path).values_searched)"
    )
    run = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) >= 2


def test_a_very_large_original_is_searched_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's own limit, in pixels, is for those who decode; nothing is decoded here."""
    path = save(tmp_path / "a.jpg", exif=exif().tobytes())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert MetadataAttack(path).measure(path).values_searched >= 2


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".gif", ".heic"])
def test_a_clean_photo_is_clean(suffix: str, tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    path = tmp_path / f"a{suffix}"
    picture(64, 48).save(path)
    result = MetadataAttack().run(path)
    assert (result.success, result.note) == (0, "none found")


def segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


@pytest.mark.parametrize(
    ("marker", "content", "name"),
    [
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP, "XMP"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\0", "Photoshop resources and IPTC"),
        (0xE2, b"MPF\0II*\0", "secondary pictures"),
        (0xE5, b"something", "application data"),
        (0xFE, b"a comment", "comment"),
        (0xE0, b"JFXX\0\x10" + jpeg("420", 8, 8), "embedded thumbnail"),
        (0xE0, b"JFIF\0\1\1\0\0\1\0\1\1\1abc", "embedded thumbnail"),
    ],
)
def test_segments_of_a_jpeg(marker: int, content: bytes, name: str) -> None:
    data = jpeg("420", 32, 32)
    assert leftovers(data) == ()
    assert name in leftovers(data[:2] + segment(marker, content) + data[2:])


def test_orientation_alone_says_nothing(tmp_path: Path) -> None:
    block = Image.Exif()
    block[ExifTags.Base.Orientation] = 6
    assert leftovers(save(tmp_path / "a.jpg", exif=block.tobytes()).read_bytes()) == ()


@pytest.mark.parametrize(
    ("tail", "name"), [(b"a short film", "data after the picture"), (jpeg("420", 8, 8), "embedded picture")]
)
def test_what_stands_behind_a_jpeg(tail: bytes, name: str) -> None:
    assert leftovers(jpeg("progressive", 90, 90) + tail) == (name,)


def test_a_big_tiff_is_not_called_clean(tmp_path: Path) -> None:
    picture(16, 16).save(tmp_path / "a.tiff", big_tiff=True)
    assert leftovers((tmp_path / "a.tiff").read_bytes()) == ("BigTIFF directories, which were not read",)


def test_text_in_a_png_and_comments_in_a_gif(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Author", CANARY)
    picture(16, 16).save(tmp_path / "a.png", pnginfo=text)
    picture(16, 16).save(tmp_path / "a.gif", comment=CANARY.encode())
    assert leftovers((tmp_path / "a.png").read_bytes()) == ("text",)
    assert leftovers((tmp_path / "a.gif").read_bytes()) == ("comment",)


VIDEO_NAMES = {
    ".mp4": {"titles and comments", "subtitles", "time code", "date and time", "track names"},
    ".mov": {"titles and comments", "subtitles", "time code", "date and time"},
    ".mkv": {"title", "subtitles", "attachments", "chapters", "titles and comments"},
}


@pytest.mark.parametrize("suffix", VIDEO_NAMES)
def test_a_video_full_of_secrets(suffix: str, tmp_path: Path) -> None:
    source = Clip(audio="aac", secrets=True).write(tmp_path / f"a{suffix}")
    found = MetadataAttack(original=source).measure(source)
    assert set(found.left) >= VIDEO_NAMES[suffix]
    assert found.values_of_original > 0
    assert CANARY not in MetadataAttack(original=source).run(source).note


@pytest.mark.parametrize("suffix", VIDEO_NAMES)
def test_what_eyelid_wrote_holds_none(suffix: str, tmp_path: Path) -> None:
    source = Clip(audio="aac", secrets=True).write(tmp_path / f"a{suffix}")
    target = tmp_path / f"b{suffix}"
    copy(source, target)
    found = MetadataAttack(original=source).measure(target)
    assert found.left == ()
    assert found.values_of_original == 0
    assert found.values_searched > 0


def test_a_value_hidden_where_no_container_keeps_it_is_still_found(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg", exif=exif().tobytes())
    clean = jpeg("420", 32, 32)
    for form in ("utf-8", "utf-16-le"):
        (tmp_path / "b.jpg").write_bytes(clean[:-2] + CANARY.encode(form) + clean[-2:])
        assert MetadataAttack(original=source).measure(tmp_path / "b.jpg").values_of_original == 1
        assert MetadataAttack(original=source).run(tmp_path / "b.jpg").success == 1


def test_no_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("nothing to see " * 9)
    with pytest.raises(UnsupportedError):
        MetadataAttack().run(tmp_path / "a.txt")
    with pytest.raises(InputError):
        MetadataAttack().run(tmp_path / "none.jpg")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
def test_a_walk_ends_on_any_damage(suffix: str, tmp_path: Path) -> None:
    data = bytearray(Clip(frames=3, secrets=suffix != ".avi").write(tmp_path / f"a{suffix}").read_bytes())
    for place in range(0, min(len(data), 4000), 37):
        altered = bytearray(data)
        altered[place : place + 4] = b"\xff\0\xff\xff"
        leftovers(bytes(altered))
        leftovers(bytes(data[:place]))


def test_an_original_whose_words_are_not_unicode_is_searched_all_the_same(tmp_path: Path) -> None:
    """Programs of the time wrote the title of an AVI in the coding of their country."""
    title = b"Gartenfest am See"
    with av.open(str(tmp_path / "c.avi"), "w") as container:
        container.metadata["title"] = title.decode()
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode())
    path = tmp_path / "c.avi"
    path.write_bytes(path.read_bytes().replace(title, title.replace(b"ar", b"\xe4r")))
    found = MetadataAttack(original=path).measure(path)
    assert found.values_of_original == found.values_searched == 1
    assert VoiceAttack().measure(path).streams == 0


def test_an_original_with_a_damaged_block_is_one_sentence_at_most(tmp_path: Path) -> None:
    block, path = exif().tobytes(), tmp_path / "a.jpg"
    for end in range(6, len(block)):
        picture(16, 16).save(path, exif=block[:end])
        with suppress(InputError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            MetadataAttack(original=path).measure(path)
