"""P3: what of the coefficients of a JPEG is public and what is secret, and how the two are joined again.

Source: Ra, Govindan, Ortega, P3: Toward Privacy-Preserving Photo Sharing, NSDI 2013, sections 3.2 and 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.types import Guarantee, GuaranteeKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_THRESHOLD: Final = 1
MAX_THRESHOLD: Final = 100
"""Above it almost every coefficient would stay in the public part whole, and the split would hide nothing."""


class Reidentification(BaseModel):
    """How often people were recognised in public parts, out of how many, and the command that measures it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank_1: float
    people: int
    threshold: int
    command: str


REIDENTIFICATION: Final = Reidentification(
    rank_1=0.93, people=40, threshold=10, command="eyelid attack reidentify --data faces_orl --methods p3:10"
)
GUARANTEE: Final = Guarantee(
    kind=GuaranteeKind.NONE,
    statement="The secret part is encrypted with AES-256-GCM; the public part protects nobody in it.",
    assumption="The key stays secret.",
    not_covered=(
        "faces, bodies and scenes in the public part, which retrained attackers recognise",
        "outlines, texture and small detail, which anybody sees in it",
        "how much detail the photo has, which the size of the secret part tells",
    ),
)


def split(coefficients: NDArray[np.int16], threshold: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Return the public and the secret part of quantised coefficients.

    ``coefficients`` is int16 of shape (..., 8, 8), the DC coefficient at [..., 0, 0]; both parts have its
    shape. DC goes to the secret part alone. An AC coefficient of at most ``threshold`` stays public; of a
    larger one the public part holds the threshold without the sign, the secret part the sign and the excess.
    """
    values = coefficients.astype(np.int32)
    magnitude = np.abs(values)
    excess = magnitude > threshold
    public = np.where(excess, threshold, values)
    secret = np.where(excess, np.sign(values) * (magnitude - threshold), 0)
    public[..., 0, 0] = 0
    secret[..., 0, 0] = values[..., 0, 0]
    return public.astype(np.int16), secret.astype(np.int16)


def correction(secret: NDArray[np.int16], threshold: int) -> NDArray[np.int16]:
    """Return what must be added besides the secret part: -2 T where a negative AC lost its sign, else 0."""
    lost = np.where(secret < 0, -2 * threshold, 0).astype(np.int16)
    lost[..., 0, 0] = 0
    return lost


def join(public: NDArray[np.int16], secret: NDArray[np.int16], threshold: int) -> NDArray[np.int16]:
    """Return the coefficients that :func:`split` was given, int16 of shape (..., 8, 8)."""
    return public + secret + correction(secret, threshold)
