"""The networks of he.py: trained on the spot on scikit-learn's digits, with squares, as all engines have."""

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.infer import networks
from tests.infer.conftest import Digits, load_digits
from torch import nn

from eyelid.infer.network import Convolution, Linear, Network
from eyelid.infer.onnx_reader import read

TUTORIAL = {"LogN": 13, "LogQ": [29, *[26] * 5], "LogP": [29], "LogScale": 26, "H": 8192}
LENET = {"LogN": 14, "LogQ": [29, *[26] * 11], "LogP": [31] * 3, "LogScale": 26, "H": 8192}
"""Orion's fastest of those tried that are within 438 bits."""
DEEP = {"LogN": 14, "LogQ": [29, *[26] * 14], "LogP": [31], "LogScale": 26, "H": 8192}


@dataclass(frozen=True)
class Case:
    """A trained network with its images, and what Orion needs to run the same."""

    title: str
    digits: Digits
    network: Network
    file: Path
    layers: list[list[str | int]]
    primes: dict[str, object]


def tutorial(folder):
    layers = [nn.Conv2d(1, 4, 7, 3), networks.square(), nn.Flatten(), nn.Linear(256, 64)]
    layers += [networks.square(), nn.Linear(64, 10)]
    title = "conv 4@7x7/3 - square - fc 64 - square - fc 10 on 28 x 28"
    return _case(title, layers, load_digits(28), folder / "tutorial", 15, TUTORIAL)


def small(folder):
    layers = [nn.Conv2d(1, 4, 3), networks.square(), nn.Flatten(), nn.Linear(144, 32)]
    layers += [networks.square(), nn.Linear(32, 10)]
    title = "conv 4@3x3 - square - fc 32 - square - fc 10 on 8 x 8"
    return _case(title, layers, load_digits(8), folder / "small", 40, TUTORIAL)


def lenet(folder):
    layers = [nn.Conv2d(1, 6, 5, 1, 2), _norm(6), networks.square(), nn.AvgPool2d(2)]
    layers += [nn.Conv2d(6, 16, 5), _norm(16), networks.square(), nn.AvgPool2d(2), nn.Flatten()]
    layers += [nn.Linear(400, 120), networks.square(), nn.Linear(120, 84), networks.square()]
    title = "LeNet-5 (conv 6@5x5 - pool - conv 16@5x5 - pool - fc 120 - fc 84 - fc 10, squares) on 28 x 28"
    return _case(title, [*layers, nn.Linear(84, 10)], load_digits(28), folder / "lenet", 8, LENET)


def deep(folder):
    layers, inner = [], 3
    for out, stride in ((8, 1), (8, 2), (16, 1), (16, 2), (32, 1), (32, 2)):
        layers += [nn.Conv2d(inner, out, 3, stride, 1), _norm(out, 2.5), networks.square()]
        inner = out
    layers += [nn.AvgPool2d(4), nn.Flatten(), nn.Linear(32, 10)]
    title = "six convolutions (8, 8/2, 16, 16/2, 32, 32/2 @3x3, squares) - pool - fc 10 on 3 x 32 x 32"
    return _case(title, layers, coloured(load_digits(8)), folder / "deep", 10, DEEP, deep=True)


def coloured(digits):
    """Digits of one random colour on another, at random places, with noise; the training set four times."""
    random = np.random.default_rng(5)

    def painted(images):
        made = np.empty((len(images), 3, 32, 32), np.float32)
        for image, small in zip(made, images, strict=True):
            ink = paper = np.zeros(3)
            while np.abs(ink - paper).sum() < 1.5:
                ink, paper = random.random((2, 3))
            y, x = random.integers(0, 5, 2)
            mask = np.zeros((32, 32))
            mask[y : y + 28, x : x + 28] = np.clip(cv2.resize(small[0], (28, 28)), 0, 1)
            image[:] = ink[:, None, None] * mask + paper[:, None, None] * (1 - mask)
        return np.clip(made + random.normal(0, 0.03, made.shape), 0, 1).astype(np.float32)

    train = np.concatenate([painted(digits.train_images) for _ in range(4)])
    labels = np.tile(digits.train_labels, 4)
    return Digits(train, labels, painted(digits.test_images), digits.test_labels)


def _norm(channels, around=1.0):
    """Batch normalisation around a number other than 0, where a square has a slope."""
    layer = nn.BatchNorm2d(channels)
    nn.init.constant_(layer.bias, around)
    return layer


def _case(title, layers, digits, path, epochs, primes, *, deep=False):
    networks.train(layers, digits.train_images, digits.train_labels, epochs, deep=deep)
    network = read(networks.write(layers, digits.train_images.shape[1:], path.with_suffix(".onnx")))
    parts = [node.operation for node in network.nodes if isinstance(node.operation, Convolution | Linear)]
    arrays = {f"w{n}": part.weight for n, part in enumerate(parts)}
    arrays |= {f"b{n}": part.bias for n, part in enumerate(parts)}
    file = path.with_suffix(".npz")
    np.savez(file, x=digits.test_images, **arrays)
    return Case(title, digits, network, file, [_told(layer) for layer in layers if _told(layer)], primes)


def _told(layer):
    match layer:
        case nn.Conv2d():
            return ["conv", layer.stride[0], layer.padding[0]]
        case nn.Linear():
            return ["linear"]
        case nn.AvgPool2d():
            return ["pool", layer.kernel_size]
        case nn.Flatten():
            return ["flatten"]
        case nn.BatchNorm2d():
            return []
        case _:
            return ["square"]
