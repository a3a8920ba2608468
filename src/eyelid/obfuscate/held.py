"""Methods with noise: one noisy picture of each region or track, released within a budget and then held.

New noise in every frame would let anybody average it away: the frames of one person compose. So a track gets
a new picture only while its budget lasts; after that the last one is drawn again, resized to each box. What
several regions share no release reads (:mod:`eyelid.obfuscate.exclusive`), so that none pays for another.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from eyelid.obfuscate.base import Obfuscator, blacken
from eyelid.obfuscate.exclusive import parts
from eyelid.obfuscate.method import Parameters
from eyelid.obfuscate.regions import is_finite, regions
from eyelid.privacy.ledger import Ledger, exact
from eyelid.types import _SEAL, Plane, SafeFrame, Samples, Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from eyelid.obfuscate.exclusive import Part
    from eyelid.obfuscate.regions import Coverage, Patch, Region
    from eyelid.privacy.ledger import PrivacySpent
    from eyelid.privacy.mechanism import Mechanism
    from eyelid.types import Detections, RawFrame

ELSEWHERE: Final = (
    "the same person in several tracks, regions or pages, and other outputs made from the same input: their "
    "epsilons add up",
    "the evidence, not made for the public: its hash of the input confirms a guess of the input",
)
"""What no method with noise covers."""

Account: TypeAlias = tuple[str, int]
"""A track by its id, -1 for all without one in a picture that moves, or a region of a still by its number."""

Layout: TypeAlias = tuple[tuple[str, int], ...]
"""Name and peak of each colour plane."""

Tones: TypeAlias = NDArray[np.float64]
"""Values of shape (rows, columns), in units of the samples of a plane."""

Window = TypeVar("Window")

WAITING_BYTES: Final = 256 * 2**20
"""How much memory the frames may take that wait for the end of a window; one of large frames ends early."""


class NoisyParameters(Parameters):
    """How much may be released.

    ``epsilon`` is the cost of one release, over all planes. ``budget`` is the most a region or track may
    cost, by default one release; ``file_budget`` the most for the sum of all releases of a file, by default
    without limit.
    """

    needs: ClassVar[frozenset[Target]] = frozenset(Target)

    epsilon: float = Field(ge=1e-6, le=1e6, allow_inf_nan=False)
    budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    file_budget: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _affords_a_release(self) -> Self:
        for name in ("budget", "file_budget"):
            limit = getattr(self, name)
            if limit is not None and limit < self.epsilon:
                raise ValueError(
                    f"{name} {limit:g} is less than one release costs (epsilon {self.epsilon:g})"
                )
        return self

    @property
    def ledger(self) -> Ledger:
        """A new ledger for one file."""
        limit = None if self.file_budget is None else exact(self.file_budget)
        return Ledger(exact(self.budget or self.epsilon), limit)


@dataclass(slots=True, eq=False)
class _Release(Generic[Window]):
    """What is, or will be, drawn for an account from frame ``first`` on; ``picture`` once it is released."""

    account: Account
    first: int
    layout: Layout
    window: Window | None
    picture: tuple[Samples, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Window]):
    """A frame that still shows everything, and what to draw on it; None for all of it in black."""

    frame: RawFrame
    covered: list[tuple[Region, _Release[Window]]] | None


class HeldObfuscator(Obfuscator, Generic[Window]):
    """Draws what was released of each account over its regions; subclasses say what a release is.

    A release reads a window: the regions of one account in ``length`` frames. It belongs to one file.
    ``mechanism`` draws the noise, and says what a release costs.
    """

    mechanism: Mechanism[Any, Any]

    def __init__(self, ledger: Ledger, coverage: Coverage | None = None, length: int = 1) -> None:
        super().__init__(coverage)
        self.ledger = ledger
        self._length = length
        self._releases: dict[Account, _Release[Window]] = {}
        self._frames = count()
        self._regions = count()

    @property
    def spent(self) -> PrivacySpent:
        """What the releases so far cost under the adjacency and for whole regions."""
        return self.mechanism.total(self.ledger)

    @abstractmethod
    def _open(self, part: Part) -> Window:
        """Return a window that holds one region."""

    @abstractmethod
    def _add(self, window: Window, part: Part) -> None:
        """Add a region of a later frame to a window."""

    @abstractmethod
    def _release(self, window: Window, account: Account) -> tuple[Samples, ...]:
        """Return a noisy picture of a window, one array a colour plane. Raises BudgetError."""

    @abstractmethod
    def _enlarge(self, picture: Samples, rows: int, columns: int) -> Samples:
        """Return a plane of a picture at the size of a region."""

    def apply(self, frame: RawFrame, detections: Detections) -> SafeFrame:
        """Cover what was detected with a noisy picture of it; a track of an earlier call keeps its picture.

        Raises BudgetError where the budget of the file is spent; then the frame must not be used.
        """
        (safe,) = self._run([(frame, detections)])
        return safe

    def stream(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[SafeFrame]:
        """Cover the frames of one file, holding back as many as a window has. Raises BudgetError."""
        return self._run(frames)

    def _run(self, frames: Iterable[tuple[RawFrame, Detections | None]]) -> Iterator[SafeFrame]:
        waiting: deque[_Waiting[Window]] = deque()
        for frame, detections in frames:
            waiting.append(self._look(frame, detections))
            size = sum(plane.samples.nbytes for plane in frame.planes)
            room = min(self._length, WAITING_BYTES // max(size, 1))
            while waiting and (len(waiting) >= room or not _collects(waiting[0])):
                yield self._show(waiting.popleft())
        while waiting:
            yield self._show(waiting.popleft())

    def _look(self, frame: RawFrame, detections: Detections | None) -> _Waiting[Window]:
        number = next(self._frames)
        if detections is None or not is_finite(detections):
            return _Waiting(frame, None)
        found: list[tuple[Account, Region]] = []
        for i, track in enumerate(detections.tracks.tolist()):
            account = self._account(track, frame)
            alone = detections.select(np.array([i]))
            found += [
                (account, region) for region in regions(alone, self.coverage, frame.width, frame.height)
            ]
        return _Waiting(
            frame,
            [
                (part.region, self._release_for(account, number, part))
                for (account, _), part in zip(found, parts(frame, found), strict=True)
            ],
        )

    def _account(self, track: int, frame: RawFrame) -> Account:
        """Return who pays: where a picture moves, all that has no track may show one person, and is one."""
        if track >= 0:
            return "track", track
        return ("region", next(self._regions)) if frame.time is None else ("track", -1)

    def _release_for(self, account: Account, number: int, part: Part) -> _Release[Window]:
        """Return what to draw: the window that is open, a new one, or what is held."""
        release = self._releases.get(account)
        if release is None or (
            number >= release.first + self._length and self.ledger.affords(account, self.mechanism.epsilon)
        ):
            release = _Release(account, number, layout(part.frame), self._open(part))
            if account[0] == "track":  # a region by itself never comes again
                self._releases[account] = release
        elif release.window is not None and layout(part.frame) == release.layout:
            self._add(release.window, part)
        return release

    def _show(self, item: _Waiting[Window]) -> SafeFrame:
        frame = item.frame
        if item.covered is None:
            return self.cover_frame(frame)
        for _, release in item.covered:
            if release.window is not None:
                release.picture = self._release(release.window, release.account)
                release.window = None
        for region, release in item.covered:
            self._draw(frame, region, release)
        return SafeFrame(frame, _SEAL)

    def _draw(self, frame: RawFrame, region: Region, release: _Release[Window]) -> None:
        pictures = iter(release.picture)
        fits = release.layout == layout(frame)
        for plane in frame.planes:
            patch = region.patch(plane)
            if plane.name == "A" or not fits:
                blacken(plane, [patch])
                continue
            samples = plane.samples[patch.rows, patch.columns]
            drawn = self._enlarge(next(pictures), patch.height, patch.width)
            np.copyto(samples, drawn, where=True if patch.mask is None else patch.mask)

    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        blacken(plane, patches)


def _collects(item: _Waiting[Window]) -> bool:
    """Return whether later frames may still add to what a frame shows."""
    return any(
        release.window is not None and release.account[0] == "track" for _, release in item.covered or ()
    )


def colours(frame: RawFrame) -> list[Plane]:
    """Return the planes of a frame without its transparency."""
    return [plane for plane in frame.planes if plane.name != "A"]


def layout(frame: RawFrame) -> Layout:
    """Return what two frames must have in common to share a picture."""
    return tuple((plane.name, plane.peak) for plane in colours(frame))


def pixels_of(region: Region) -> int:
    """Return how many pixels a region covers."""
    if region.mask is None:
        return (region.x1 - region.x0) * (region.y1 - region.y0)
    return int(np.count_nonzero(region.mask))


def to_samples(tones: Tones, peak: int) -> Samples:
    """Round tones to samples, those beyond black and white to the nearest that exists."""
    clipped = np.clip(np.rint(tones), 0, peak)
    return clipped.astype(np.uint8) if peak <= 255 else clipped.astype(np.uint16)
