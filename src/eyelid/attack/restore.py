"""Learned restoration: what a treatment took is guessed from what it does to faces of other people.

A linear guess first (ridge regression from treated to clear pixels: the face hallucination of Wang and Tang,
IEEE SMC-C 2005), then a small U-Net (Ronneberger et al., MICCAI 2015) that corrects it. Works for any
treatment of pictures that lie in the same place: mosaics, blurs, noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np

from eyelid.attack.attacker import small
from eyelid.attack.base import Knowledge, Listener, Threat, silent
from eyelid.attack.restoration import RestorationAttack
from eyelid.errors import InputError
from eyelid.models.extras import require
from eyelid.models.torch_network import one_thread

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.nn import Module

    from eyelid.attack.dataset import Pictures
    from eyelid.attack.restoration import Restorer
    from eyelid.attack.treatment import Treatment

    Floats = NDArray[np.float64]

EPOCHS: Final = 10
FEWEST: Final = 8
"""Pictures to learn from; fewer say nothing about faces."""

_FOLDS, _BATCH, _WIDTH, _RATE, _RIDGE = 4, 16, 12, 3e-3, 1.0


class LearnedRestorer:
    """Restores pictures treated like those it was trained on."""

    def __init__(
        self,
        clear: Pictures,
        treated: Pictures,
        *,
        epochs: int = EPOCHS,
        seed: int = 0,
        listener: Listener = silent,
    ) -> None:
        """Learn from pairs, uint8 (n, height, width), neighbours in the array best of the same person.

        ``listener`` counts the batches. Raises InputError for fewer than eight pairs, UsageError where
        PyTorch is not installed.
        """
        require("a learned restoration", "attack", "torch")
        if len(clear) < FEWEST:
            raise InputError(f"{len(clear)} pictures to learn from are too few; give at least {FEWEST}")
        both = np.concatenate([clear, clear[..., ::-1]]), np.concatenate([treated, treated[..., ::-1]])
        self._linear = _Linear(*both)
        self._network = _train(*both, _held_out(*both), epochs, seed, listener)

    def restore(self, treated: Pictures) -> Pictures:
        """Return pictures uint8 (n, height, width) as they may have been before the treatment."""
        import torch

        guess = self._linear.restore(treated)
        with one_thread(), torch.no_grad():
            parts = [
                _corrected(self._network, treated[i : i + _BATCH], guess[i : i + _BATCH])
                for i in range(0, len(treated), _BATCH)
            ]
        return np.asarray((torch.cat(parts) * 255).round().clamp(0, 255).numpy(), np.uint8)


class LearnedRestoration(RestorationAttack):
    """Trains on the very treatment it attacks, with faces of other people."""

    name: ClassVar[str] = "restore"

    def __init__(self, treatment: Treatment, *, epochs: int = EPOCHS, seed: int = 0) -> None:
        super().__init__(seed)
        self._treatment = treatment
        self._epochs = epochs

    @property
    def threat(self) -> Threat:
        """Whoever can treat pictures in the same way."""
        return Threat(
            goal=f"see the face behind {self._treatment.name}",
            knowledge=Knowledge.RETRAINED,
            capability="pictures of other people, treated alike, to train on; none of the victims",
        )

    def release(self, pictures: Pictures) -> Pictures:
        """Return one release of each picture."""
        return self._treatment.treat(pictures)[:, 0]

    def prepare(self, clear: Pictures, treated: Pictures, listener: Listener, /) -> Restorer:
        """Return the restorer trained on these pairs."""
        return LearnedRestorer(
            clear, treated, epochs=self._epochs, seed=self._seed, listener=listener
        ).restore


class _Linear:
    """Ridge regression from treated pictures, scaled down, to what the treatment took; in its dual form."""

    def __init__(self, clear: Pictures, treated: Pictures) -> None:
        rows = _rows(treated)
        taken = clear.astype(np.float64) - treated
        self._centre, self._mean = rows.mean(axis=0), taken.mean(axis=0)
        self._rows = rows - self._centre
        products = self._rows @ self._rows.T
        products[np.diag_indices_from(products)] += _RIDGE * max(np.trace(products) / len(rows), 1e-9)
        targets = (taken - self._mean).reshape(len(clear), -1)
        self._weights = np.linalg.solve(products, targets)

    def restore(self, treated: Pictures) -> Floats:
        """Return estimates float64 (n, height, width), 0..255."""
        alike = (_rows(treated) - self._centre) @ self._rows.T
        guess = treated + (alike @ self._weights).reshape(treated.shape) + self._mean
        return np.asarray(guess.clip(0, 255), np.float64)


def _rows(pictures: Pictures) -> Floats:
    return small(pictures).reshape(len(pictures), -1).astype(np.float64) / 255


def _held_out(clear: Pictures, treated: Pictures) -> Floats:
    """Return linear estimates of pictures that the estimator has not seen, nor their mirror images."""
    half = len(clear) // 2
    fold = np.tile(np.arange(half) * _FOLDS // half, 2)
    guess = np.empty(clear.shape, np.float64)
    for k in range(_FOLDS):
        guess[fold == k] = _Linear(clear[fold != k], treated[fold != k]).restore(treated[fold == k])
    return guess


def _train(
    clear: Pictures, treated: Pictures, guess: Floats, epochs: int, seed: int, listener: Listener
) -> Module:
    import torch

    order = np.random.default_rng(seed)
    with one_thread(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _network()
        optimiser = torch.optim.Adam(network.parameters(), lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
        starts = range(0, len(clear), _BATCH)
        for epoch in range(epochs):
            shuffled = order.permutation(len(clear))
            for batch, i in enumerate(starts, start=1):
                pick = shuffled[i : i + _BATCH]
                wanted = torch.from_numpy(clear[pick].astype(np.float32)) / 255
                optimiser.zero_grad()
                error = (_corrected(network, treated[pick], guess[pick]) - wanted).abs().mean()
                error.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                listener(epoch * len(starts) + batch, epochs * len(starts))
            schedule.step()
        return network.eval()


def _corrected(network: Module, treated: Pictures, guess: Floats) -> Tensor:
    """Return the linear guess with the network's correction, float32 (n, height, width), about 0..1."""
    import torch
    from torch.nn.functional import pad

    height, width = treated.shape[1:]
    seen = np.stack([treated, guess], axis=1).astype(np.float32) / 255
    given = pad(torch.from_numpy(seen), (0, -width % 4, 0, -height % 4), mode="replicate")
    correction: Tensor = network(given - 0.5)
    return (given[:, 1:] + correction)[:, 0, :height, :width]


def _network() -> Module:
    """Return the U-Net: two channels in, one out, three scales; it starts as no correction at all."""
    import torch
    from torch import nn

    def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
        return nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1), nn.LeakyReLU(0.1),
            nn.Conv2d(after, after, 3, 1, 1), nn.LeakyReLU(0.1),
        )  # fmt: skip

    class UNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            w = _WIDTH
            self.fine = nn.Sequential(nn.Conv2d(2, w, 3, 1, 1), nn.LeakyReLU(0.1))
            self.middle, self.coarse = block(w, 2 * w, 2), block(2 * w, 4 * w, 2)
            self.up = nn.Upsample(scale_factor=2, mode="bilinear")
            self.join_middle, self.join_fine = block(6 * w, 2 * w), nn.Conv2d(3 * w, w, 3, 1, 1)
            self.last = nn.Conv2d(w, 1, 3, 1, 1)
            nn.init.zeros_(self.last.weight)
            nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]  # it has a bias

        def forward(self, pictures: Tensor) -> Tensor:
            fine = self.fine(pictures)
            middle = self.middle(fine)
            coarse = self.coarse(middle)
            middle = self.join_middle(torch.cat([self.up(coarse), middle], dim=1))
            fine = nn.functional.leaky_relu(self.join_fine(torch.cat([self.up(middle), fine], dim=1)), 0.1)
            result: Tensor = self.last(fine)
            return result

    return UNet()
