"""The search for a change of brightness that a face recogniser sees and a human hardly does.

Projected gradient descent (Madry et al., ICLR 2018) with momentum (Dong et al., CVPR 2018) over random views
of the face (Athalye et al., "expectation over transformation", ICML 2018): other crops, mirrored, resized,
and through JPEG, whose rounding gets the smooth stand-in of Shin and Song (NIPS workshop 2017).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from eyelid.types import Bgr

    Embedder = Callable[[Tensor], Tensor]
    Box = tuple[float, float, float, float]

SIDE: Final = 224
"""Pixels on a side of what the embedders see."""

FINEST: Final = 256
"""Cells along the longer side of the change, however large the face: finer would not survive an upload."""

VIEWS: Final = 2
"""Random views of the face a step."""

STILL: Final = (0.0, 0.0, 0.0, 0.0)
_MOMENTUM: Final = 0.9
_WEIGHTS: Final = (0.114, 0.587, 0.299)  # of blue, green and red in the brightness, ITU-R BT.601
# fmt: off
_QUANTISATION: Final = (  # ITU-T T.81, table K.1
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)
# fmt: on


def search(
    picture: Bgr,
    mask: NDArray[np.bool_],
    face: Box,
    embedders: Sequence[Embedder],
    *,
    levels: int,
    steps: int,
    random: np.random.Generator,
) -> NDArray[np.float32]:
    """Return the change of brightness, float32 (height, width) within -levels..levels, 0 outside ``mask``.

    ``picture`` is uint8 BGR of shape (height, width, 3) around one face, ``face`` the box x0 y0 x1 y1 in it.
    Each embedder takes float32 pictures (n, 3, 224, 224), BGR, 0..255, and returns embeddings (n, k).
    """
    import torch
    from torch.nn.functional import cosine_similarity, interpolate

    height, width = picture.shape[:2]
    shrink = min(1.0, FINEST / max(height, width))
    size = max(1, round(height * shrink)), max(1, round(width * shrink))
    clear = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1))[None]).float()
    inside = torch.from_numpy(mask.astype(np.float32))[None, None]
    clear = interpolate(clear, size, mode="bilinear", antialias=True)
    grid = interpolate(inside, size, mode="bilinear", antialias=True)
    box = _scaled(face, (height, width), size)
    with torch.no_grad():
        seen = torch.cat([_look(clear, box, STILL, flip) for flip in (False, True)])
        own = [embed(seen).mean(dim=0, keepdim=True) for embed in embedders]
    change = torch.from_numpy(random.uniform(-levels, levels, (1, 1, *size)).astype(np.float32))
    pace, direction = 2.5 * levels / steps, torch.zeros_like(change)
    for _ in range(steps):
        change.requires_grad_()
        cloaked = (clear + change * grid).clamp(0, 255)
        views = torch.cat([_view(cloaked, box, random) for _ in range(VIEWS)])
        alike = sum(
            cosine_similarity(embed(views), target).mean()
            for embed, target in zip(embedders, own, strict=True)
        )
        (slope,) = torch.autograd.grad(alike, change)  # type: ignore[arg-type]  # a sum of tensors
        direction = _MOMENTUM * direction + slope / slope.abs().mean().clamp_min(1e-12)
        change = (change.detach() - pace * direction.sign()).clamp(-levels, levels)
    full = interpolate(change, (height, width), mode="bilinear") * inside
    return np.asarray(full[0, 0].numpy(), np.float32)


def _view(cloaked: Tensor, box: Box, random: np.random.Generator) -> Tensor:
    """Return what some recogniser may get to see of a face after some upload."""
    from torch.nn.functional import interpolate

    scale = random.uniform(0.45, 1.0)
    height, width = cloaked.shape[2:]
    size = max(8, round(height * scale)), max(8, round(width * scale))
    uploaded = interpolate(cloaked, size, mode="bilinear", antialias=True)
    uploaded = jpeg(uploaded, quality=random.uniform(60, 95))
    grow = random.uniform(-0.05, 0.2, 4).tolist()
    return _look(uploaded, _scaled(box, (height, width), size), grow, flip=random.random() < 0.5)


def _look(picture: Tensor, box: Box, grow: Sequence[float], flip: bool) -> Tensor:
    """Return the box, each side moved outward by a part of the box's sides, at the size of an embedder."""
    from torch.nn.functional import interpolate

    height, width = picture.shape[2:]
    x0, y0, x1, y1 = box
    left = min(max(math.floor(x0 - grow[0] * (x1 - x0)), 0), width - 1)
    top = min(max(math.floor(y0 - grow[1] * (y1 - y0)), 0), height - 1)
    right = max(math.ceil(x1 + grow[2] * (x1 - x0)), left + 1)
    bottom = max(math.ceil(y1 + grow[3] * (y1 - y0)), top + 1)
    crop = picture[..., top:bottom, left:right]
    seen = interpolate(crop, (SIDE, SIDE), mode="bilinear", antialias=True)
    return seen.flip(3) if flip else seen


def _scaled(box: Box, old: tuple[int, int], new: tuple[int, int]) -> Box:
    """Return the box after a picture of (height, width) ``old`` became ``new``."""
    down, across = new[0] / old[0], new[1] / old[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def jpeg(pictures: Tensor, quality: float) -> Tensor:
    """Return pictures (n, 3, height, width) BGR 0..255 with their brightness as JPEG keeps it.

    ``quality`` 50..100 scales the table as the Independent JPEG Group's library does.
    """
    import torch
    from torch.nn.functional import pad

    weights = torch.tensor(_WEIGHTS).view(1, 3, 1, 1)
    light = (pictures * weights).sum(dim=1, keepdim=True)
    n, _, height, width = light.shape
    padded = pad(light, (0, -width % 8, 0, -height % 8), mode="replicate") - 128
    rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.view(n, rows, 8, columns, 8).transpose(2, 3)
    table = (torch.tensor(_QUANTISATION) * (200 - 2 * quality) / 100).round().clamp(1, 255)
    cosines = _cosines()
    waves = cosines @ blocks @ cosines.T / table
    whole = waves.round()
    bent = (waves - whole) ** 3
    kept = whole + (bent - bent.detach())  # exactly the rounded values, with the slope of the cubic
    restored = (cosines.T @ (kept * table) @ cosines).transpose(2, 3).reshape(padded.shape) + 128
    return (pictures + (restored[..., :height, :width] - light)).clamp(0, 255)


def _cosines() -> Tensor:
    """Return the orthonormal matrix (8, 8) of the discrete cosine transform."""
    import torch

    k, x = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    matrix = torch.cos(math.pi / 8 * (x + 0.5) * k) / 2
    matrix[0] /= math.sqrt(2)
    return matrix
