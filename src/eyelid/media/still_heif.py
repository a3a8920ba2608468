"""HEIC pictures, 8, 10 and 12 bit, through libheif."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING, cast

import numpy as np
import pillow_heif

from eyelid.errors import UnsupportedError
from eyelid.media.kinds import MediaFormat
from eyelid.media.metadata import heif_metadata
from eyelid.media.still_info import PageEncoding, StillEncoding, StillInfo
from eyelid.media.still_pixels import Pixels, from_interleaved

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.types import Plane

QUALITY = 90
_COLOUR_KEYS = ("color_primaries", "transfer_characteristics", "matrix_coefficients", "full_range_flag")
_MODES = {"L": "L", "LA": "LA", "RGB": "RGB", "RGBA": "RGBA", "I": "L"}


def open_heif(path: Path) -> pillow_heif.HeifFile:
    """Open a HEIC file; turning and mirroring (irot, imir) and cropping (clap) are applied on decoding."""
    return pillow_heif.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=True)


def describe(path: Path, file: pillow_heif.HeifFile) -> StillInfo:
    """Say what an opened HEIC file is and what of it will not be written."""
    changes = [f"HEIC is encoded again with loss, at quality {QUALITY}"]
    if any(image.mode.startswith(("RGBA", "RGBa", "LA", "La")) for image in file):
        changes.append("colours hidden under fully transparent pixels are made black")
    if any(image.info.get("icc_profile") for image in file):
        changes.append("the colour profile (ICC) is kept, because colours would change without it")
    return StillInfo(
        path=path,
        format="HEIC",
        width=file[0].size[0],
        height=file[0].size[1],
        pages=len(file),
        dropped=heif_metadata(file),
        changes=tuple(changes),
        encoding=StillEncoding(MediaFormat.HEIF, lossless=False),
    )


def decode(image: pillow_heif.HeifImage) -> tuple[Pixels, PageEncoding]:
    """Decode one picture of the file to planes of 8 bit, or of 10 and 12 bit spread over 16."""
    mode = image.mode.split(";")[0]
    if mode not in _MODES:
        raise UnsupportedError(
            f"HEIC pictures of mode {image.mode} are not supported; convert it to JPEG first"
        )
    if mode.endswith("a"):
        raise UnsupportedError(
            "HEIC pictures with premultiplied alpha are not supported; convert it to PNG first"
        )
    samples = np.asarray(image)
    pixels = from_interleaved(samples, _MODES[mode])
    return pixels, PageEncoding(
        mode=_MODES[mode] + (";16" if samples.dtype == np.uint16 else ""),
        bit_depth=cast("int", image.info["bit_depth"]),
        icc_profile=cast("bytes | None", image.info.get("icc_profile")),
        colour=_colour(cast("dict[str, int] | None", image.info.get("nclx_profile"))),
    )


def new_file() -> pillow_heif.HeifFile:
    """Return a HEIC file without pictures."""
    return pillow_heif.HeifFile()  # type: ignore[no-untyped-call]


def add_page(file: pillow_heif.HeifFile, planes: Sequence[Plane], page: PageEncoding) -> None:
    """Add planes as a further picture of a file to be written."""
    samples = np.stack([plane.samples for plane in planes], axis=-1)
    height, width = samples.shape[:2]
    image = file.add_frombytes(page.mode, (width, height), samples.tobytes())
    image.info["bit_depth"] = page.bit_depth
    if page.icc_profile:
        image.info["icc_profile"] = page.icc_profile
    if page.colour:
        image.info["nclx_profile"] = dict(zip(_COLOUR_KEYS, page.colour, strict=True))


def save(file: pillow_heif.HeifFile, stream: IO[bytes]) -> None:
    """Encode all added pictures."""
    file.save(stream, quality=QUALITY)


def _colour(profile: dict[str, int] | None) -> tuple[int, ...] | None:
    return tuple(int(profile[key]) for key in _COLOUR_KEYS) if profile else None
