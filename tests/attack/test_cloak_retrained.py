"""Who learns from cloaked pictures sees through a cloak; who enrols clear ones alone does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch

from eyelid.attack import cloak_retrained
from eyelid.attack.base import Knowledge
from eyelid.attack.cloak_retrained import LESSONS, CloakRetrained, Lessons, prepare, retrain
from eyelid.attack.cloak_transfer import (
    Cloaked,
    CloakTransfer,
    Portraits,
    Recogniser,
    Upload,
    cloak_probes,
    unit,
)
from eyelid.errors import UsageError
from eyelid.models import extras
from eyelid.obfuscate.cloak import Cloak, CloakObfuscator
from eyelid.obfuscate.cloak_search import Embedder
from tests.attack.faces import invented

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.attack.cloak_transfer import Boxes
    from eyelid.attack.dataset import Pictures

HEIGHT, WIDTH, PEOPLE = 48, 40, 24
RANDOM = np.random.default_rng(5)
WEAK = RANDOM.choice([-1.0, 1.0], (3, HEIGHT // 4, WIDTH // 4)).repeat(4, axis=1).repeat(4, axis=2)
"""Three patterns to which the stand-in recogniser is far too sensitive, as networks are."""


def embed(pictures: Pictures, _boxes: Boxes) -> NDArray[np.float64]:
    """Return eight by eight cells, and what the picture has of the patterns, ten times too loud."""
    cells = [cv2.resize(p, (8, 8), interpolation=cv2.INTER_AREA).ravel() / 255.0 - 0.5 for p in pictures]
    weak = np.einsum("nij,kij->nk", pictures / 255.0 - 0.5, WEAK) / WEAK[0].size
    return unit(np.hstack([np.stack(cells), 200 * weak]))


def cloaked(pictures: Pictures, seed: int) -> Pictures:
    """Return what a perfect cloak against this recogniser makes of pictures: each gets a draw of its own."""
    signs = np.random.default_rng(seed).normal(size=(len(pictures), 3))
    change = np.einsum("nk,kij->nij", signs, WEAK)
    change *= 8 / np.abs(change).max(axis=(1, 2), keepdims=True)
    return np.asarray(np.clip(np.rint(pictures + change), 0, 255), np.uint8)


def portraits(which: int) -> Portraits:
    faces = invented(people=PEOPLE, each=3, height=HEIGHT, width=WIDTH)
    boxes = np.tile(np.array([0, 0, WIDTH, HEIGHT], np.float32), (PEOPLE, 1))
    return Portraits(faces.pictures[which::3], boxes, faces.people[which::3])


PROBES, GALLERY = portraits(0), portraits(1)
TARGET = Cloaked(PROBES, cloaked(PROBES.pictures, seed=1), GALLERY)
STAND_IN = Recogniser("stand-in", embed, seen=True)


def lessons(count: int = LESSONS) -> Lessons:
    some = Portraits(GALLERY.pictures[:count], GALLERY.boxes[:count], GALLERY.people[:count])
    return Lessons(some, cloaked(some.pictures, seed=2))


def success(recogniser: Recogniser, upload: Upload = Upload.NONE) -> float:
    return CloakRetrained(recogniser, upload).run(TARGET).success


@pytest.mark.parametrize("upload", [Upload.NONE, Upload.HALF])
def test_who_learns_names_people_whom_the_others_do_not(upload: Upload) -> None:
    naive = CloakTransfer(STAND_IN, upload).run(TARGET).success
    smooths = CloakTransfer(STAND_IN, upload, smooths=True).run(TARGET).success
    idle = lessons()
    clear_alone = Lessons(idle.clear, idle.clear.pictures)
    assert max(naive, smooths, success(retrain(clear_alone, [STAND_IN]), upload)) < 0.5
    assert success(retrain(lessons(), [STAND_IN]), upload) > 0.9


def test_what_it_learns_holds_for_people_who_were_not_cloaked() -> None:
    few = retrain(lessons(6), [STAND_IN])
    others = np.arange(6, PEOPLE)
    probes = Portraits(PROBES.pictures[others], PROBES.boxes[others], PROBES.people[others])
    result = CloakRetrained(few).run(Cloaked(probes, TARGET.cloaked[others], GALLERY))
    assert result.success > 0.7


def test_it_says_what_it_knows() -> None:
    learnt = retrain(lessons(), [STAND_IN, Recogniser("cells", embed, seen=False)])
    measured = CloakRetrained(learnt, Upload.HALF).measure(TARGET)
    assert measured.result.attack == "cloak-retrained"
    assert measured.result.threat.knowledge is Knowledge.RETRAINED
    assert "same tool" in measured.result.threat.capability
    assert measured.result.note.startswith(
        "half size, JPEG 85; rank-1 of the same pictures without a cloak 1.0"
    )
    assert (measured.recogniser, measured.seen) == ("all together", False)
    assert measured.result.chance == pytest.approx(1 / PEOPLE)


class Cells:
    """A differentiable recogniser: eight by eight cells in sixteen random directions."""

    def __init__(self) -> None:
        self._weights = torch.from_numpy(RANDOM.normal(size=(64, 16)).astype(np.float32))

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.adaptive_avg_pool2d(pictures[:, :1] / 255 - 0.5, 8)
        return cells.flatten(1) @ self._weights


def test_it_runs_the_very_same_cloak_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CloakObfuscator, "_embedders", (Embedder(Cells(), 32),))
    made: list[tuple[Cloak, tuple[str, ...]]] = []
    usual = CloakObfuscator.__init__

    def noted(self: CloakObfuscator, parameters: Cloak, *, against: tuple[str, ...]) -> None:
        made.append((parameters, against))
        usual(self, parameters, against=against)

    monkeypatch.setattr(CloakObfuscator, "__init__", noted)
    counted: list[tuple[int, int]] = []
    method = Cloak(levels=11, steps=12)
    first, again = (
        prepare(
            GALLERY, method, 5, seed=4, against=("faceres",), listener=lambda *count: counted.append(count)
        )
        for _ in range(2)
    )
    assert made == [(Cloak(levels=11, steps=10), ("faceres",))] * 2  # ten teach as much
    assert counted == [(n, 5) for n in range(1, 6)] * 2
    assert len(set(first.clear.people.tolist())) == 5
    assert np.array_equal(first.clear.pictures, again.clear.pictures)
    assert not np.array_equal(first.cloaked, again.cloaked)  # a start of its own, as the user's
    change = np.abs(first.cloaked.astype(int) - first.clear.pictures)
    assert change.max(axis=(1, 2)).tolist() == [11] * 5
    for picture, person in zip(first.clear.pictures, first.clear.people, strict=True):
        assert np.array_equal(picture, GALLERY.pictures[GALLERY.people == person][0])


def test_no_probe_is_in_the_gallery_that_it_cloaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CloakObfuscator, "_embedders", (Embedder(Cells(), 32),))
    faces = invented(people=6, each=3, height=HEIGHT, width=WIDTH)
    target = cloak_probes(faces, Cloak(steps=1), people=6)
    own = prepare(target.gallery, Cloak(steps=1))
    assert len(own.cloaked) == 6
    assert not (own.clear.pictures[:, None] == target.clear.pictures[None]).all(axis=(2, 3)).any()


def test_without_pytorch_it_says_so_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(
        UsageError, match=r"learns from cloaked pictures needs eyelid\[cloak\] \(torch missing"
    ):
        prepare(GALLERY, Cloak())


def test_the_axes_along_which_nothing_moves_stay() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 20))
    assert np.allclose(cloak_retrained._less(np.zeros((4, 20)))(rows), rows)
    moved = np.zeros((4, 20))
    moved[:, 3] = [5, -5, 4, 3]
    left = cloak_retrained._less(moved)(rows)
    assert np.allclose(np.delete(left, 3, axis=1), np.delete(rows, 3, axis=1))
    assert (np.abs(left[:, 3]) < 0.35 * np.abs(rows[:, 3])).all()
