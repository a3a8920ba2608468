"""What an attacker reads from the public part of P3: its AC coefficients, which still tell people apart.

The threshold hides magnitudes and signs of large coefficients and the brightness of every block; which
frequencies are busy where stays public. McPherson et al., Defeating Image Obfuscation with Deep Learning,
arXiv 1609.00408, attack P3 so; the features here are the 15 AC coefficients of lowest frequency of a block.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.dataset import Faces
from eyelid.attack.dataset import split as divide
from eyelid.attack.statistics import Floats, bootstrap_interval, rank1
from eyelid.errors import UsageError
from eyelid.models.extras import require
from eyelid.obfuscate.p3 import MAX_THRESHOLD, MIN_THRESHOLD, split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.attack.dataset import Labels

QUALITY: Final = 90
_BLOCK: Final = 8
_FEATURES: Final = 15
_STRENGTH: Final = 10.0
"""Of the inverse regularisation, for rows of length 1."""
_LUMA_TABLE: Final = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
"""ITU-T T.81, Annex K, table K.1."""


def _cosines() -> NDArray[np.float64]:
    n = np.arange(_BLOCK)
    rows = np.cos((2 * n + 1) * n[:, None] * np.pi / (2 * _BLOCK)) / 2
    rows[0] = np.sqrt(1 / _BLOCK)
    return rows


_DCT: Final = _cosines()
_LOWEST: Final = sorted(((u, v) for u in range(_BLOCK) for v in range(_BLOCK)), key=lambda at: (sum(at), at))
_ROWS, _COLUMNS = np.array(_LOWEST[1 : _FEATURES + 1]).T


class P3PublicAttack(Attack[Faces]):
    """Name people by the public parts of their photos: logistic regression on coefficients.

    It reads the coefficients as the file holds them, before any viewer rounds them to pixels. ``threshold``
    is P3's T, ``quality`` the JPEG quality of the photos, ``seeds`` how many splits into training and probes.
    Raises UsageError where one is out of range.
    """

    name = "p3 public part"

    def __init__(self, threshold: int = 10, *, quality: int = QUALITY, seeds: int = 10) -> None:
        if not MIN_THRESHOLD <= threshold <= MAX_THRESHOLD:
            raise UsageError(f"the threshold {threshold} is not {MIN_THRESHOLD} to {MAX_THRESHOLD}")
        if not 1 <= quality <= 100 or seeds < 1:
            raise UsageError(
                f"quality {quality} and {seeds} splits measure nothing; give 1 to 100 and 1 or more"
            )
        self._threshold = threshold
        self._quality = quality
        self._seeds = seeds

    @property
    def threat(self) -> Threat:
        """The attacker: one who has other photos of the same people and splits them alike."""
        return Threat(
            goal="name the person in the public part of a photo",
            knowledge=Knowledge.RETRAINED,
            capability="the public part, and labelled photos of the people, split alike to learn from",
        )

    def run(self, target: Faces) -> AttackResult:
        """Measure the rank-1 rate over all splits."""
        require("the attack on P3", "attack", "sklearn")
        files = [_public(picture, self._threshold, self._quality) for picture in target.pictures]
        parts = np.stack([_low(public).ravel() for public in files])
        found, people = [], []
        for seed in range(self._seeds):
            parted = divide(target.people, seed)
            found.append(_recognised(parts, target.people, parted.training, parted.probes))
            people.append(target.people[parted.probes])
        success = np.concatenate(found)
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="rank-1",
            success=float(success.mean()),
            chance=1 / len(target.names),
            interval=bootstrap_interval(success, groups=np.concatenate(people)),
            n=len(success),
            note=f"T = {self._threshold}, JPEG quality {self._quality}, {self._seeds} splits",
        )


def _recognised(parts: NDArray[np.float32], people: Labels, training: Labels, probes: Labels) -> Floats:
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

    centred = parts - parts[training].mean(axis=0)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    rows = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    model = LogisticRegression(C=_STRENGTH, max_iter=200).fit(rows[training], people[training])
    return rank1(model.predict_log_proba(rows[probes]), people[probes], model.classes_)


def public_luma(image: NDArray[np.uint8], threshold: int, quality: int = QUALITY) -> NDArray[np.float32]:
    """Return what the attacker compares: the low AC coefficients of the public part of a picture's luma.

    ``image`` is uint8, (h, w) grey or (h, w, 3) BGR; ``threshold`` is P3's T, ``quality`` the JPEG quality
    1..100 in which the picture was stored. The result is float32 of shape (blocks down, blocks across, 15),
    in quantisation steps; flatten it for a linear or nearest-neighbour attacker. Blocks that the picture
    fills in part only are left out: cut out of the picture of a public part, they hold what no file held.
    """
    height, width = (side - side % _BLOCK or side for side in image.shape[:2])
    return _low(_public(image[:height, :width], threshold, quality))


def public_picture(image: NDArray[np.uint8], threshold: int, quality: int = QUALITY) -> NDArray[np.uint8]:
    """Return the luma that a viewer shows of the public part: uint8 (h, w), around middle grey.

    Arguments as for :func:`public_luma`; this is for attackers that want pixels.
    """
    height, width = image.shape[:2]
    scaled = _public(image, threshold, quality) * _table(quality)
    blocks = _DCT.T @ scaled @ _DCT + 128
    rows, columns = blocks.shape[:2]
    luma = blocks.swapaxes(1, 2).reshape(rows * _BLOCK, columns * _BLOCK)
    return np.clip(np.rint(luma[:height, :width]), 0, 255).astype(np.uint8)


def _low(public: NDArray[np.int16]) -> NDArray[np.float32]:
    return public[..., _ROWS, _COLUMNS].astype(np.float32)


def _public(image: NDArray[np.uint8], threshold: int, quality: int) -> NDArray[np.int16]:
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) if image.ndim == 3 else image
    height, width = grey.shape
    padded = np.pad(grey.astype(np.float64) - 128, ((0, -height % _BLOCK), (0, -width % _BLOCK)), "edge")
    blocks = padded.reshape(padded.shape[0] // _BLOCK, _BLOCK, -1, _BLOCK).swapaxes(1, 2)
    quantised = np.rint(_DCT @ blocks @ _DCT.T / _table(quality)).astype(np.int16)
    return split(quantised, threshold)[0]


def _table(quality: int) -> NDArray[np.intp]:
    """Scale the luma table as libjpeg does (jcparam.c, jpeg_quality_scaling)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: NDArray[np.intp] = np.clip((_LUMA_TABLE * scale + 50) // 100, 1, 255)
    return table
