"""Canaries in every place where a still can carry something beside its pixels."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pillow_heif
import pytest
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from eyelid.media.still import StillReader, StillWriter
from eyelid.media.still_info import PageEncoding
from eyelid.types import RawFrame
from tests.media.samples import STILLS, image, jpeg_with_segments, safe, write_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CANARY = b"CANARY-7f3a"
TEXT = CANARY.decode()


def exif() -> Image.Exif:
    tags = Image.Exif()
    tags[0x010F] = tags[0x0110] = tags[0x0131] = tags[0x013B] = tags[0x010E] = TEXT
    tags[0x0132] = TEXT
    tags[0x8769] = {
        0x927C: CANARY * 20,
        0x9286: CANARY,
        0xA431: TEXT,
        0xA435: TEXT,
        0xA430: TEXT,
        0x9003: TEXT,
    }
    tags[0x8825] = {1: "N", 2: (52.0, 30.0, 12.0), 29: TEXT}
    return tags


def exif_with_thumbnail() -> bytes:
    """Build an EXIF block whose second directory holds a JPEG: little-endian TIFF structure by hand."""
    thumbnail = jpeg_with_segments(_encoded("JPEG"), (0xFE, CANARY))
    second = 8 + 2 + 12 + 4
    data_at = second + 2 + 2 * 12 + 4
    first_directory = struct.pack("<HHHII", 1, 0x0112, 3, 1, 1) + struct.pack("<I", second)
    entries = struct.pack("<HHII", 0x0201, 4, 1, data_at) + struct.pack("<HHII", 0x0202, 4, 1, len(thumbnail))
    block = b"II*\0" + struct.pack("<I", 8) + first_directory + struct.pack("<H", 2) + entries + bytes(4)
    return b"Exif\0\0" + block + thumbnail


def _encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    image("RGB").save(stream, kind)
    return stream.getvalue()


def jpeg(path: Path) -> None:
    stream = io.BytesIO()
    image("RGB").save(stream, "JPEG", exif=exif(), comment=CANARY, dpi=(300, 300))
    data = jpeg_with_segments(
        stream.getvalue(),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>" + CANARY + b"</x:xmpmeta>"),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x0b" + CANARY),
        (0xEB, b"JP\0\1" + CANARY),
        (0xE0, b"JFXX\0\x10" + CANARY),
    )
    path.write_bytes(data + b"\0\0\0\x18ftypmp42" + CANARY)


def jpeg_thumbnail(path: Path) -> None:
    image("RGB").save(path, "JPEG", exif=exif_with_thumbnail())


def mpo(path: Path) -> None:
    second = jpeg_with_segments(_encoded("JPEG"), (0xFE, CANARY))
    image("RGB").save(path, "MPO", save_all=True, append_images=[Image.open(io.BytesIO(second))])
    path.write_bytes(path.read_bytes() + second)


def png(path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Author", TEXT)
    info.add_text("Comment", TEXT, zip=True)
    info.add_itxt("XML:com.adobe.xmp", f"<x:xmpmeta>{TEXT}</x:xmpmeta>")
    info.add(b"caNv", CANARY)
    info.add(b"tIME", CANARY[:7])
    image("RGB").save(path, pnginfo=info, exif=exif(), dpi=(300, 300))
    path.write_bytes(path.read_bytes() + CANARY)


def webp(path: Path) -> None:
    image("RGB").save(path, exif=exif(), xmp=CANARY, lossless=True)
    data = path.read_bytes() + b"cnry" + struct.pack("<I", len(CANARY) + 1) + CANARY + b"\0"
    path.write_bytes(b"RIFF" + struct.pack("<I", len(data) - 8) + data[8:] + CANARY)


def tiff(path: Path) -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[270] = tags[271] = tags[272] = tags[305] = tags[315] = tags[33432] = TEXT
    tags[700] = b"<x:xmpmeta>" + CANARY
    tags[33723] = CANARY
    tags[34377] = CANARY
    tags[65000] = TEXT
    thumbnail = Image.new("RGB", (8, 6), "red")
    thumbnail.encoderinfo = {"tiffinfo": {254: 1, 270: TEXT}}
    image("RGB").save(path, tiffinfo=tags, dpi=(300, 300), save_all=True, append_images=[thumbnail])


def tiff_exif(path: Path) -> None:
    image("RGB").save(path, exif=exif().tobytes())


def gif(path: Path) -> None:
    image("P").save(path, comment=CANARY)
    data = path.read_bytes()
    extra = b"!\xff\x0bXMP DataXMP" + bytes([len(CANARY)]) + CANARY + b"\0"
    path.write_bytes(data[:-1] + extra + b";" + CANARY)


def heic(path: Path) -> None:
    file = pillow_heif.from_pillow(image("RGB", 128, 96))
    file.save(path, exif=exif().tobytes(), xmp=CANARY, thumbnails=[32], quality=90)


PLACES: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "photo.jpg": (
        jpeg,
        {
            *(
                "EXIF",
                "GPS position",
                "camera serial number",
                "lens serial number",
                "maker note",
                "owner name",
            ),
            *("camera make and model", "date and time", "author", "comment", "XMP", "embedded thumbnail"),
            *("Photoshop resources and IPTC", "application data", "motion photo film", "resolution"),
        },
    ),
    "thumbnail.jpg": (jpeg_thumbnail, {"EXIF", "embedded thumbnail"}),
    "pair.jpg": (mpo, {"secondary pictures"}),
    "text.png": (
        png,
        {
            *(
                "text",
                "XMP",
                "EXIF",
                "private chunks",
                "date and time",
                "resolution",
                "data after the picture",
            ),
            *("GPS position", "camera serial number"),
        },
    ),
    "photo.webp": (
        webp,
        {"EXIF", "XMP", "private chunks", "data after the picture", "GPS position", "camera serial number"},
    ),
    "scan.tiff": (
        tiff,
        {
            *(
                "XMP",
                "IPTC",
                "Photoshop resources",
                "private tags",
                "image description",
                "author",
                "copyright",
            ),
            *("embedded thumbnail", "resolution", "camera make and model", "software name"),
        },
    ),
    "photo.tiff": (tiff_exif, {"EXIF", "GPS position", "camera serial number", "maker note", "author"}),
    "clip.gif": (gif, {"comment", "application data", "data after the picture"}),
    "phone.heic": (heic, {"EXIF", "XMP", "embedded thumbnail", "GPS position", "camera serial number"}),
}


@pytest.mark.parametrize("name", PLACES)
def test_no_canary_reaches_the_output_and_all_are_named(name: str, tmp_path: Path) -> None:
    write, names = PLACES[name]
    source, output = tmp_path / name, tmp_path / f"out-{name}"
    write(source)
    assert CANARY in source.read_bytes() or name == "text.png"
    with StillReader(source) as reader:
        info, frames = reader.info, list(reader)
    assert names <= set(info.dropped), names - set(info.dropped)
    assert len(frames) == info.pages == 1
    with StillWriter(output, info) as writer:
        for frame in frames:
            writer.write(safe(frame))
    content = output.read_bytes()
    for form in (CANARY, CANARY[:6], TEXT.encode("utf-16-le"), zlib.compress(CANARY), b"52.5"):
        assert form not in content
    assert TEXT not in repr(info.dropped) + repr(info.changes) + repr(frames[0].carrier)
    with StillReader(output) as again:
        assert again.info.dropped == ()
    if not name.endswith(".heic"):
        with Image.open(output) as opened:
            opened.load()
            assert dict(opened.getexif()).keys() <= set(range(254, 340))  # the tags of TIFF pixels alone
            assert not opened.getexif().get_ifd(0x8825)
            assert not {"comment", "xmp", "exif", "photoshop", "Author", "dpi"} & set(opened.info) - (
                {"dpi"} if name.endswith((".jpg", ".tiff")) else set()
            )


@pytest.mark.parametrize("name", STILLS)
def test_plain_pictures_carry_nothing(name: str, tmp_path: Path) -> None:
    assert StillReader(write_sample(name, tmp_path)).info.dropped == ()


DEEP = ["rgb16.png", "rgba16.png", "rgb16.tiff", "rgba16.tiff"]


@pytest.mark.parametrize("name", sorted(set(STILLS) - {"palette.gif", "animated.gif", *DEEP}))
def test_the_colour_profile_is_kept_and_said(name: str, tmp_path: Path) -> None:
    source, output = tmp_path / f"icc-{name}", tmp_path / f"out-{name}"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = write_sample(name, tmp_path)
    if name.endswith(".heic"):
        file = pillow_heif.open_heif(plain, convert_hdr_to_8bit=False)
        file[0].info["icc_profile"] = profile
        file.save(source)
    else:
        with Image.open(plain) as opened:
            opened.save(source, icc_profile=profile, save_all="animated" in name or "pages" in name)
    with StillReader(source) as reader:
        assert any("colour profile" in change for change in reader.info.changes)
        with StillWriter(output, reader.info) as writer:
            for frame in reader:
                writer.write(safe(frame))
    with StillReader(output) as again:
        for frame in again:
            assert frame.carrier is not None
            assert getattr(frame.carrier, "icc_profile", None) == profile


@pytest.mark.parametrize("name", DEEP)
def test_the_colour_profile_of_deep_colour(name: str, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    output = tmp_path / f"out-{name}"
    with StillReader(write_sample(name, tmp_path)) as reader, StillWriter(output, reader.info) as writer:
        for frame in reader:
            assert isinstance(frame.carrier, PageEncoding)
            page = replace(frame.carrier, icc_profile=profile)
            writer.write(safe(RawFrame(frame.width, frame.height, frame.planes, frame.render, carrier=page)))
    with Image.open(output) as after:
        after.load()
        assert after.info["icc_profile"] == profile
