"""The search for a change of brightness that a face recogniser sees and a human hardly does.

Projected gradient descent (Madry et al., ICLR 2018) with momentum against an ensemble (Dong et al., CVPR
2018) over random views of the face (Athalye et al., "expectation over transformation", ICML 2018): other
crops, turned, mirrored, resized, and through JPEG, whose rounding gets the smooth stand-in of Shin and Song
(NIPS workshop 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from eyelid.types import Bgr

    Embed = Callable[[Tensor], Tensor]
    Box = tuple[float, float, float, float]

FINEST: Final = 256
"""Cells along the longer side of the change, however large the face: finer would not survive an upload."""

VIEWS: Final = 2
"""Random views of the face a step."""

SMOOTHEST: Final = 0.03
"""The widest filter of those who know of cloaks and smooth them away: sigma in widths of the box."""

SQUARE_SIDE: Final = 0.97
"""Side of the square that aligned recognisers look at, in heights of the box; what dlib cuts, on average."""

SQUARE_MIDDLE: Final = 0.57
"""Where its middle lies, in heights of the box from the top: between the tip of the nose and the lip."""

_MOMENTUM: Final = 0.9
_WEIGHTS: Final = (0.114, 0.587, 0.299)  # of blue, green and red in the brightness, ITU-R BT.601
# fmt: off
_QUANTISATION: Final = (  # ITU-T T.81, table K.1
    (16, 11, 10, 16, 24, 40, 51, 61), (12, 12, 14, 19, 26, 58, 60, 55), (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62), (18, 22, 37, 56, 68, 109, 103, 77), (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101), (72, 92, 95, 98, 112, 100, 103, 99),
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Window:
    """What a recogniser looks at: the middle, half the width and height, and radians that it is turned by."""

    x: float
    y: float
    across: float
    down: float
    turned: float = 0.0


def window_of(face: Box, *, square: bool) -> Window:
    """Return the box of a face as a window, or the upright square that recognisers cut who align faces."""
    x0, y0, x1, y1 = face
    if not square:
        return Window((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 2, (y1 - y0) / 2)
    half = SQUARE_SIDE * (y1 - y0) / 2
    return Window((x0 + x1) / 2, y0 + SQUARE_MIDDLE * (y1 - y0), half, half)


@dataclass(frozen=True, slots=True)
class Embedder:
    """A network to fool, and how it looks at a face.

    ``embed`` takes float32 pictures (n, 3, side, side), BGR, 0..255, and returns embeddings (n, k). It looks
    at the box of a face, or, where it aligns faces first, at an upright square.
    """

    embed: Embed
    side: int
    square: bool = False

    def window(self, face: Box) -> Window:
        """Return what it looks at where the face is in the box x0 y0 x1 y1."""
        return window_of(face, square=self.square)

    def near(self, face: Box, random: np.random.Generator) -> Window:
        """Return what it may look at instead, as detectors and landmarks are never quite the same."""
        usual = self.window(face)
        grow = random.uniform(0.95, 1.1, 2) if self.square else random.uniform(0.95, 1.2, 2)
        shift = random.uniform(-0.08, 0.08, 2)
        return Window(
            usual.x + shift[0] * usual.across,
            usual.y + shift[1] * usual.down,
            usual.across * grow[0],
            usual.down * (grow[0] if self.square else grow[1]),
            random.normal(0, 0.08) if self.square else 0.0,
        )


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
    Every embedder has the same say in each step, whatever the scale of its embeddings.
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
        own = [_embedding(embedder, clear, box) for embedder in embedders]
    change = torch.from_numpy(random.uniform(-levels, levels, (1, 1, *size)).astype(np.float32))
    pace, direction = 2.5 * levels / steps, torch.zeros_like(change)
    for _ in range(steps):
        change.requires_grad_()
        cloaked = (clear + change * grid).clamp(0, 255)
        sent = [_sent(cloaked, box, random) for _ in range(VIEWS)]
        slopes = torch.zeros_like(change)
        for embedder, target in zip(embedders, own, strict=True):
            views = [
                _look(seen, embedder.near(place, random), embedder.side, flip=random.random() < 0.5)
                for seen, place in sent
            ]
            alike = cosine_similarity(embedder.embed(torch.cat(views)), target).mean()
            (slope,) = torch.autograd.grad(alike, change, retain_graph=True)
            slopes += slope / slope.abs().mean().clamp_min(1e-12)
        direction = _MOMENTUM * direction + slopes
        change = (change.detach() - pace * direction.sign()).clamp(-levels, levels)
    full = interpolate(change, (height, width), mode="bilinear") * inside
    return np.asarray(full[0, 0].numpy(), np.float32)


def _embedding(embedder: Embedder, picture: Tensor, box: Box) -> Tensor:
    import torch

    window = embedder.window(box)
    seen = torch.cat([_look(picture, window, embedder.side, flip) for flip in (False, True)])
    return embedder.embed(seen).mean(dim=0, keepdim=True)


def _sent(cloaked: Tensor, box: Box, random: np.random.Generator) -> tuple[Tensor, Box]:
    """Return the picture and the box after some upload."""
    from torch.nn.functional import interpolate

    scale = random.uniform(0.45, 1.0)
    height, width = cloaked.shape[2:]
    size = max(8, round(height * scale)), max(8, round(width * scale))
    smaller = interpolate(cloaked, size, mode="bilinear", antialias=True)
    arrived, place = jpeg(smaller, quality=random.uniform(60, 95)), _scaled(box, (height, width), size)
    if random.random() < 0.5:
        arrived = smooth(arrived, random.uniform(0, SMOOTHEST) * (place[2] - place[0]))
    return arrived, place


def _look(picture: Tensor, window: Window, side: int, flip: bool) -> Tensor:
    """Return what is in the window, (1, 3, side, side); the edge of the picture goes on beyond it."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    height, width = picture.shape[2:]
    cosine, sine = math.cos(window.turned), math.sin(window.turned)
    across, down = (-window.across if flip else window.across), window.down
    rows = (
        (2 * across * cosine / width, -2 * down * sine / width, 2 * window.x / width - 1),
        (2 * across * sine / height, 2 * down * cosine / height, 2 * window.y / height - 1),
    )
    points = affine_grid(torch.tensor([rows], dtype=torch.float32), [1, 3, side, side], align_corners=False)
    return grid_sample(picture, points, mode="bilinear", padding_mode="border", align_corners=False)


def _scaled(box: Box, old: tuple[int, int], new: tuple[int, int]) -> Box:
    """Return the box after a picture of (height, width) ``old`` became ``new``."""
    down, across = new[0] / old[0], new[1] / old[1]
    return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def smooth(pictures: Tensor, sigma: float) -> Tensor:
    """Return pictures (n, 3, height, width) under a Gaussian filter, sigma in pixels."""
    import torch
    from torch.nn.functional import conv2d, pad

    reach = max(1, math.ceil(3 * sigma))
    weights = torch.exp(-torch.arange(-reach, reach + 1.0).square() / (2 * max(sigma, 1e-3) ** 2))
    weights = (weights / weights.sum()).expand(3, 1, 1, -1)
    wide = conv2d(pad(pictures, (reach, reach, 0, 0), mode="replicate"), weights, groups=3)
    return conv2d(pad(wide, (0, 0, reach, reach), mode="replicate"), weights.transpose(2, 3), groups=3)


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
