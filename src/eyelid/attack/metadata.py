"""Metadata: does the file say more than its pictures do, or anything that stood in its original?"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, Final

from PIL import ExifTags, Image
from pydantic import BaseModel, ConfigDict

from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.metadata_scan import leftovers
from eyelid.errors import InputError
from eyelid.media.kinds import MediaFormat, MediaKind, sniff, sniff_format
from eyelid.media.still import PLUGINS
from eyelid.media.video_source import opened

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_SHORTEST: Final = 6
"""Characters; shorter words stand in any file by chance."""
_USUAL: Final = {"VideoHandler", "SoundHandler", "isomiso2avc1mp41", "isomiso2mp41"}
_USUAL_BEGINNINGS: Final = ("Lavf", "Lavc", "00:")
"""What programs write into every file."""


class Metadata(BaseModel):
    """Kinds of metadata ``left`` in a file, and how many values of its original stand in it word for word."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: tuple[str, ...]
    values_of_original: int
    values_searched: int


class MetadataAttack(Attack["Path"]):
    """Read what a file says; with ``original`` also search it for every word of the original's metadata."""

    name = "metadata"

    def __init__(self, original: Path | None = None) -> None:
        self._original = original

    @property
    def threat(self) -> Threat:
        """The attacker: anybody who opens the file with a metadata reader or a hex editor."""
        return Threat(
            goal="learn who, where, when or with which device from what is written beside the pictures",
            knowledge=Knowledge.NAIVE,
            capability="the file, and programs that show metadata",
        )

    def run(self, target: Path) -> AttackResult:
        """Count the kinds of metadata in the file ``target``; 0 where it says nothing but its pictures."""
        return self.result(self.measure(target))

    def result(self, found: Metadata) -> AttackResult:
        """Return how many kinds of metadata were found."""
        kinds = list(found.left)
        if found.values_of_original:
            kinds.append(f"{found.values_of_original} of {found.values_searched} values of the original")
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="kinds of metadata",
            success=len(kinds),
            chance=0.0,
            interval=(len(kinds), len(kinds)),
            n=1,
            note=", ".join(kinds) or "none found",
        )

    def measure(self, target: Path) -> Metadata:
        """Read the file ``target``; raises InputError and UnsupportedError where it is no media."""
        values = set(_values(self._original)) if self._original else set()
        sniff(target)
        with target.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            stands = sum(any(data.find(form) >= 0 for form in _forms(value)) for value in values)
            return Metadata(left=leftovers(data), values_of_original=stands, values_searched=len(values))


def _values(original: Path) -> Iterator[str]:
    """Yield the texts of the metadata of a file that are long enough to be told from chance."""
    texts = _still_texts(original) if sniff(original) is MediaKind.STILL else _video_texts(original)
    for text in (part for whole in texts for part in whole.split("\ufffd")):  # which no decoder could read
        value = text.strip(" \0\r\n\t")
        if len(value) >= _SHORTEST and value not in _USUAL and not value.startswith(_USUAL_BEGINNINGS):
            yield value


def _still_texts(path: Path) -> Iterator[str]:
    try:
        exif, info = _read_still(path)
        blocks = [exif, exif.get_ifd(ExifTags.IFD.Exif), exif.get_ifd(ExifTags.IFD.GPSInfo)]
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, struct.error) as error:
        raise InputError(f"{path} cannot be read as a photo; give the untouched original") from error
    values = [value for block in blocks for value in block.values()]
    values += [value for key, value in info.items() if key not in {"icc_profile", "exif"}]
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, bytes) and value.isascii():
            yield value.decode("ascii")


def _read_still(path: Path) -> tuple[Image.Exif, dict[str, object]]:
    """Return what a photo says of itself, however large it is; Pillow knows no HEIC by itself."""
    form = sniff_format(path)
    if form is MediaFormat.HEIF:
        from pillow_heif import open_heif  # only for HEIC: memory

        info: dict[str, object] = dict(open_heif(path).info)
        exif = Image.Exif()
        if isinstance(block := info.get("exif"), bytes):
            exif.load(block)
        return exif, info
    with PLUGINS[form](path) as image:
        return image.getexif(), {str(key): value for key, value in image.info.items()}


def _video_texts(path: Path) -> Iterator[str]:
    with opened(path) as container:
        tables: Iterable[dict[str, str]] = [container.metadata, *(s.metadata for s in container.streams)]
        yield from (value for table in tables for value in table.values())
        for chapter in container.chapters():
            yield from chapter["metadata"].values()


def _forms(value: str) -> list[bytes]:
    return [value.encode(coding) for coding in ("utf-8", "utf-16-le", "utf-16-be")]
