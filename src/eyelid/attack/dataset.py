"""Pictures of people who are known: a folder with a subfolder for each person."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.errors import EyelidError, InputError
from eyelid.media.still import StillReader

if TYPE_CHECKING:
    from pathlib import Path

Pictures: TypeAlias = NDArray[np.uint8]
"""Grey pictures, uint8 (n, height, width)."""

Picture: TypeAlias = NDArray[np.uint8]
"""One grey picture, uint8 (height, width)."""

Labels: TypeAlias = NDArray[np.int64]

SUFFIXES: Final = frozenset(
    f".{name}"
    for name in "avif bmp gif heic heif jp2 jpeg jpg pbm pgm png pnm ppm tif tiff webp".split()  # noqa: SIM905
)
SIZE: Final = (112, 92)
"""Height and width of the AT&T pictures, to which the figures of the literature refer."""

LARGEST: Final = 256
PROBE_SHARE: Final = 0.2
FEWEST_PICTURES: Final = 3
"""Of each person: one to train on, one to choose the attacker by, one to probe with."""


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """Grey ``pictures`` (n, height, width) of people; ``people`` (n,) are indices into ``names``."""

    pictures: Pictures
    people: Labels
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.pictures.ndim != 3 or len(self.pictures) != len(self.people):
            raise ValueError(f"{len(self.people)} labels for pictures of shape {self.pictures.shape}")
        if len(self.names) < 2:
            raise InputError("there is one person only; re-identification needs pictures of at least two")
        counts = np.bincount(self.people, minlength=len(self.names))
        if counts.min() < FEWEST_PICTURES:
            raise InputError(
                f"there are too few pictures of {self.names[int(counts.argmin())]}: {counts.min()}; "
                f"give at least {FEWEST_PICTURES} of every person"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Which pictures an attacker learns from, and which it is probed with: disjoint index arrays."""

    training: Labels
    probes: Labels


def split(people: Labels, seed: int, among: Labels | None = None) -> Split:
    """Set a fifth of the pictures of every person aside as probes, at least one: 8/2 of ten.

    ``among`` are the indices to split, all by default. The same seed gives the same split.
    """
    rng = np.random.default_rng(seed)
    index = np.arange(len(people)) if among is None else among
    probes: list[Labels] = []
    for person in np.unique(people[index]):
        own = rng.permutation(index[people[index] == person])
        probes.append(own[: max(1, round(PROBE_SHARE * len(own)))])
    chosen = np.sort(np.concatenate(probes))
    return Split(np.setdiff1d(index, chosen), chosen)


def read_faces(folder: Path) -> Faces:
    """Read the pictures of every subfolder of ``folder`` as one person, in grey.

    All are brought to 112x92 pixels, the size of the literature, where they differ in size or a side is
    above 256 pixels. Raises InputError: no folder, no person in it, one person only, fewer than three
    pictures of somebody, a damaged picture.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one that holds a subfolder of pictures per person")
    people = {
        person.name: files
        for person in sorted(folder.iterdir())
        if person.is_dir() and not person.name.startswith(".") and (files := _pictures_in(person))
    }
    if not people:
        raise InputError(f"{folder} holds no person; put the pictures of each person in a subfolder")
    for name, files in people.items():
        if len(files) < FEWEST_PICTURES:
            raise InputError(
                f"{folder / name} holds too few pictures: {len(files)}; "
                f"give at least {FEWEST_PICTURES} of every person"
            )
    if len(people) < 2:
        raise InputError(f"{folder} holds one person only; re-identification needs at least two")
    pictures = [_read(file) for files in people.values() for file in files]
    if len({picture.shape for picture in pictures}) > 1 or max(pictures[0].shape) > LARGEST:
        pictures = [
            np.asarray(cv2.resize(picture, SIZE[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            for picture in pictures
        ]
    labels = np.repeat(np.arange(len(people)), [len(files) for files in people.values()])
    return Faces(np.stack(pictures), labels, tuple(people))


def _pictures_in(person: Path) -> list[Path]:
    return sorted(
        file
        for file in person.iterdir()
        if file.is_file() and not file.name.startswith(".") and file.suffix.lower() in SUFFIXES
    )


def _read(file: Path) -> Picture:
    """Return a picture as uint8 (height, width); OpenCV reads what media/ does not: PGM and the like."""
    try:
        encoded = np.fromfile(file, np.uint8)
    except OSError as error:
        raise InputError(f"{file} cannot be read ({error.strerror}); allow it or move it away") from None
    if encoded.size and not _is_heif(encoded):
        try:
            grey = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
        except cv2.error:
            grey = None
        if grey is not None:
            return np.asarray(grey, np.uint8)
    try:
        with StillReader(file) as reader:
            return np.asarray(cv2.cvtColor(next(iter(reader)).bgr(), cv2.COLOR_BGR2GRAY), np.uint8)
    except EyelidError as error:
        raise InputError(f"{error}; or take it out of the folder") from error


def _is_heif(encoded: NDArray[np.uint8]) -> bool:
    return encoded[4:8].tobytes() == b"ftyp"
