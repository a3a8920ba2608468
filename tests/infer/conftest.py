"""Digits and the small networks that read them, shared by all ways of private inference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from tests.infer import networks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Digits:
    """Handwritten digits: images float32 (n, 1, side, side) in [0, 1], labels int64 (n,)."""

    train_images: NDArray[np.float32]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.float32]
    test_labels: NDArray[np.int64]


def load_digits(side: int) -> Digits:
    datasets = pytest.importorskip(
        "sklearn.datasets", reason="needs scikit-learn: pip install 'eyelid[attack]'"
    )
    images, labels = datasets.load_digits(return_X_y=True)
    small = (images.reshape(-1, 8, 8) / 16).astype(np.float32)
    sized = small if side == 8 else np.stack([cv2.resize(item, (side, side)) for item in small])
    order = np.random.default_rng(0).permutation(len(sized))
    x, y = sized[order][:, None], labels[order].astype(np.int64)
    return Digits(x[:1437], y[:1437], x[1437:], y[1437:])


@pytest.fixture(scope="session")
def digits() -> Digits:
    """scikit-learn's 1,797 digits, enlarged from 8 x 8 to 28 x 28 pixels."""
    return load_digits(28)


@pytest.fixture(scope="session")
def small_digits() -> Digits:
    """scikit-learn's 1,797 digits at their own 8 x 8 pixels."""
    return load_digits(8)


@pytest.fixture(scope="session")
def tutorial_onnx(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TenSEAL's tutorial network: conv 4@7x7/3 - square - fc 256-64 - square - fc 64-10."""
    nn = pytest.importorskip("torch", reason="needs torch: pip install 'eyelid[attack]'").nn
    layers = [nn.Conv2d(1, 4, 7, 3), networks.square(), nn.Flatten(), nn.Linear(256, 64)]
    layers += [networks.square(), nn.Linear(64, 10)]
    networks.train(layers, digits.train_images, digits.train_labels, epochs=15)
    return networks.write(layers, (1, 28, 28), tmp_path_factory.mktemp("tutorial") / "tutorial.onnx")


@pytest.fixture(scope="session")
def relu_onnx(digits: Digits, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same size with rectifiers: conv 4@7x7/3 - relu - fc 256-64 - relu - fc 64-10."""
    nn = pytest.importorskip("torch", reason="needs torch: pip install 'eyelid[attack]'").nn
    layers = [
        nn.Conv2d(1, 4, 7, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(256, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    ]
    networks.train(layers, digits.train_images, digits.train_labels, epochs=15)
    return networks.write(layers, (1, 28, 28), tmp_path_factory.mktemp("relu") / "relu.onnx")
