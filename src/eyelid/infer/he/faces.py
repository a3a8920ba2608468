"""Faces of pictures as embeddings, for galleries and probes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.detect.identity import SMALLEST, FaceEmbedder
from eyelid.detect.registry import build
from eyelid.errors import InputError
from eyelid.media.still import StillReader
from eyelid.models.session import Device
from eyelid.types import Quality, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SUFFIXES: Final = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".heic", ".heif", ".bmp"}
SAME: Final = 0.70
"""From this cosine similarity on two faces are taken for one person, as by ``--keep``."""


class FaceReader:
    """Finds the only face of a picture and turns it into an embedding, float32 (1024,), of length 1."""

    def __init__(self, threads: int | None = None) -> None:
        self._detector = build(
            Target.FACE, Quality.BALANCED, device=Device.CPU, threads=threads, moving=False
        )
        self._embedder = FaceEmbedder(threads=threads)

    def read(self, path: Path) -> NDArray[np.float32]:
        """Return the embedding of the only face in a picture.

        Raises InputError where it shows no face, several, or one of less than 56 pixels.
        """
        with StillReader(path) as reader:
            frame = next(iter(reader))
        (found,) = self._detector.detect([frame])
        if len(found) != 1:
            raise InputError(
                f"{len(found) or 'no'} face{'s were' if len(found) > 1 else ' was'} found in {path}; "
                "give a sharp picture of one person"
            )
        box = found.boxes[0]
        if min(box[2] - box[0], box[3] - box[1]) < SMALLEST:
            raise InputError(f"the face in {path} is too small; give one that is {SMALLEST:.0f} pixels wide")
        return np.asarray(self._embedder.embed(frame, found.boxes)[0])


def pictures(folder: Path) -> list[Path]:
    """Return the pictures below a folder in the order of their names. Raises InputError if it has none."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; give one with a picture of each person")
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not found:
        raise InputError(f"{folder} holds no pictures; give a folder with a picture of each person")
    return found


def embed_folder(paths: Sequence[Path], reader: FaceReader) -> NDArray[np.float32]:
    """Return the embeddings, float32 (n, 1024), of pictures of one face each. Raises InputError."""
    return np.stack([reader.read(path) for path in paths])
