"""What several looks at one place agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.obfuscate.remove.look import Look
    from eyelid.obfuscate.remove.picture import Mask, Stack

_TOLERANCE: Final = np.uint8(18)
"""Of 255: how far two views of the same thing may differ beyond what a shift by a pixel explains."""

_SEAM: Final = 15
_LEAST_ERROR: Final = np.float32(0.002)
_AROUND: Final = 7
_LEAST_MEDIAN: Final = 3
_SHARE: Final = 0.7
"""Two looks agree on a pixel where they agree on most of its surroundings: texture agrees here and there."""


def vote(looks: Sequence[Look]) -> tuple[Stack, Mask, Mask]:
    """Return one stack out of looks in order of trust, where it is known, and where two or more agree on it.

    A pixel is the mean of the looks that most of the looks which see it agree with. Where three or more have
    no majority (reflections, fine texture) it is their median: what one of them alone shows stays within what
    the others show. Where two looks disagree and no third decides, or one half of them disagrees with the
    other, something moved there: nobody is believed.
    """
    known = np.zeros(looks[0].seen.shape, np.bool_)
    sure = known.copy()
    count = np.sum([found.seen for found in looks], axis=0)
    votes = _votes(looks)
    total = np.zeros(known.shape, np.float32)
    light = np.zeros_like(looks[0].stack)
    for found, agreeing in zip(looks, votes, strict=True):
        believed = found.seen & (2 * agreeing > count)
        wins = believed & ~known
        wins = wins if len(looks) == 1 else _solid(wins)
        known |= wins
        sure |= wins & (agreeing >= 2)
        # The mean of all that are believed, the better aligned the more, is nearer to the truth than any of
        # them; they run into one another over a few pixels: no seam shows.
        weight = cv2.blur(believed.astype(np.float32), (_SEAM, _SEAM)) * believed
        weight /= np.float32(found.error) ** 2 + _LEAST_ERROR
        total += weight
        light += found.stack * weight[..., None]
    stack = np.asarray(light / np.maximum(total, 1e-6)[..., None], np.float32)
    split = ~known & (count >= _LEAST_MEDIAN) & ~_halved(votes, count)
    if split.any():
        shown = [np.where(found.seen[split][:, None], found.stack[split], np.nan) for found in looks]
        stack[split] = np.nanmedian(shown, axis=0)
    return stack, known | split, sure


def _votes(looks: Sequence[Look]) -> list[NDArray[np.int64]]:
    """Return for each look and pixel how many looks, itself included, show the same there."""
    kernel = np.ones((3, 3), np.uint8)
    soft = [cv2.GaussianBlur(np.clip(found.stack, 0, 255).astype(np.uint8), (0, 0), 1.0) for found in looks]
    low = [np.maximum(cv2.erode(s, kernel), _TOLERANCE) - _TOLERANCE for s in soft]
    high = [np.minimum(cv2.dilate(s, kernel), 255 - _TOLERANCE) + _TOLERANCE for s in soft]
    votes = [found.seen.astype(np.int64) for found in looks]
    for i, a in enumerate(looks):
        for j in range(i + 1, len(looks)):
            same = cv2.bitwise_and(
                cv2.inRange(soft[i], low[j], high[j]), cv2.inRange(soft[j], low[i], high[i])
            )
            both = a.seen & looks[j].seen & (cv2.blur(same, (_AROUND, _AROUND)) >= _SHARE * 255)
            votes[i] += both
            votes[j] += both
    return votes


def _halved(votes: Sequence[NDArray[np.int64]], count: NDArray[np.int64]) -> Mask:
    """Return where the looks are of two opinions that as many of them hold."""
    most = np.max(votes, axis=0)
    return np.asarray((2 * most == count) & (np.sum([v == most for v in votes], axis=0) == count), np.bool_)


def _solid(mask: Mask) -> Mask:
    """Drop single pixels, which would look like noise."""
    return cv2.morphologyEx(mask.view(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).view(np.bool_)
