"""Gaussian filters as OpenCV and Pillow compute them on 8-bit pictures, and as PyTorch can follow them.

The rounding of every pass is part of the filter; its gradient is taken as 1 (straight through), as in
Mahloujifar et al., "Privacy Blur" (arXiv 2512.16086).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import cv2
import numpy as np
from PIL import Image, ImageFilter
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from eyelid.attack.dataset import Picture

_PASSES = 3


class Lowpass(BaseModel):
    """A filter with a twin that has gradients.

    ``rounding`` is how many times the variance of one rounding its result is off the exact filter, about.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    rounding: ClassVar[float] = 1.0

    @abstractmethod
    def release(self, picture: Picture) -> Picture:
        """Return the picture as the real library filters it, uint8 (height, width)."""

    @abstractmethod
    def through(self, pictures: Tensor) -> Tensor:
        """Return what :meth:`release` does to pictures (n, height, width), 0..255, with gradients.

        In float64 every sample is the library's own; in float32 some that lie between two levels fall to the
        other one.
        """

    @classmethod
    @abstractmethod
    def widths(cls) -> Sequence[Self]:
        """Return the filters of all widths that somebody who does not know the width would try."""

    @abstractmethod
    def weights(self) -> NDArray[np.float64]:
        """Return the weights along one axis, float64 of odd length, their sum 1, rounding left out."""


class OpenCvBlur(Lowpass):
    """``cv2.GaussianBlur`` with an odd ``kernel`` in pixels, sigma derived from it, edges mirrored."""

    name: Literal["opencv"] = "opencv"
    kernel: int = Field(default=25, ge=1, le=1023)

    @classmethod
    def widths(cls) -> Sequence[Self]:
        """Return the odd kernels up to 63."""
        return [cls(kernel=kernel) for kernel in range(3, 64, 2)]

    def release(self, picture: Picture) -> Picture:
        """Return the picture as OpenCV filters it; an even kernel is made odd."""
        side = self.kernel | 1
        return np.asarray(cv2.GaussianBlur(picture, (side, side), 0), np.uint8)

    def through(self, pictures: Tensor) -> Tensor:
        """Return the same with gradients; OpenCV rounds once, at the end."""
        weights = self.weights()
        return rounded(_filtered(_filtered(pictures, weights, 2, "reflect"), weights, 1, "reflect"))

    def weights(self) -> NDArray[np.float64]:
        """Return the weights, which OpenCV rounds to 1/256 for 8-bit pictures."""
        side = self.kernel | 1
        exact = np.asarray(cv2.getGaussianKernel(side, 0, cv2.CV_64F), np.float64)[:, 0]
        return _fixed_point(exact)


class PillowBlur(Lowpass):
    """``PIL.ImageFilter.GaussianBlur`` of a ``radius`` in pixels: three box filters, edges repeated."""

    rounding: ClassVar[float] = 16.0
    name: Literal["pillow"] = "pillow"
    radius: float = Field(default=4.0, gt=0.0, le=256.0, allow_inf_nan=False)

    @classmethod
    def widths(cls) -> Sequence[Self]:
        """Return radii up to 16, in steps of half a pixel."""
        return [cls(radius=half / 2) for half in range(1, 33)]

    def release(self, picture: Picture) -> Picture:
        """Return the picture as Pillow filters it."""
        return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(self.radius)), np.uint8)

    def through(self, pictures: Tensor) -> Tensor:
        """Return the same with gradients; Pillow rounds after each of its six passes."""
        box = self._box()
        for axis in (2, 1):
            for _ in range(_PASSES):
                pictures = rounded(_filtered(pictures, box, axis, "replicate"))
        return pictures

    def weights(self) -> NDArray[np.float64]:
        """Return the weights of the three passes together."""
        box = self._box()
        return np.convolve(np.convolve(box, box), box)

    def _box(self) -> NDArray[np.float64]:
        """Return the extended box filter of one pass (Gwosdek et al., SSVM 2011).

        Pillow computes it in single precision, and the filter in steps of 2**-24.
        """
        one, variance = np.float32(1), np.float32(self.radius) ** 2 / np.float32(_PASSES)
        whole = np.float32(math.floor((np.float32(math.sqrt(12.0 * float(variance) + 1.0)) - one) / 2))
        share = (2 * whole + one) * (whole * (whole + one) - 3 * variance)
        share /= 6 * (variance - (whole + one) * (whole + one))
        inner = int(np.float32(2**24) / (2 * (whole + share) + one))
        reach = int(whole)
        box = np.full(2 * reach + 3, inner, np.float64)
        box[[0, -1]] = (2**24 - (2 * reach + 1) * inner) // 2
        return box / 2**24


def rounded(values: Tensor) -> Tensor:
    """Return whole levels 0..255 with the gradient of the values themselves."""
    return values + ((values + 0.5).floor().clamp(0, 255) - values).detach()


def _filtered(pictures: Tensor, weights: NDArray[np.float64], axis: int, edge: str) -> Tensor:
    """Return pictures (n, height, width) filtered along one axis, edges as PyTorch's padding names them."""
    import torch
    from torch.nn.functional import conv2d

    reach = len(weights) // 2
    index = _edge_index(pictures.shape[axis], reach, edge)
    padded = pictures.index_select(axis, torch.from_numpy(index))
    shape = (1, 1, 1, -1) if axis == 2 else (1, 1, -1, 1)
    return conv2d(padded[:, None], torch.from_numpy(weights).to(pictures.dtype).view(shape))[:, 0]


def _edge_index(side: int, reach: int, edge: str) -> NDArray[np.int64]:
    """Return which samples stand at -reach..side+reach; mirrored as often as a long filter needs."""
    place = np.arange(-reach, side + reach, dtype=np.int64)
    if edge == "replicate":
        return place.clip(0, side - 1)
    period = max(2 * (side - 1), 1)
    place = np.abs(place) % period
    return np.minimum(place, period - place)


def _fixed_point(exact: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights in steps of 1/256, the rounding errors carried on so that their sum stays 1."""
    result, error, half = np.zeros_like(exact), 0.0, len(exact) // 2
    for i in range(half):
        value = exact[i] * 256 + error
        result[i] = result[-1 - i] = np.rint(value)
        error = value - result[i]
    result[half] = 256 - 2 * result[:half].sum()
    return result / 256
