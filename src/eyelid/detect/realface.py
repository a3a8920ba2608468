"""A second opinion on faces: photographed, or drawn, moulded, an animal's, or no face at all.

A linear probe on the face embedding, in the manner of Alain and Bengio, "Understanding intermediate layers
using linear classifier probes", 2016. It sees grey crops of stretched contrast, so neither colour nor
exposure can decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.detect.base import require_finite
from eyelid.models.cards import card
from eyelid.models.cpu import constants, has_bf16
from eyelid.models.session import Device, Precision, Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.detect.base import Boxes
    from eyelid.types import Bgr

EMBEDDER: Final = "faceres"
JUDGE: Final = "realface"
MODELS: Final = (EMBEDDER, JUDGE)
"""The cards of the networks in use."""
SIDE: Final = 224
GROWTH: Final = 1.15
"""The side of the crop, in longer sides of the box."""
BATCH: Final = 8


class RealFace:
    """Judges whether faces are photographed ones.

    Raises :class:`~eyelid.errors.ModelError` where the weights or the device cannot be used.
    """

    def __init__(self, *, device: Device, threads: int | None, precision: Precision = Precision.AUTO) -> None:
        if precision is Precision.AUTO and device is Device.CPU and has_bf16():
            precision = Precision.BF16  # the card keeps it from comparing people; here it is enough
        self._embed = Session(EMBEDDER, device=device, precision=precision, threads=threads)
        layer = constants(card(JUDGE).weights())
        self._weights, self._bias = layer["w0"][:, 0], layer["w1"]

    def judge(self, picture: Bgr, boxes: Boxes) -> NDArray[np.float32]:
        """Return float32 (n,): near 1 for a photographed face, near -1 for none.

        ``boxes`` (n, 4) are in pixels of the picture. Raises :class:`~eyelid.errors.DetectionError` where
        the network fails.
        """
        verdicts = np.zeros(len(boxes), np.float32)
        for start in range(0, len(boxes), BATCH):
            batch = np.stack([crop(picture, box) for box in boxes[start : start + BATCH]])
            embeddings = self._embed.run(batch)[0]
            require_finite([embeddings], EMBEDDER)
            verdicts[start : start + BATCH] = embeddings @ self._weights + self._bias
        return verdicts


def crop(picture: Bgr, box: NDArray[np.float32]) -> Bgr:
    """Return the square around a box in grey, its contrast stretched, uint8 (224, 224, 3)."""
    scale = SIDE / max(float((box[2:] - box[:2]).max()) * GROWTH, 1.0)
    centre = (box[:2] + box[2:]) / 2
    shift = SIDE / 2 - scale * centre
    view = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]], np.float32)
    square = cv2.warpAffine(picture, view, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
    stretched = _stretch(np.asarray(cv2.cvtColor(square, cv2.COLOR_BGR2GRAY), np.uint8))
    return np.asarray(cv2.merge([stretched] * 3), np.uint8)


def _stretch(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Spread the tones of a grey picture between its 2nd and 98th percentile over 0 to 255."""
    below = np.cumsum(np.bincount(grey.reshape(-1), minlength=256)) / grey.size
    low, high = np.searchsorted(below, (0.02, 0.98))
    table = np.interp(np.arange(256), (low, max(high, low + 1)), (0, 255)).astype(np.uint8)
    return np.asarray(cv2.LUT(grey, table), np.uint8)
