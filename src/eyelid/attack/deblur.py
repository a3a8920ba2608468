"""Reverses a Gaussian blur: no training, no pictures of anybody, only the filter that was used."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from eyelid.attack.base import Knowledge, Listener, Threat, silent
from eyelid.attack.blind import likeliest, power
from eyelid.attack.inversion import STEPS, invert, wiener
from eyelid.attack.restoration import RestorationAttack

if TYPE_CHECKING:
    from eyelid.attack.dataset import Pictures
    from eyelid.attack.lowpass import Lowpass
    from eyelid.attack.restoration import Restorer


def deblur(pictures: Pictures, blur: Lowpass, *, steps: int = STEPS, listener: Listener = silent) -> Pictures:
    """Return the pictures as they were before ``blur``, as near as 8-bit rounding allows.

    ``pictures`` uint8 (n, height, width), blurred to their edges. Raises UsageError without PyTorch.
    """
    start = wiener(pictures, blur.weights(), blur.rounding)
    return invert(pictures, blur.through, start, steps=steps, listener=listener)


def deblur_blindly(
    pictures: Pictures, kind: type[Lowpass], *, steps: int = STEPS, listener: Listener = silent
) -> Pictures:
    """Return the pictures as they were before a blur of a ``kind`` whose width each betrays by itself."""
    widths = kind.widths()
    powers = [power(np.outer(w, w), pictures.shape[1:]) for w in (blur.weights() for blur in widths)]
    found = np.array([likeliest(picture[None], powers, kind.rounding) for picture in pictures])
    restored = np.empty_like(pictures)
    alike = np.unique(found)
    for before, width in enumerate(alike):
        told = _part(listener, before, len(alike))
        restored[found == width] = deblur(pictures[found == width], widths[width], steps=steps, listener=told)
    return restored


def _part(listener: Listener, before: int, parts: int) -> Listener:
    """Return a listener for one of several equal parts of some work, ``before`` of which are done."""
    return lambda done, of: listener(before * of + done, parts * of)


class Deblur(RestorationAttack):
    """The reversal of "Privacy Blur" (Mahloujifar et al., arXiv 2512.16086); ``blind``: of unknown width."""

    name: ClassVar[str] = "deblur"

    def __init__(self, blur: Lowpass, seed: int = 0, *, blind: bool = False) -> None:
        super().__init__(seed)
        self._blur = blur
        self._blind = blind

    @property
    def threat(self) -> Threat:
        """Whoever knows the filter."""
        return Threat(
            goal="see the face behind a Gaussian blur",
            knowledge=Knowledge.METHOD,
            capability=(
                "the blurred picture and no other, and the library "
                f"{'and width ' if not self._blind else ''}of the filter"
            ),
        )

    def release(self, pictures: Pictures) -> Pictures:
        """Return the pictures as the library blurs them."""
        return np.stack([self._blur.release(picture) for picture in pictures])

    def prepare(self, clear: Pictures, treated: Pictures, listener: Listener, /) -> Restorer:
        """Return the reversal, which learns from nobody."""
        del clear, treated
        if self._blind:
            return lambda pictures: deblur_blindly(pictures, type(self._blur), listener=listener)
        return lambda pictures: deblur(pictures, self._blur, listener=listener)
