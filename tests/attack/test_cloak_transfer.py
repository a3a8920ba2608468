"""The measure of a cloak: what it does to the recogniser it knows, and to those that it does not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eyelid.attack.cloak_transfer import Cloaked, CloakTransfer, Recogniser, Upload, cloak_probes, upload
from eyelid.attack.dataset import Pictures
from eyelid.obfuscate.cloak import Cloak, CloakObfuscator
from tests.attack.faces import invented

FACES = invented(people=6, each=3, height=48, width=40)


class Toy:
    """An embedder of sixteen fixed random directions."""

    def __init__(self, seed: int) -> None:
        weights = np.random.default_rng(seed).normal(size=(64, 16)).astype(np.float32)
        self._weights = torch.from_numpy(weights - weights.mean(axis=0))

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.adaptive_avg_pool2d(pictures[:, :1] / 255, 8).flatten(1) @ self._weights

    def embed(self, pictures: Pictures) -> NDArray[np.float64]:
        with torch.no_grad():
            rows = self(torch.from_numpy(pictures[:, None].astype(np.float32))).numpy().astype(np.float64)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def cloaked() -> Cloaked:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CloakObfuscator, "_embedders", (Toy(0),))
        return cloak_probes(FACES, Cloak(levels=32, steps=20), people=5)


def test_probes_are_other_pictures_than_the_gallery_and_keep_to_the_bound(cloaked: Cloaked) -> None:
    assert len(cloaked.people) == 5
    assert len(cloaked.gallery) == 6
    assert not (cloaked.clear[:, None] == cloaked.gallery[None]).all(axis=(2, 3)).any()
    change = np.abs(cloaked.cloaked.astype(int) - cloaked.clear)
    assert 0 < change.max() <= 32
    for probe, person in zip(cloaked.clear, cloaked.people, strict=True):
        own = FACES.pictures[FACES.people == person]
        assert (own == probe).all(axis=(1, 2)).any()


def test_the_known_recogniser_falls_and_the_note_says_how_it_was_before(cloaked: Cloaked) -> None:
    result = CloakTransfer(Recogniser("toy", Toy(0).embed, seen=True)).run(cloaked)
    assert result.success <= 0.4
    assert "without a cloak 1.000" in result.note
    assert result.chance == pytest.approx(1 / 6)
    assert "that the cloak fools" in result.threat.capability


def test_a_stranger_is_named_as_one(cloaked: Cloaked) -> None:
    attack = CloakTransfer(Recogniser("other", Toy(9).embed, seen=False), Upload.HALF)
    assert "another recogniser: other" in attack.threat.capability
    assert attack.run(cloaked).note.startswith("half size, JPEG 85")


@pytest.mark.parametrize("how", list(Upload))
def test_an_upload_keeps_size_and_likeness(how: Upload) -> None:
    picture = FACES.pictures[0]
    sent = upload(picture, how)
    assert sent.shape == picture.shape
    assert sent.dtype == np.uint8
    assert np.array_equal(sent, picture) == (how is Upload.NONE)
    assert np.abs(sent.astype(int) - picture).mean() < 12
