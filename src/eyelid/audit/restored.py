"""What a network that learned from other people makes of the covered faces, and whether it is like them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.attacker import Training
from eyelid.attack.base import AttackResult, Knowledge, Threat
from eyelid.attack.reidentify import load
from eyelid.attack.restore import FEWEST, LearnedRestorer
from eyelid.attack.statistics import bootstrap_interval, guessing, rank1
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.attack.dataset import Pictures
    from eyelid.audit.watch import Track
    from eyelid.types import Bgr

EPOCHS: Final = 3
_MOST_PAIRS: Final = 64
_MOST_PROBES: Final = 2
"""Of each person."""


@dataclass(frozen=True, slots=True, eq=False)
class RestoredTracks:
    """Results, and one restored picture, uint8 BGR (112, 92, 3), by ``id`` of its track."""

    results: tuple[AttackResult, ...]
    portraits: dict[int, Bgr]


def restore(tracks: Sequence[Track], *, still: bool) -> RestoredTracks:
    """Restore the later half of each track by what the tracks of the other half of the people teach.

    Raises UsageError where there are too few people, or PyTorch is not installed.
    """
    fold = np.arange(len(tracks)) % 2
    gallery, known = _gallery(tracks, still=still)
    embedder = load("embedding")
    results: list[np.ndarray[tuple[int], np.dtype[np.float64]]] = []
    people: list[int] = []
    portraits: dict[int, Bgr] = {}
    clear_rows = embedder.features(gallery)
    training = Training(known, clear_rows[:, None], clear_rows)
    for side in (0, 1):
        victims = [i for i in range(len(tracks)) if fold[i] == side]
        pairs = [pair for i in range(len(tracks)) if fold[i] != side for pair in _pairs(tracks[i])]
        if len(pairs) < FEWEST or not victims:
            raise UsageError(f"a restoration learns from {FEWEST} pictures of other people at least")
        pairs = pairs[:: max(1, len(pairs) // _MOST_PAIRS)]
        restorer = LearnedRestorer(
            np.stack([clear for clear, _ in pairs]), np.stack([shown for _, shown in pairs]), epochs=EPOCHS
        )
        for i in victims:
            later = tracks[i].shown if still else tracks[i].shown[len(tracks[i].shown) // 2 :]
            later = later[:: max(1, -(-len(later) // _MOST_PROBES))]
            restored = restorer.restore(np.stack(later))
            portraits[id(tracks[i])] = np.asarray(
                cv2.cvtColor(restored[len(restored) // 2], cv2.COLOR_GRAY2BGR), np.uint8
            )
            results.append(
                rank1(
                    embedder.scores(training, embedder.features(restored)),
                    [i] * len(restored),
                    np.unique(known),
                )
            )
            people += [i] * len(restored)
    found = np.concatenate(results)
    return RestoredTracks(
        (
            AttackResult(
                attack="restoration",
                threat=Threat(
                    goal="see the face again, so that a recogniser names it",
                    knowledge=Knowledge.RETRAINED,
                    capability="pairs of clear and covered faces of other people, and a network that learns",
                ),
                measure="rank-1",
                success=float(found.mean()),
                chance=guessing(people, len(np.unique(known))),
                interval=bootstrap_interval(found, groups=people),
                n=len(found),
                note=f"{len(np.unique(known))} people known",
            ),
        ),
        portraits,
    )


def _gallery(
    tracks: Sequence[Track], *, still: bool
) -> tuple[Pictures, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    pictures, known = [], []
    for number, track in enumerate(tracks):
        half = len(track.clear) if still else max(1, len(track.clear) // 2)
        pictures += track.clear[:half]
        known += [number] * half
    if len(tracks) < 2:
        raise UsageError("a restoration learns from other people in the same file, and there are none")
    return np.stack(pictures), np.array(known)


def _pairs(track: Track) -> list[tuple[Pictures, Pictures]]:
    return list(zip(track.clear, track.shown, strict=True))
