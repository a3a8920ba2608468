"""Frames in which something is still found are told with their times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.attack.redetect import RedetectAttack
from eyelid.detect.base import Detector
from eyelid.errors import UsageError
from eyelid.types import Detections, RawFrame, Target
from tests.media.clips import Clip
from tests.media.jpegs import save

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Bright(Detector):
    """Finds a face where the frame's index is chosen, with the score that is given."""

    name = "bright"
    targets = frozenset({Target.FACE})

    def __init__(self, indices: Sequence[int], score: float = 0.9) -> None:
        self._indices, self._score = indices, score
        self.looked = 0

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        self.looked += len(frames)
        return [
            Detections(
                np.array([[0, 0, 9, 9]], np.float32), np.array([self._score], np.float32), (Target.FACE,)
            )
            if frame.index in self._indices
            else Detections.none()
            for frame in frames
        ]


def test_times_of_what_is_found(tmp_path: Path) -> None:
    path = Clip(frames=25).write(tmp_path / "a.mp4")
    attack = RedetectAttack([Target.FACE], every=0, detectors=[Bright([3, 10])])
    found = attack.measure(path)
    assert found.frames == 25
    assert found.times == pytest.approx((0.12, 0.4))
    result = attack.run(path)
    assert result.success == pytest.approx(2 / 25)
    assert result.interval[0] < 2 / 25 < result.interval[1]
    assert "face in 2 of 25 frames" in result.note


def test_frames_between_are_left_out(tmp_path: Path) -> None:
    path = Clip(frames=25).write(tmp_path / "a.mp4")
    detector = Bright(range(25))
    assert RedetectAttack([Target.FACE], every=0.2, detectors=[detector]).measure(path).frames == 5
    assert detector.looked == 5


@pytest.mark.parametrize(("score", "expected"), [(0.29, 0), (0.3, 1), (0.31, 1)])
def test_the_threshold(score: float, expected: int, tmp_path: Path) -> None:
    detector = Bright([0], float(np.float32(score)))
    found = RedetectAttack([Target.FACE], detectors=[detector], threshold=float(np.float32(0.3))).measure(
        save(tmp_path / "a.jpg")
    )
    assert len(found.times) == expected
    assert found.seen[0].best_score == pytest.approx(score)


def test_the_original_gives_the_base_rate(tmp_path: Path) -> None:
    path = Clip(frames=10).write(tmp_path / "a.mp4")
    longer = Clip(frames=20).write(tmp_path / "b.mp4")
    attack = RedetectAttack([Target.FACE], every=0, detectors=[Bright([1, 15])], original=longer)
    found = attack.measure(path)
    assert found.original is not None
    assert [len(one.times) for one in found.original] == [2]
    assert "in the original face in 2 of 20 frames" in attack.run(path).note


def test_targets_not_asked_for_do_not_count(tmp_path: Path) -> None:
    found = RedetectAttack([Target.PERSON], detectors=[Bright([0])]).measure(save(tmp_path / "a.jpg"))
    assert found.times == ()


def test_the_shipped_detectors_find_nobody_in_noise(tmp_path: Path) -> None:
    assert RedetectAttack(threads=1).run(save(tmp_path / "a.jpg", width=160, height=120)).success == 0


def test_wrong_settings() -> None:
    for every, threshold in ((-1.0, 0.3), (float("nan"), 0.3), (float("inf"), 0.3), (1.0, 0.0), (1.0, 1.5)):
        with pytest.raises(UsageError):
            RedetectAttack([Target.FACE], detectors=[Bright([])], every=every, threshold=threshold)
    with pytest.raises(UsageError, match="no target"):
        RedetectAttack([], detectors=[Bright([])])
