"""Canaries: textures that must never leave, the pictures and clips that carry them, and the search for them.

A canary is noise that no compression invents and that survives compression, so that finding it again proves
a leak; each search is proven by a second canary that nobody hides.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import av
import cv2
import numpy as np
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image

from eyelid.detect.base import Detector, detections
from eyelid.media.kinds import MediaKind, sniff
from eyelid.media.still import StillReader
from eyelid.media.video import VideoReader
from eyelid.types import Bgr, Detections, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

Rgb: TypeAlias = NDArray[np.uint8]
"""A picture, uint8, shape (height, width, 3), red first."""

Box: TypeAlias = tuple[int, int, int, int]
"""x0 y0 x1 y1 in pixels, the end outside."""

SIDE = 48
_CELL = 4
SHOWN = 0.6
"""A canary that is there correlates above this."""

HIDDEN = 0.45
"""Anything that is no canary stays below this: chance alone gives about 0.35."""


def texture(seed: int) -> Rgb:
    """Return the canary of that number: uint8 (SIDE, SIDE, 3), its own noise in each colour."""
    cells = np.random.default_rng(1_000 + seed).integers(0, 2, (SIDE // _CELL, SIDE // _CELL, 3))
    drawn: Rgb = (cells * 215 + 20).astype(np.uint8).repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    return drawn


def backdrop(width: int, height: int, moment: int = 0) -> Rgb:
    """Return soft colours that drift slowly."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [
        120 + 40 * np.sin((x + moment) / 60),
        120 + 40 * np.cos((y - moment) / 50),
        110 + (x + y) / 16 % 30,
    ]
    return np.stack(channels, axis=-1).astype(np.uint8)


@dataclass(frozen=True)
class Scene:
    """A picture that moves: ``hidden`` canaries walk along their paths, the ``open`` one stays in a corner.

    Paths give the upper left corner at each moment; each canary has a texture of its own.
    """

    width: int = 208
    height: int = 160
    hidden: tuple[int, ...] = (1, 2)
    open: int | None = 9
    step: int = 4

    def corner(self, number: int, moment: int) -> tuple[int, int]:
        """Return where the hidden canary ``number`` is at a moment, on even pixels."""
        x = 4 + (number * 84 + moment * self.step) % (self.width - SIDE - 8)
        y = 8 + (number % 2) * (self.height - SIDE - 16)
        return x // 2 * 2, y // 2 * 2

    def boxes(self, moment: int) -> list[Box]:
        """Return the truth boxes of the hidden canaries: two pixels more than the texture on every side."""
        corners = (self.corner(number, moment) for number in range(len(self.hidden)))
        return [(x - 2, y - 2, x + SIDE + 2, y + SIDE + 2) for x, y in corners]

    def picture(self, moment: int = 0) -> Rgb:
        """Draw the scene at a moment."""
        drawn = backdrop(self.width, self.height, moment)
        if self.open is not None:
            drawn[:SIDE, -SIDE:] = texture(self.open)
        for number, seed in enumerate(self.hidden):
            x, y = self.corner(number, moment)
            drawn[y : y + SIDE, x : x + SIDE] = texture(seed)
        return drawn

    def detector(self, target: Target = Target.FACE) -> Truth:
        """Return the detector that knows the truth."""
        return Truth(lambda frame: self.boxes(frame.index), target)


class Truth(Detector):
    """Finds what a test tells it."""

    name = "truth"

    def __init__(self, boxes: Callable[[RawFrame], Sequence[Box]], target: Target = Target.FACE) -> None:
        self.targets = frozenset((target,))
        self._boxes = boxes
        self._target = target

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        return [self._one(list(self._boxes(frame))) for frame in frames]

    def _one(self, boxes: list[Box]) -> Detections:
        return detections(np.array(boxes, np.float32), np.full(len(boxes), 0.9, np.float32), self._target)


def correlation(picture: Bgr, seed: int) -> float:
    """Return the best normalised cross-correlation, 0..1, of a canary with any place of a picture.

    Brightness and both differences of colour are searched, upright and inverted.
    """
    dither = np.random.default_rng(0).normal(0, 1, picture.shape[:2])  # flat places correlate with nothing
    wanted = cv2.cvtColor(texture(seed), cv2.COLOR_RGB2YCrCb).astype(np.float32)
    given = cv2.cvtColor(picture, cv2.COLOR_BGR2YCrCb).astype(np.float32)
    best = 0.0
    for channel in range(3):
        searched = (given[..., channel] + dither).astype(np.float32)
        pattern = np.ascontiguousarray(wanted[..., channel])
        best = max(best, float(np.abs(cv2.matchTemplate(searched, pattern, cv2.TM_CCOEFF_NORMED)).max()))
    return best


def frames(path: Path) -> Iterator[RawFrame]:
    """Yield the frames or pages of a file."""
    if sniff(path) is MediaKind.VIDEO:
        with VideoReader(path) as video:
            yield from video
    else:
        with StillReader(path) as still:
            yield from still


def pictures(path: Path) -> list[Bgr]:
    """Return every frame of a video or page of a still."""
    return [frame.bgr() for frame in frames(path)]


def save_still(path: Path, scene: Scene, pages: int = 1) -> Path:
    """Write the scene as a still, of several pages where the format moves."""
    drawn = [Image.fromarray(scene.picture(moment)) for moment in range(pages)]
    options: dict[str, object] = {"quality": 92} if path.suffix in {".jpg", ".webp"} else {}
    if pages > 1:
        options |= {"save_all": True, "append_images": drawn[1:], "duration": 80}
    drawn[0].save(path, **options)  # type: ignore[arg-type]  # Pillow takes any option of a format
    return path


LOSSLESS = {"qp": "0", "preset": "ultrafast"}
GOOD = {"crf": "14", "preset": "ultrafast"}
VP9 = {"crf": "12", "deadline": "realtime", "cpu-used": "8"}


def save_clip(
    path: Path,
    drawn: Sequence[Rgb],
    *,
    rate: int = 25,
    ticks: Sequence[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write pictures as a clip: H.264, or VP9 in WebM. ``ticks`` of 1/12800 s replace the constant rate."""
    encoder, usual = ("libvpx-vp9", VP9) if path.suffix == ".webm" else ("libx264", GOOD)
    height, width = drawn[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(encoder, rate=rate, options=options or usual)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 12800)
        for index, picture in enumerate(drawn):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p")
            frame.pts = ticks[index] if ticks else index * 12800 // rate
            frame.time_base, frame.duration = Fraction(1, 12800), 12800 // rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def save_scene(path: Path, scene: Scene, count: int, **options: dict[str, str]) -> Path:
    """Write the first ``count`` moments of a scene as a clip."""
    return save_clip(path, [scene.picture(moment) for moment in range(count)], **options)  # type: ignore[arg-type]


def needles(path: Path, scene: Scene) -> set[bytes]:
    """Return byte strings that only raw pixels of the hidden canaries hold, in many spellings.

    Rows of each plane as it is decoded, rows of packed colours in both orders; raw, as hexadecimal digits and
    as base64 in all three alignments.
    """
    rows: set[bytes] = set()
    for frame in frames(path):
        for x0, y0, x1, y1 in scene.boxes(frame.index):
            for y in range(y0 + 6, y1 - 6, 9):
                for plane in frame.planes:
                    row = plane.samples[y // plane.step_y, x0 // plane.step_x + 1 : x1 // plane.step_x - 1]
                    rows.add(np.ascontiguousarray(row).tobytes())
                packed = frame.bgr()[y, x0 + 2 : x1 - 2]
                rows |= {packed.tobytes(), packed[:, ::-1].tobytes()}
    rows = {raw for raw in rows if len(set(raw)) > 1}
    spelled = set(rows)
    for raw in rows:
        spelled.add(raw.hex().encode())
        spelled |= {base64.b64encode(raw[skip : skip + len(raw) // 3 * 3 - 3]) for skip in range(3)}
    return spelled


class Watch:
    """Looks into every file of some folders for needles, as often as it is asked."""

    def __init__(self, folders: Sequence[Path], wanted: set[bytes], spare: Sequence[Path]) -> None:
        self._folders, self._wanted, self._spare = folders, wanted, set(spare)
        self.found: list[str] = []
        self.names: set[str] = set()
        self.looks = 0

    def look(self) -> None:
        """Search everything that is there now."""
        self.looks += 1
        for folder in self._folders:
            for path in folder.rglob("*"):
                if path.is_file() and path not in self._spare:
                    self.names.add(path.name)
                    self.search(path.name, path.read_bytes())

    def search(self, name: str, content: bytes) -> None:
        """Search one text."""
        if any(needle in content for needle in self._wanted):
            self.found.append(name)


class Spotted:
    """What a plugged-in detector returns, in the shape of ``supervision.Detections``."""

    mask = None
    tracker_id = None
    class_id = None

    def __init__(self, boxes: Sequence[Box]) -> None:
        self.xyxy = np.array(boxes, np.float32).reshape(-1, 4)
        self.confidence = np.full(len(boxes), 0.9, np.float32)
        self.data: dict[str, NDArray[np.float32]] = {}


def spot(picture: Bgr) -> Spotted:
    """Find canaries by their contrast: a detector for ``--detector tests.canary:spot:face``."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.float32)
    busy = cv2.blur(np.abs(grey - cv2.blur(grey, (15, 15))), (9, 9)) > 18
    count, _, stats, _ = cv2.connectedComponentsWithStats(busy.astype(np.uint8))
    large = [stats[i, :4].tolist() for i in range(1, count) if min(stats[i, 2:4]) > SIDE // 2]
    return Spotted([(x - 4, y - 4, x + w + 4, y + h + 4) for x, y, w, h in large])
