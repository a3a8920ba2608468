"""The measure of a cloak: what it does to the recogniser it knows, and to those that it does not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from eyelid.attack.base import Knowledge
from eyelid.attack.cloak_transfer import (
    Boxes,
    Cloaked,
    CloakTransfer,
    Recogniser,
    Upload,
    cloak_probes,
    embed_network,
    recognisers,
    upload,
)
from eyelid.attack.dataset import Pictures
from eyelid.obfuscate.cloak import FOOLED, Cloak, CloakObfuscator
from eyelid.obfuscate.cloak_search import Embedder
from tests.attack.faces import invented

FACES = invented(people=6, each=3, height=48, width=40)


class Toy:
    """An embedder of sixteen fixed random directions, of the middle: a cloak leaves the corners."""

    def __init__(self, seed: int) -> None:
        weights = np.random.default_rng(seed).normal(size=(64, 16)).astype(np.float32)
        self._weights = torch.from_numpy(weights - weights.mean(axis=0))

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        down, across = pictures.shape[2] // 6, pictures.shape[3] // 6
        middle = pictures[:, :1, down:-down, across:-across] / 255
        return torch.nn.functional.adaptive_avg_pool2d(middle, 8).flatten(1) @ self._weights

    def embed(self, pictures: Pictures, _boxes: Boxes) -> NDArray[np.float64]:
        with torch.no_grad():
            rows = self(torch.from_numpy(pictures[:, None].astype(np.float32))).numpy().astype(np.float64)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


@pytest.fixture(scope="module")
def cloaked() -> Cloaked:
    """Probes under a cloak whose start, which users get from the operating system, is alike in each run."""
    drawn = np.random.default_rng
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CloakObfuscator, "_embedders", (Embedder(Toy(0), 32),))
        patch.setattr(np.random, "default_rng", lambda seed=0: drawn(seed))
        return cloak_probes(FACES, Cloak(levels=32, steps=60), people=5)


def test_probes_are_other_pictures_than_the_gallery_and_keep_to_the_bound(cloaked: Cloaked) -> None:
    clear, gallery = cloaked.clear, cloaked.gallery
    assert len(clear.people) == len(clear.boxes) == 5
    assert len(gallery.pictures) == 6
    assert not (clear.pictures[:, None] == gallery.pictures[None]).all(axis=(2, 3)).any()
    change = np.abs(cloaked.cloaked.astype(int) - clear.pictures)
    assert 0 < change.max() <= 32
    for probe, person in zip(clear.pictures, clear.people, strict=True):
        own = FACES.pictures[FACES.people == person]
        assert (own == probe).all(axis=(1, 2)).any()


def test_a_picture_without_a_face_is_taken_for_one_whole(cloaked: Cloaked) -> None:
    assert (cloaked.gallery.boxes == [0, 0, 40, 48]).all()


def test_the_known_recogniser_falls_and_the_note_says_how_it_was_before(cloaked: Cloaked) -> None:
    result = CloakTransfer(Recogniser("toy", Toy(0).embed, seen=True)).run(cloaked)
    assert result.success <= 0.6
    assert "without a cloak 1.000" in result.note
    assert result.chance == pytest.approx(1 / 6)
    assert "that the cloak fools" in result.threat.capability


def test_who_smooths_knows_the_method_and_gets_both_sides_smoothed(cloaked: Cloaked) -> None:
    given: list[Pictures] = []

    def embed(pictures: Pictures, boxes: Boxes) -> NDArray[np.float64]:
        given.append(pictures)
        return Toy(0).embed(pictures, boxes)

    attack = CloakTransfer(Recogniser("toy", embed, seen=True), smooths=True)
    assert attack.threat.knowledge is Knowledge.METHOD
    assert "smoothed" in attack.threat.capability
    attack.run(cloaked)
    for smoothed, original in zip(
        given, (cloaked.gallery.pictures, cloaked.cloaked, cloaked.clear.pictures), strict=True
    ):
        steps = [np.abs(np.diff(p.astype(int), axis=2)).mean() for p in (smoothed, original)]
        assert steps[0] < 0.7 * steps[1]


def test_what_ships_is_known_to_the_cloak_or_not() -> None:
    assert {r.name: r.seen for r in recognisers()} == {"faceres": True, "dlibface": True, "pixels": False}
    left_out = {r.name: r.seen for r in recognisers(("faceres",))}
    assert left_out == {"faceres": True, "dlibface": False, "pixels": False}


@pytest.mark.parametrize("name", FOOLED)
def test_a_network_looks_at_the_box_alone(name: str) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 96, 80)).astype(np.uint8)
    pictures[1, 24:72, 16:64] = pictures[0, 24:72, 16:64]
    box = np.array([[16, 24, 64, 72]] * 2, np.float32)
    inner = box if name == "faceres" else np.array([[24, 28, 56, 60]] * 2, np.float32)
    rows = embed_network(name, pictures, inner)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1)
    assert float(rows[0] @ rows[1]) == pytest.approx(1)
    beyond = embed_network(name, pictures, np.array([[-20, -20, 90, 110]] * 2, np.float32))
    assert float(beyond[0] @ beyond[1]) < 1 - 1e-6


def test_rows_come_in_the_order_of_the_pictures() -> None:
    faces = invented(people=11, each=3, height=48, width=40)
    boxes = np.tile(np.array([4, 4, 36, 44], np.float32), (len(faces.pictures), 1))
    rows = embed_network("dlibface", faces.pictures, boxes)
    for i in (0, 7, 8, 15, 32):
        alone = embed_network("dlibface", faces.pictures[i : i + 1], boxes[i : i + 1])
        assert int((rows @ alone[0]).argmax()) == i


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
