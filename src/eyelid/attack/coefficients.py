"""The attack on P3: a linear classifier on the AC coefficients that the public part still holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.attack.base import Knowledge
from eyelid.attack.linear import LogisticAttacker
from eyelid.attack.p3_public import public_luma
from eyelid.obfuscate.p3 import MAX_THRESHOLD

if TYPE_CHECKING:
    from eyelid.attack.attacker import Rows
    from eyelid.attack.dataset import Pictures


class CoefficientAttacker(LogisticAttacker):
    """Logistic regression on the low frequencies of each 8x8 block, which P3 hides in part only."""

    name = "coefficients"
    levels = frozenset({Knowledge.RETRAINED})

    def features(self, pictures: Pictures) -> Rows:
        """Return the 15 lowest AC coefficients of every block."""
        return np.stack([public_luma(picture, MAX_THRESHOLD).ravel() for picture in pictures])
