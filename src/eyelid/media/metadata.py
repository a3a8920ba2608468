"""Names of the metadata that a still carries: for people to read, never the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from PIL import ExifTags, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from eyelid.media.still_chunks import after_jpeg, gif_blocks, png_chunks, webp_chunks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pillow_heif

_EXIF_NAMES: dict[int, str] = {
    0x010E: "image description",
    0x010F: "camera make and model",
    0x0110: "camera make and model",
    0x0131: "software name",
    0x0132: "date and time",
    0x013B: "author",
    0x013C: "computer name",
    0x02BC: "XMP",
    0x8298: "copyright",
    0x83BB: "IPTC",
    0x8649: "Photoshop resources",
    0x9C9B: "title",
    0x9C9C: "comment",
    0x9C9D: "author",
    0x9C9E: "keywords",
    0x9C9F: "subject",
    0x9003: "date and time",
    0x9004: "date and time",
    0x927C: "maker note",
    0x9286: "comment",
    0xA420: "unique image number",
    0xA430: "owner name",
    0xA431: "camera serial number",
    0xA434: "lens model",
    0xA435: "lens serial number",
    0xC62F: "camera serial number",
}
_PIXEL_TAGS = {  # what a TIFF needs for its pixels, and the profile that is kept
    *(
        254,
        256,
        257,
        258,
        259,
        262,
        263,
        266,
        273,
        274,
        277,
        278,
        279,
        280,
        281,
        284,
        290,
        291,
        292,
        293,
        301,
    ),
    *(
        317,
        318,
        319,
        320,
        321,
        322,
        323,
        324,
        325,
        332,
        334,
        336,
        338,
        339,
        340,
        341,
        347,
        529,
        530,
        531,
        532,
    ),
    *(255, 512, 513, 514, 515, 517, 518, 519, 520, 521, 34675),
}
_TIFF_NAMES = {282: "resolution", 283: "resolution", 296: "resolution", 330: "secondary pictures"}
_TIFF_POINTERS = {0x8769: "EXIF", 0x8825: "GPS position"}
_JPEG_SEGMENTS = (
    (b"MPF\0", "secondary pictures"),
    (b"http://ns.adobe.com/xap/1.0/\0", "XMP"),
    (b"http://ns.adobe.com/xmp/extension/\0", "XMP"),
    (b"Photoshop 3.0\0", "Photoshop resources and IPTC"),
    (b"Exif\0", "EXIF"),
    (b"FPXR\0", "FlashPix data"),
    (b"ICC_PROFILE\0", ""),
    (b"JFXX\0", "embedded thumbnail"),
    (b"JFIF\0", ""),
    (b"Adobe\0", ""),
    (b"Adobe", ""),
)
_PNG_PIXEL_CHUNKS = {
    *(
        b"IHDR",
        b"PLTE",
        b"IDAT",
        b"IEND",
        b"tRNS",
        b"acTL",
        b"fcTL",
        b"fdAT",
        b"iCCP",
        b"sBIT",
        b"bKGD",
        b"hIST",
    ),
}
_PNG_NAMES = {
    b"eXIf": "EXIF",
    b"tEXt": "text",
    b"zTXt": "text",
    b"iTXt": "text",
    b"tIME": "date and time",
    b"pHYs": "resolution",
    b"gAMA": "colour hints",
    b"cHRM": "colour hints",
    b"sRGB": "colour hints",
    b"cICP": "colour hints",
    b"mDCV": "colour hints",
    b"cLLI": "colour hints",
    b"sPLT": "suggested palette",
}
_RIFF_PIXEL_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"}
_RIFF_NAMES = {b"EXIF": "EXIF", b"XMP ": "XMP"}
_GIF_NAMES = {b"\xfe": "comment", b"\xff": "application data", b"\x01": "text"}
_GIF_LOOPS = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_SCAN_BYTES = 1 << 16


def metadata_of(path: Path, image: Image.Image) -> tuple[str, ...]:
    """Name the metadata of an opened still, without doubles, in the order found."""
    names: list[str] = []
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        names += _jpeg(path, image)
    elif isinstance(image, PngImagePlugin.PngImageFile):
        names += _png(path)
    elif image.format == "WEBP":
        names += _webp(path)
    elif image.format == "GIF":
        names += _gif(path)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        names += _tiff(image)
    elif "exif" in image.info:
        names += exif_names(image.getexif())
        names += _thumbnail(image.getexif())
    return tuple(dict.fromkeys(name for name in names if name))


def heif_metadata(file: pillow_heif.HeifFile) -> tuple[str, ...]:
    """Name the metadata of an opened HEIC file."""
    names: list[str] = []
    for image in file:
        info = image.info
        if info.get("exif"):
            exif = Image.Exif()
            exif.load(cast("bytes", info["exif"]))
            names += ["EXIF", *exif_names(exif), *_thumbnail(exif)]
        names += ["XMP"] if info.get("xmp") else []
        names += ["other metadata"] if info.get("metadata") else []
        names += ["embedded thumbnail"] if info.get("thumbnails") else []
        names += ["depth picture"] if info.get("depth_images") else []
        names += ["auxiliary pictures"] if info.get("aux") else []
    return tuple(dict.fromkeys(names))


def exif_names(exif: Image.Exif) -> list[str]:
    """Name what stands in an EXIF block."""
    names = _known(exif)
    names += _known(exif.get_ifd(ExifTags.IFD.Exif))
    if exif.get_ifd(ExifTags.IFD.GPSInfo):
        names.append("GPS position")
    return names


def _thumbnail(exif: Image.Exif) -> list[str]:
    # not for TIFF, where the second directory is the second page
    return ["embedded thumbnail"] if exif.get_ifd(ExifTags.IFD.IFD1) else []


def _known(tags: Iterable[int]) -> list[str]:
    return [_EXIF_NAMES[tag] for tag in tags if tag in _EXIF_NAMES]


def _jpeg(path: Path, image: JpegImagePlugin.JpegImageFile) -> list[str]:
    names: list[str] = []
    for marker, content in image.applist:
        known = (name for magic, name in _JPEG_SEGMENTS if content.startswith(magic))
        names.append("comment" if marker == "COM" else next(known, "application data"))
    if image.info.get("dpi") and image.info.get("dpi") != (72, 72):
        names.append("resolution")
    return names + _after_jpeg(path)


def _after_jpeg(path: Path) -> list[str]:
    """Name what follows the end of the picture: a motion photo's film, a second picture, or other data."""
    rest = after_jpeg(path.read_bytes())
    if not rest.strip(b"\0\xff"):
        return []
    if b"ftyp" in rest[:_SCAN_BYTES]:
        return ["motion photo film"]
    return ["secondary pictures" if b"\xff\xd8\xff" in rest[:_SCAN_BYTES] else "data after the picture"]


def _png(path: Path) -> list[str]:
    names: list[str] = []
    for kind, content in png_chunks(path.read_bytes()):
        if not kind:
            names += _trailing(content)
        elif kind == b"iTXt" and content.startswith(b"XML:com.adobe.xmp"):
            names.append("XMP")
        elif kind not in _PNG_PIXEL_CHUNKS:
            names.append(_PNG_NAMES.get(kind, "private chunks"))
    return names


def _webp(path: Path) -> list[str]:
    names: list[str] = []
    for kind, content in webp_chunks(path.read_bytes()):
        if not kind:
            names += _trailing(content)
        elif kind not in _RIFF_PIXEL_CHUNKS:
            names.append(_RIFF_NAMES.get(kind, "private chunks"))
    return names


def _gif(path: Path) -> list[str]:
    names: list[str] = []
    for label, content in gif_blocks(path.read_bytes()):
        if not label:
            names += _trailing(content)
        elif label in _GIF_NAMES:
            names.append("" if content.startswith(_GIF_LOOPS) else _GIF_NAMES[label])
    return names


def _trailing(content: bytes) -> list[str]:
    return ["data after the picture"] if content.strip(b"\0") else []


def _tiff(image: TiffImagePlugin.TiffImageFile) -> list[str]:
    names: list[str] = []
    for page in range(image.n_frames):
        image.seek(page)
        tags: Mapping[int, object] = image.tag_v2
        for tag in tags:
            if tag in _TIFF_POINTERS:
                names.append(_TIFF_POINTERS[tag])
            elif tag not in _PIXEL_TAGS:
                names.append(_EXIF_NAMES.get(tag) or _TIFF_NAMES.get(tag) or "private tags")
        names += exif_names(image.getexif())
    image.seek(0)
    return names
