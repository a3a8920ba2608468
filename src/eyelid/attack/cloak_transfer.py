"""Does a cloak work on a recogniser that it was not made against, and after an upload?

Rank-1 of cloaked pictures against a gallery of clear ones, for the recognisers that the cloak fools and for
others; the better these do, the less a cloak is worth.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from typing import TYPE_CHECKING, ClassVar, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from eyelid.attack.attacker import small
from eyelid.attack.base import Attack, AttackResult, Knowledge, Listener, Threat, silent
from eyelid.attack.statistics import bootstrap_interval, rank1
from eyelid.models.cards import card
from eyelid.models.extras import require
from eyelid.models.session import Session, cores
from eyelid.models.torch_network import one_thread
from eyelid.obfuscate.cloak import ALIGNED, FOOLED, Cloak, CloakObfuscator
from eyelid.obfuscate.cloak_search import window_of
from eyelid.types import Detections, Plane, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eyelid.attack.dataset import Faces, Labels, Picture, Pictures
    from eyelid.types import Bgr

Boxes: TypeAlias = NDArray[np.float32]
"""Where the face is in each picture: x0 y0 x1 y1 in pixels, float32 (n, 4)."""

Embed: TypeAlias = "Callable[[Pictures, Boxes], NDArray[np.float64]]"

PEOPLE: Final = 12
"""People whose pictures are cloaked; each takes some ten seconds."""

_QUALITY: Final = 85
_BATCH: Final = 8
SMOOTHING: Final = 0.02
"""Sigma of the filter of an attacker who knows of cloaks, in widths of the picture."""


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
class Portraits:
    """Grey ``pictures`` (n, height, width) of ``people`` (n,), and the box of the face in each."""

    pictures: Pictures
    boxes: Boxes
    people: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Cloaked:
    """Probes, one a person, clear and cloaked, and a clear gallery of everybody, one picture each."""

    clear: Portraits
    cloaked: Pictures
    gallery: Portraits


class Transfer(BaseModel):
    """What one recogniser makes of cloaked pictures; ``clear`` is its rank-1 rate on them without a cloak."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recogniser: str
    seen: bool
    upload: Upload
    clear: float
    result: AttackResult


def recognisers(against: Sequence[str] = FOOLED) -> tuple[Recogniser, ...]:
    """Return all that ships: the networks, and the pixels; those in ``against`` are known to the cloak."""
    networks = [Recogniser(name, partial(embed_network, name), name in against) for name in FOOLED]
    return (*networks, Recogniser("pixels", nearest_pixels, seen=False))


def nearest_pixels(pictures: Pictures, boxes: Boxes) -> NDArray[np.float64]:
    """Return the simplest recogniser there is: the pixels themselves, centred, as unit rows (n, d)."""
    del boxes
    rows = small(pictures).reshape(len(pictures), -1).astype(np.float64)
    return unit(rows - rows.mean(axis=1, keepdims=True))


def embed_network(name: str, pictures: Pictures, boxes: Boxes) -> NDArray[np.float64]:
    """Return what a shipped network makes of the faces, as they are and mirrored: unit rows (n, d)."""
    side, square = card(name).input.width or 0, name in ALIGNED
    session = _session(name)

    def embed(start: int) -> NDArray[np.float32]:
        part = slice(start, start + _BATCH)
        seen = np.stack(
            [cut(p, box, side, square=square) for p, box in zip(pictures[part], boxes[part], strict=True)]
        )
        return session.run(seen)[0] + session.run(np.ascontiguousarray(seen[:, :, ::-1]))[0]

    with ThreadPoolExecutor(cores()) as pool:
        rows = list(pool.map(embed, range(0, len(pictures), _BATCH)))
    return unit(np.concatenate(rows).astype(np.float64))


def cloak_probes(
    faces: Faces,
    method: Cloak,
    people: int = PEOPLE,
    seed: int = 0,
    *,
    against: Sequence[str] = FOOLED,
    listener: Listener = silent,
) -> Cloaked:
    """Cloak one picture each of so many people, as ``eyelid anonymize`` does; ``listener`` counts them.

    Where no face is found in a picture, the whole of it is taken for one.
    """
    random = np.random.default_rng(seed)
    everybody = np.unique(faces.people)
    chosen = [random.permutation(np.flatnonzero(faces.people == person))[:2] for person in everybody]
    probed = np.sort(random.permutation(len(everybody))[:people])
    clear = _portraits(faces, [int(chosen[i][0]) for i in probed])
    cloaked = cloak(clear, method, against=against, listener=listener)
    return Cloaked(clear, cloaked, _portraits(faces, [int(c[1]) for c in chosen]))


def cloak(
    portraits: Portraits,
    method: Cloak,
    *,
    against: Sequence[str] = FOOLED,
    listener: Listener = silent,
) -> Pictures:
    """Return the pictures cloaked, each from a start of its own; ``listener`` counts them.

    Raises UsageError where PyTorch or onnx is not installed.
    """
    require("a cloak", "cloak", "torch", "onnx")
    cloaked, obfuscator = portraits.pictures.copy(), CloakObfuscator(method, against=against)

    def one(i: int) -> None:
        obfuscator.apply(_frame(cloaked[i]), _face(portraits.boxes[i]))

    with one_thread(), ThreadPoolExecutor(cores()) as pool:
        for done, _ in enumerate(pool.map(one, range(len(cloaked))), start=1):
            listener(done, len(cloaked))
    return cloaked


class CloakTransfer(Attack[Cloaked]):
    """Recognises cloaked people by a gallery of clear pictures.

    One that ``smooths`` knows that pictures are cloaked and takes their finest detail out of all of them.
    """

    name: ClassVar[str] = "cloak-transfer"

    def __init__(
        self, recogniser: Recogniser, upload: Upload = Upload.NONE, *, smooths: bool = False
    ) -> None:
        self._recogniser = recogniser
        self._upload = upload
        self._smooths = smooths

    @property
    def threat(self) -> Threat:
        """Whoever uses a recogniser, with or without knowing that pictures are cloaked."""
        which = "a recogniser that the cloak fools" if self._recogniser.seen else "another recogniser"
        smooths = ", which gets all pictures smoothed" if self._smooths else ""
        return Threat(
            goal="name the people in cloaked pictures",
            knowledge=Knowledge.METHOD if self._smooths else Knowledge.NAIVE,
            capability=f"clear pictures of everybody and {which}: {self._recogniser.name}{smooths}",
        )

    def run(self, target: Cloaked) -> AttackResult:
        """Return the rank-1 rate of the cloaked probes, that of the clear ones as a note."""
        return self.measure(target).result

    def measure(self, target: Cloaked) -> Transfer:
        """Return the rank-1 rates of the cloaked probes and of the clear ones."""
        probes, known = target.clear, target.gallery
        gallery = self._recogniser.embed(self._looked_at(known.pictures), known.boxes)

        def found(pictures: Pictures) -> NDArray[np.float64]:
            sent = np.stack([upload(picture, self._upload) for picture in pictures])
            rows = self._recogniser.embed(self._looked_at(sent), probes.boxes)
            return rank1(rows @ gallery.T, probes.people, known.people)

        matches, clear = found(target.cloaked), float(found(probes.pictures).mean())
        result = AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="rank-1",
            success=float(matches.mean()),
            chance=1 / len(known.people),
            interval=bootstrap_interval(matches, groups=probes.people),
            n=len(matches),
            note=f"{self._upload.value}; rank-1 of the same pictures without a cloak {clear:.3f}",
        )
        return Transfer(
            recogniser=self._recogniser.name,
            seen=self._recogniser.seen,
            upload=self._upload,
            clear=clear,
            result=result,
        )

    def _looked_at(self, pictures: Pictures) -> Pictures:
        return smooth(pictures, SMOOTHING) if self._smooths else pictures


def smooth(pictures: Pictures, sigma: float) -> Pictures:
    """Return pictures under a Gaussian filter, ``sigma`` in widths of the picture."""
    if sigma == 0:
        return pictures
    size = sigma * pictures.shape[2]
    return np.stack([np.asarray(cv2.GaussianBlur(p, (0, 0), size), np.uint8) for p in pictures])


def face_boxes(pictures: Pictures) -> Boxes:
    """Return the box of the surest face in each picture, of the whole picture where none is found."""
    from eyelid.detect.faces import FaceDetector

    detector = FaceDetector(threads=1)
    boxes = []
    for picture in pictures:
        (found,) = detector.detect([_frame(picture)])
        height, width = picture.shape
        whole = np.array([0, 0, width, height], np.float32)
        boxes.append(found.boxes[found.scores.argmax()] if len(found) else whole)
    return np.stack(boxes)


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


@cache
def _session(name: str) -> Session:
    return Session(name, threads=1)


def _portraits(faces: Faces, chosen: list[int]) -> Portraits:
    pictures = faces.pictures[chosen]
    return Portraits(pictures, face_boxes(pictures), faces.people[chosen])


def cut(picture: Picture, box: NDArray[np.float32], side: int, *, square: bool) -> Bgr:
    """Return what a network looks at, uint8 (side, side, 3); the edge of the picture goes on beyond it."""
    x0, y0, x1, y1 = box.tolist()
    window = window_of((x0, y0, x1, y1), square=square)
    left, top = round(window.x - window.across), round(window.y - window.down)
    width, height = max(1, round(2 * window.across)), max(1, round(2 * window.down))
    high, wide = picture.shape
    rows = np.arange(top, top + height).clip(0, high - 1)
    columns = np.arange(left, left + width).clip(0, wide - 1)
    shrinks = width * height > side * side
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    seen = cv2.resize(picture[np.ix_(rows, columns)], (side, side), interpolation=how)
    return np.asarray(cv2.cvtColor(seen, cv2.COLOR_GRAY2BGR), np.uint8)


def _frame(samples: Picture) -> RawFrame:
    height, width = samples.shape

    def render(wide: int, high: int) -> Bgr:
        return np.asarray(cv2.cvtColor(cv2.resize(samples, (wide, high)), cv2.COLOR_GRAY2BGR), np.uint8)

    return RawFrame(width, height, (Plane("L", samples, black=0),), render)


def _face(box: NDArray[np.float32]) -> Detections:
    return Detections(box[None], np.ones(1, np.float32), (Target.FACE,))


def unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of length 1; what is all 0 stays so."""
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
