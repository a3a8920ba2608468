"""The attack on the SVD mechanism: it perturbs singular values and publishes the singular vectors.

Fan (ICME 2019) releases U diag(s + z) V'. The planes that U and V span survive any noise z, and they show
who is in the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.attacker import LONGEST_SIDE
from eyelid.attack.base import Knowledge
from eyelid.attack.linear import DiscriminantAttacker
from eyelid.attack.threads import one_thread

if TYPE_CHECKING:
    from eyelid.attack.attacker import Rows
    from eyelid.attack.dataset import Picture, Pictures

_RANK: Final = 4
"""As in the published implementations: four singular values are released."""


class SubspaceAttacker(DiscriminantAttacker):
    """Discriminant analysis on the projections onto the leading singular vectors, free of sign and order."""

    name = "subspace"
    levels = frozenset({Knowledge.RETRAINED})
    draws = 5

    @one_thread()
    def features(self, pictures: Pictures) -> Rows:
        """Return U U' and V V' of each picture, scaled down, as one row."""
        return np.stack([_projections(picture) for picture in pictures])


def _projections(picture: Picture) -> Rows:
    left, _, right = np.linalg.svd(picture.astype(np.float64), full_matrices=False)
    parts = [basis @ basis.T for basis in (left[:, :_RANK], right[:_RANK].T)]
    sides = [min(len(part), LONGEST_SIDE) for part in parts]
    shrunk = [
        cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)
        for part, side in zip(parts, sides, strict=True)
    ]
    return np.concatenate([np.asarray(part, np.float32).ravel() for part in shrunk])
