"""A small convolutional network, trained anew on each method (after McPherson et al., arXiv 1609.00408)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.attack.attacker import Attacker, Rows, Scores, Training, small
from eyelid.attack.base import Knowledge
from eyelid.models.extras import require

if TYPE_CHECKING:
    import torch
    from torch import nn

    from eyelid.attack.dataset import Pictures

_SIDE: Final = 28
_CHANNELS: Final = (16, 32, 64)
_HIDDEN: Final = 128
_EPOCHS: Final = 30
_BATCH: Final = 32
_RATE: Final = 0.01


class NetworkAttacker(Attacker):
    """Three convolutions and two dense layers; every epoch sees another release of each picture.

    The published network is wider and takes 100 epochs; batch normalisation and a learning rate that rises
    and falls get there in 30, on pictures of 28 pixels.
    """

    name = "network"
    levels = frozenset({Knowledge.RETRAINED})
    seeds = 3

    def features(self, pictures: Pictures) -> Rows:
        """Return square pictures of 28 pixels a side, centred on 0, one a row."""
        shown = small(pictures, _SIDE)
        height, width = shown.shape[1:]
        framed = np.full((len(shown), _SIDE, _SIDE), 128.0, np.float32)
        framed[:, :height, :width] = shown
        return np.asarray((framed.reshape(len(shown), -1) - 128) / 64, np.float32)

    def scores(self, training: Training, probes: Rows) -> Scores:
        """Train from the same start each time, and return the network's logits."""
        require(f"the attacker {self.name}", "attack", "torch")
        import torch

        people, labels = np.unique(training.people, return_inverse=True)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # so small a network waits for its threads longer than they help
        try:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(0)
                network = _train(torch.from_numpy(training.features), torch.from_numpy(labels), len(people))
            with torch.no_grad():
                return np.asarray(network(_as_pictures(torch.from_numpy(probes))), np.float64)
        finally:
            torch.set_num_threads(threads)


def _train(features: torch.Tensor, labels: torch.Tensor, people: int) -> nn.Module:
    import torch
    from torch import nn

    network = _network(people)
    steps = _EPOCHS * -(-len(labels) // _BATCH)
    optimiser = torch.optim.SGD(network.parameters(), lr=_RATE, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=_RATE, total_steps=steps)
    network.train()
    for _ in range(_EPOCHS):
        for batch in torch.split(torch.randperm(len(labels)), _BATCH):
            release = torch.randint(features.shape[1], (len(batch),))
            logits = network(_as_pictures(features[batch, release]))
            optimiser.zero_grad()
            nn.functional.cross_entropy(logits, labels[batch]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return network.eval()


def _network(people: int) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = []
    channels, side = 1, _SIDE
    for wider in _CHANNELS:
        layers += [
            nn.Conv2d(channels, wider, 3, padding=1),
            nn.BatchNorm2d(wider),
            nn.LeakyReLU(0.01),
            nn.MaxPool2d(2, ceil_mode=True),
        ]
        channels, side = wider, -(-side // 2)
    dense = [nn.Flatten(), nn.Dropout(), nn.Linear(channels * side**2, _HIDDEN), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers, *dense, nn.Dropout(), nn.Linear(_HIDDEN, people))


def _as_pictures(rows: torch.Tensor) -> torch.Tensor:
    return rows.reshape(-1, 1, _SIDE, _SIDE)
