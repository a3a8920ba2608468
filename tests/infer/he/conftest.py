"""A gallery, its server, and the keys of two people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.infer.he import gallery, keys
from eyelid.infer.he.client import Client
from eyelid.infer.he.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.infer.he.gallery import GalleryOffer

PASSPHRASE = "correct horse"
DIMENSIONS = 16
VECTORS = 40


@pytest.fixture(autouse=True, scope="session")
def cheap_guesses() -> None:
    """Make keys open at once; what a guess costs is no matter of these tests."""
    keys.SCRYPT_N = 2**4


@pytest.fixture
def rng() -> np.random.Generator:
    """The numbers of one test, the same whichever tests run before it."""
    return np.random.default_rng(7)


@dataclass(frozen=True)
class Shop:
    """A served gallery of random vectors, and two clients with keys of their own."""

    vectors: NDArray[np.float64]
    offer: GalleryOffer
    server: Server
    client: Client[GalleryOffer]
    other: Client[GalleryOffer]
    folder: Path


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, cheap_guesses: None) -> Shop:
    folder = tmp_path_factory.mktemp("keys")
    vectors = gallery.normalised(np.random.default_rng(1).normal(size=(VECTORS, DIMENSIONS)), DIMENSIONS)
    names = tuple(f"person {n}" for n in range(VECTORS))
    offer = gallery.offer("people", "ab" * 32, VECTORS, DIMENSIONS, names, encrypted=False)
    server = Server(gallery.PlainGallery(offer, vectors))
    clients = []
    for name in ("a.key", "b.key"):
        keys.generate(folder / name, offer.artefact, offer.demands, PASSPHRASE)
        server.add_keys(keys.evaluation_path(folder / name).read_bytes())
        clients.append(Client(offer, keys.read(folder / name, PASSPHRASE)))
    return Shop(vectors, offer, server, clients[0], clients[1], folder)
