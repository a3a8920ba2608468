"""Breaks blurs whose filter is a secret key: the key follows from a few pictures known before and after.

A filter is linear, so each pair of pictures gives as many equations for its weights as it has pixels; the
weights are their least-squares solution, and a known filter is reversed as in :mod:`eyelid.attack.inversion`.
Who has no pair takes the filter that keys stand for on average, of the width that the pictures betray.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, ClassVar, Final

import cv2
import numpy as np

from eyelid.attack.base import Knowledge, Listener, Threat, silent
from eyelid.attack.blind import likeliest, power
from eyelid.attack.inversion import STEPS, invert, wiener
from eyelid.attack.lowpass import rounded
from eyelid.attack.restoration import RestorationAttack
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from eyelid.attack.dataset import Pictures
    from eyelid.attack.restoration import Restorer

    Weights = NDArray[np.float64]

SIDE: Final = 21
PAIRS: Final = 1
WIDEST: Final = 63


def weights_of(key: bytes, side: int = SIDE) -> Weights:
    """Return the filter that a key stands for: positive, sum 1, float64 (side, side), side odd."""
    stream = hashlib.shake_256(key).digest(4 * side * side)
    drawn = np.frombuffer(stream, np.uint32).reshape(side, side).astype(np.float64) + 1
    return np.asarray(drawn / drawn.sum(), np.float64)


def blur(pictures: Pictures, weights: Weights) -> Pictures:
    """Return pictures uint8 (n, height, width) after a filter, edges mirrored, rounded to 8 bits."""
    return np.stack([np.asarray(cv2.filter2D(p, cv2.CV_8U, weights), np.uint8) for p in pictures])


def estimate_weights(clear: Pictures, treated: Pictures, side: int) -> Weights:
    """Return the filter (side, side) that turns ``clear`` into ``treated``, both uint8 (n, height, width).

    ``side`` may be larger than the filter's own. Raises UsageError where the pictures are too small.
    """
    height, width = clear.shape[1] - side + 1, clear.shape[2] - side + 1
    if min(height, width) < 1 or len(clear) * height * width < side * side:
        raise UsageError(
            f"a filter of {side} pixels needs larger pictures than {clear.shape[1]} by {clear.shape[2]}"
        )
    windows = np.lib.stride_tricks.sliding_window_view(clear, (side, side), axis=(1, 2))
    reach = side // 2
    wanted = treated[:, reach : reach + height, reach : reach + width].reshape(-1).astype(np.float64)
    rows = windows.reshape(-1, side * side).astype(np.float64)
    # A little of the identity keeps weights finite that smooth pictures say nothing about.
    normal = rows.T @ rows
    normal[np.diag_indices_from(normal)] += 1e-9 * np.trace(normal)
    return np.asarray(np.linalg.solve(normal, rows.T @ wanted).reshape(side, side), np.float64)


def expected_weights(treated: Pictures) -> Weights:
    """Return the mean of all filters of a width, (side, side), for the width that likely made ``treated``."""
    shape = treated.shape[1:]
    sides = range(1, min(WIDEST, *shape) + 1, 2)
    even = [np.full((side, side), 1 / side**2) for side in sides]
    # Weights that are drawn evenly deviate by a root of 1/3 of their mean, alike at all frequencies.
    powers = [power(each, shape) + each.mean() / 3 for each in even]
    return even[likeliest(treated, powers)]


def unblur(
    pictures: Pictures, weights: Weights, *, steps: int = STEPS, listener: Listener = silent
) -> Pictures:
    """Return pictures uint8 (n, height, width) as they were before a known filter."""

    def through(values: Tensor) -> Tensor:
        import torch
        from torch.nn.functional import pad

        height, width = values.shape[1:]
        reach = weights.shape[0] // 2
        padded = pad(values[:, None], (reach,) * 4, mode="reflect")[:, 0]
        shape = padded.shape[1:]
        response = torch.fft.rfft2(torch.from_numpy(weights), shape).conj().to(torch.complex64)
        filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * response, shape)
        return rounded(filtered[:, :height, :width])

    start = wiener(pictures, weights[::-1, ::-1])
    return invert(pictures, through, start, steps=steps, listener=listener)


class KeyedBlur(RestorationAttack):
    """Estimates the secret filter from known pairs, then reverses it for everybody else.

    With no pair it is blind: nothing is known but the blurred pictures.
    """

    name: ClassVar[str] = "keyed-blur"

    def __init__(self, key: bytes, pairs: int = PAIRS, side: int = SIDE, seed: int = 0) -> None:
        super().__init__(seed)
        self._weights = weights_of(key, side)
        self._pairs = pairs
        self._side = side

    @property
    def threat(self) -> Threat:
        """Whoever got hold of a picture of its own from before and after, or of what was published alone."""
        has = f"{self._pairs} picture(s) of other people before and after the blur"
        return Threat(
            goal="see the faces behind a blur whose filter is secret",
            knowledge=Knowledge.METHOD,
            capability=f"{has if self._pairs else 'blurred pictures alone'}, not the key",
        )

    def release(self, pictures: Pictures) -> Pictures:
        """Return the pictures after the secret filter."""
        return blur(pictures, self._weights)

    def prepare(self, clear: Pictures, treated: Pictures, listener: Listener, /) -> Restorer:
        """Return the reversal of the filter that the first pairs betray."""
        if not self._pairs:
            return lambda pictures: unblur(pictures, expected_weights(pictures), listener=listener)
        estimate = estimate_weights(clear[: self._pairs], treated[: self._pairs], self._side)
        return lambda pictures: unblur(pictures, estimate, listener=listener)
