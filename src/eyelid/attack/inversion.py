"""Runs a filter backwards: the picture whose filtered version is the one that was published.

Solves ``argmin_x ||y - G(x)||^2 + weight * TV(x)`` by Adam through the real filter G with its rounding
(Mahloujifar et al., "Privacy Blur", arXiv 2512.16086), from the Wiener solution in closed form.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.attack.base import Listener, silent
from eyelid.models.extras import require
from eyelid.models.torch_network import one_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from eyelid.attack.dataset import Pictures

    Floats = NDArray[np.float64]

STEPS: Final = 200
SMOOTHNESS: Final = 0.05
"""Weight of the total variation, in units of the squared error of a level a pixel."""

_ROUNDING: Final = 1 / 12
"""Variance of the error that rounding to whole levels makes."""

_PACE: Final = 0.5
"""Levels that a pixel may move in one step at the start."""


def wiener(treated: Pictures, weights: Floats, rounding: float = 1.0) -> Floats:
    """Return the linear estimate with the least error for a filter known but for its rounding.

    ``treated`` uint8 (n, height, width); ``weights`` float64 (k, k), or (k,) for the same filter along both
    axes, odd; ``rounding`` is the variance of the error, in units of one rounding to whole levels. Edges
    count as mirrored, pictures as having energy that falls with the square of frequency.
    """
    kernel = np.outer(weights, weights) if weights.ndim == 1 else weights
    y = treated.astype(np.float64)
    centre = y.mean(axis=(1, 2), keepdims=True)
    mirrored = np.pad(y - centre, ((0, 0), *((0, max(side - 2, 0)) for side in y.shape[1:])), mode="reflect")
    shape = mirrored.shape[1:]
    placed = np.zeros(shape)
    reach = np.array(kernel.shape) // 2
    rows, columns = np.indices(kernel.shape)
    np.add.at(placed, ((rows - reach[0]) % shape[0], (columns - reach[1]) % shape[1]), kernel)
    response = np.fft.rfft2(placed)
    down, across = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    falloff = 1 / np.maximum(down**2 + across**2, 1.0 / max(shape) ** 2)
    variance = mirrored.var(axis=(1, 2), keepdims=True)
    energy = variance * falloff / falloff.mean()
    noise = rounding * _ROUNDING / (energy + 1e-9)
    estimate = np.conj(response) * np.fft.rfft2(mirrored) / (np.abs(response) ** 2 + noise)
    restored = np.fft.irfft2(estimate, shape)[:, : y.shape[1], : y.shape[2]]
    return np.asarray((restored + centre).clip(0, 255), np.float64)


def invert(
    treated: Pictures,
    through: Callable[[Tensor], Tensor],
    start: Floats,
    *,
    steps: int = STEPS,
    smoothness: float = SMOOTHNESS,
    listener: Listener = silent,
) -> Pictures:
    """Return the pictures uint8 (n, height, width) that ``through`` turns into ``treated``, as near as found.

    ``through`` takes and returns float32 (n, height, width), 0..255, with gradients; ``start`` float64 of the
    same shape is where the search begins. ``listener`` counts its steps. Raises UsageError
    where PyTorch is not installed.
    """
    require("the inversion of a filter", "attack", "torch")
    import torch

    with one_thread():
        wanted = torch.from_numpy(treated.astype(np.float32))
        found = torch.from_numpy(start.astype(np.float32)).requires_grad_()
        optimiser = torch.optim.Adam([found], lr=_PACE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for step in range(1, steps + 1):
            optimiser.zero_grad()
            error = (through(found) - wanted).square().sum()
            (error + smoothness * _variation(found)).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
            listener(step, steps)
        return np.asarray(found.detach().round().clamp(0, 255).numpy(), np.uint8)


def _variation(pictures: Tensor) -> Tensor:
    """Return the isotropic total variation, slightly rounded at 0 so that it has a slope there."""
    from torch.nn.functional import pad

    down = pad(pictures.diff(dim=1), (0, 0, 0, 1))
    across = pad(pictures.diff(dim=2), (0, 1))
    return (down.square() + across.square() + 0.01).sqrt().sum()
