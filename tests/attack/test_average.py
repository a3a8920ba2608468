"""Averages of fresh noise give away what one release hides; a release that is held does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from eyelid.attack.average import AverageAttack, averaging
from eyelid.attack.treatment import Origin, Treatment
from eyelid.errors import UsageError
from tests.attack.faces import invented

if TYPE_CHECKING:
    from eyelid.attack.dataset import Picture

RNG = np.random.default_rng(0)


def noisy(picture: Picture) -> Picture:
    """Cells of 16 pixels under noise of ten times their own spread, at little contrast so as not to clip."""
    height, width = picture.shape
    cells = picture[8::16, 8::16].astype(np.float64)
    released = np.rint((cells - 128 + RNG.normal(0, 400, cells.shape)) / 16 + 128)
    shown = np.clip(released, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(shown, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def test_the_mean_of_many_is_near_the_truth() -> None:
    picture = np.full((64, 64), 200, np.uint8)
    truth = (200 - 128) / 16 + 128
    one, many = noisy(picture).astype(float), averaging(noisy, 400)(picture).astype(float)
    assert np.abs(many - truth).max() < 6 < np.abs(one - truth).max()


def test_an_attacker_averages_a_video_once() -> None:
    mean = averaging(noisy, 3)
    picture = np.zeros((32, 32), np.uint8)
    np.testing.assert_array_equal(mean(picture), mean(picture))


def test_averaging_names_people_that_one_frame_does_not() -> None:
    faces = invented(people=6, each=6)
    treatment = Treatment("noise", Origin.PUBLISHED, noisy)
    found = AverageAttack(treatment, frames=80, attackers=("discriminant",), seeds=2).measure(faces)
    assert found.averaged.success > found.single.success + 0.3
    assert found.averaged.beats_chance
    assert "one frame" in found.averaged.note
    assert found.averaged.attack == "frame averaging"


def test_progress_counts_the_trials_of_both() -> None:
    told: list[tuple[int, int]] = []
    attack = AverageAttack(
        Treatment("noise", Origin.PUBLISHED, noisy), frames=2, attackers=["nearest"], seeds=2
    )
    attack.measure(invented(people=3, each=4), listener=lambda done, of: told.append((done, of)))
    assert told == [(done, 8) for done in range(1, 9)]


def test_a_held_release_gives_nothing_to_average() -> None:
    faces = invented(people=6, each=6)
    held: dict[bytes, Picture] = {}

    def release(picture: Picture) -> Picture:
        return held.setdefault(picture.tobytes(), noisy(picture))

    treatment = Treatment("held", Origin.PUBLISHED, release)
    found = AverageAttack(treatment, frames=20, attackers=("discriminant",), seeds=2).measure(faces)
    assert found.averaged.success == found.single.success


@pytest.mark.parametrize("frames", [1, 0, -5])
def test_one_frame_is_no_average(frames: int) -> None:
    with pytest.raises(UsageError, match="at least two"):
        AverageAttack(Treatment("noise", Origin.PUBLISHED, noisy), frames=frames)
