"""Does a cloak work on a recogniser that it was not made against, and after an upload?

Rank-1 of cloaked pictures against a gallery of clear ones, for the recogniser that the cloak fools and for
others; the better these do, the less a cloak is worth.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import cv2
import numpy as np

from eyelid.attack.attacker import pixels
from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.fidelity import embed
from eyelid.attack.statistics import bootstrap_interval, rank1
from eyelid.obfuscate.cloak import FOOLED, Cloak
from eyelid.obfuscate.regions import Coverage
from eyelid.types import Detections, Plane, RawFrame, Shape, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eyelid.attack.dataset import Faces, Labels, Picture, Pictures
    from eyelid.types import Bgr

Embed: TypeAlias = "Callable[[Pictures], NDArray[np.float64]]"

PEOPLE: Final = 12
"""People whose pictures are cloaked; each takes some ten seconds."""

_WHOLE: Final = Coverage(shape=Shape.BOX, margin=0.0)
_QUALITY: Final = 85


class Upload(StrEnum):
    """What happens to a picture before the recogniser gets it."""

    NONE = "as it is"
    JPEG = "JPEG 85"
    HALF = "half size, JPEG 85"


@dataclass(frozen=True, slots=True, eq=False)
class Recogniser:
    """Unit embeddings (n, d) of grey faces; ``seen`` tells whether the cloak was made against it."""

    name: str
    embed: Embed
    seen: bool


@dataclass(frozen=True, slots=True, eq=False)
class Cloaked:
    """Probes, one a person, clear and cloaked, and a clear gallery of everybody, one picture each."""

    clear: Pictures
    cloaked: Pictures
    people: Labels
    gallery: Pictures
    gallery_people: Labels


def nearest_pixels(pictures: Pictures) -> NDArray[np.float64]:
    """Return the simplest recogniser there is: the pixels themselves, centred, as unit rows (n, d)."""
    rows = pixels(pictures).astype(np.float64)
    rows -= rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


SHIPPED: Final = (Recogniser(FOOLED[0], embed, seen=True), Recogniser("pixels", nearest_pixels, seen=False))


def cloak_probes(faces: Faces, method: Cloak, people: int = PEOPLE, seed: int = 0) -> Cloaked:
    """Cloak one picture each of so many people, as ``eyelid anonymize`` does."""
    random = np.random.default_rng(seed)
    everybody = np.unique(faces.people)
    chosen = [random.permutation(np.flatnonzero(faces.people == person))[:2] for person in everybody]
    probed = np.sort(random.permutation(len(everybody))[:people])
    clear = faces.pictures[[chosen[i][0] for i in probed]]
    obfuscator = method.build(_WHOLE)
    cloaked = np.empty_like(clear)
    for shown, picture in zip(cloaked, clear, strict=True):
        shown[...] = picture
        obfuscator.apply(_frame(shown), _whole(shown))
    return Cloaked(clear, cloaked, everybody[probed], faces.pictures[[c[1] for c in chosen]], everybody)


class CloakTransfer(Attack[Cloaked]):
    """Recognises cloaked people by a gallery of clear pictures."""

    name: ClassVar[str] = "cloak-transfer"

    def __init__(self, recogniser: Recogniser, upload: Upload = Upload.NONE) -> None:
        self._recogniser = recogniser
        self._upload = upload

    @property
    def threat(self) -> Threat:
        """Whoever uses a recogniser, without knowing that pictures are cloaked."""
        which = "the recogniser that the cloak fools" if self._recogniser.seen else "another recogniser"
        return Threat(
            goal="name the people in cloaked pictures",
            knowledge=Knowledge.NAIVE,
            capability=f"has clear pictures of everybody and {which}: {self._recogniser.name}",
        )

    def run(self, target: Cloaked) -> AttackResult:
        """Return the rank-1 rate of the cloaked probes, that of the clear ones as a note."""
        gallery = self._recogniser.embed(target.gallery)

        def found(probes: Pictures) -> NDArray[np.float64]:
            sent = np.stack([upload(picture, self._upload) for picture in probes])
            return rank1(self._recogniser.embed(sent) @ gallery.T, target.people, target.gallery_people)

        matches = found(target.cloaked)
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="rank-1",
            success=float(matches.mean()),
            chance=1 / len(target.gallery_people),
            interval=bootstrap_interval(matches, groups=target.people),
            n=len(matches),
            note=f"{self._upload.value}; rank-1 of the same pictures without a cloak "
            f"{found(target.clear).mean():.3f}",
        )


def upload(picture: Picture, how: Upload) -> Picture:
    """Return a grey picture uint8 (height, width) after an upload, at its old size."""
    if how is Upload.NONE:
        return picture
    height, width = picture.shape
    sent = picture
    if how is Upload.HALF:
        size = max(1, width // 2), max(1, height // 2)
        sent = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    encoded = cv2.imencode(".jpg", sent, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    shown = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    return np.asarray(cv2.resize(np.asarray(shown, np.uint8), (width, height)), np.uint8)


def _frame(samples: Picture) -> RawFrame:
    height, width = samples.shape

    def render(wide: int, high: int) -> Bgr:
        return np.asarray(cv2.cvtColor(cv2.resize(samples, (wide, high)), cv2.COLOR_GRAY2BGR), np.uint8)

    return RawFrame(width, height, (Plane("L", samples, black=0),), render)


def _whole(samples: Picture) -> Detections:
    height, width = samples.shape
    return Detections(np.array([[0, 0, width, height]], np.float32), np.ones(1, np.float32), (Target.FACE,))
