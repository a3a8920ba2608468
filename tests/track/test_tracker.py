"""The tracker as its caller sees it: one plan a frame, in order, and nothing that was visible flashes."""

from __future__ import annotations

import pytest

from eyelid.track.tracker import LOST
from tests.track.world import Detector, Found, film, found, linear, new_tracker, run, share_covered


def test_a_seen_face_is_covered_in_every_frame() -> None:
    truth, finds = film([linear(50, 100, 80, 20, 40)], Detector(every=5), 60)
    for boxes, plan in zip(truth, run(finds), strict=True):
        assert boxes[0] is not None
        assert share_covered(boxes[0], plan) > 0.99


def test_frames_must_come_in_order() -> None:
    tracker = new_tracker()
    tracker.push(3, 0.0, None, cut=False)
    with pytest.raises(ValueError, match="in order"):
        tracker.push(3, 0.1, None, cut=False)


def test_lost_covers_to_the_next_good_looks() -> None:
    finds: list[Found] = [found([]) if i % 5 == 0 else None for i in range(40)]
    finds[15] = LOST
    covered = [p.index for p in run(finds) if p.cover_frame]
    assert covered == list(range(11, 20))
