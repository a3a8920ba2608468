"""The tracker as its caller sees it: order, delay, memory, failures, scores, cuts, ids."""

from __future__ import annotations

import gc
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from eyelid.track.link import Sight, Track
from eyelid.track.settings import OnLost, TrackSettings
from eyelid.track.tracker import LOST
from eyelid.types import Detections, Target
from tests.track.world import (
    HEIGHT,
    RATE,
    WIDTH,
    Detector,
    Found,
    accelerated,
    during,
    film,
    found,
    linear,
    new_tracker,
    run,
    share_covered,
)

if TYPE_CHECKING:
    from eyelid.track.plan import FramePlan

FACE = (300.0, 150.0, 340.0, 200.0)
OTHER = (60.0, 60.0, 100.0, 110.0)


def still(frames: int, seen: set[int], every: int = 1) -> list[Found]:
    """A face that does not move, detected in the frames ``seen``."""
    return [found([FACE] if i in seen else []) if i % every == 0 else None for i in range(frames)]


def covered(plans: list[FramePlan]) -> list[int]:
    return [p.index for p in plans if share_covered(FACE, p) > 0.99]


def whole(plans: list[FramePlan]) -> list[int]:
    return [p.index for p in plans if p.cover_frame]


# Brief targets: gaps and holds of a third of the others'.

BRIEF = TrackSettings(brief=frozenset({Target.FACE}))


@pytest.mark.parametrize(("gap", "filled"), [(8, True), (12, True), (14, False), (37, False)])
def test_a_brief_target_is_filled_over_a_third_of_the_gap(gap: int, filled: bool) -> None:
    seen = {50, 50 + gap}
    between = [i for i in covered(run(still(150, seen), settings=BRIEF)) if 50 < i < 50 + gap]
    hold = int(BRIEF.hold_s / 3 * RATE)
    assert (between == list(range(51, 50 + gap))) == (filled or gap <= 2 * hold + 1)
    assert [i for i in covered(run(still(150, seen))) if 50 < i < 50 + gap] == list(range(51, 50 + gap))


def test_a_brief_target_is_held_for_a_third_of_the_time() -> None:
    alone, usual = (covered(run(still(150, {70}), settings=s)) for s in (BRIEF, None))
    hold = int(BRIEF.hold_s / 3 * RATE)
    assert alone == list(range(70 - hold, 71 + hold))
    assert len(usual) > 2 * len(alone)


def test_other_targets_keep_their_time() -> None:
    finds = still(150, {20, 50})
    for brief in (frozenset[Target](), frozenset({Target.VEHICLE, Target.PLATE})):
        plans = run(finds, settings=TrackSettings(brief=brief))
        assert covered(plans) == covered(run(finds))


# One plan a frame, in order, bounded.

anything = st.one_of(
    st.none(),
    st.just(LOST),
    st.lists(
        st.sampled_from([FACE, OTHER, (5.0, 5.0, 5.0, 5.0), (-50.0, 0.0, 900.0, 400.0)]), max_size=3
    ).map(lambda boxes: found(boxes, 0.9)),
)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(anything, st.floats(-0.1, 0.5), st.booleans()), max_size=50),
    st.integers(0, 12),
    st.floats(0, 2),
    st.sampled_from(OnLost),
)
def test_one_plan_a_frame_in_order_and_not_late(
    frames: list[tuple[Found, float, bool]], look_ahead: int, seconds: float, on_lost: OnLost
) -> None:
    """Whatever is pushed, with times that even run backwards."""
    tracker = new_tracker(TrackSettings(look_ahead_frames=look_ahead, look_ahead_s=seconds, on_lost=on_lost))
    time, plans = 0.0, []
    for i, (find, step, cut) in enumerate(frames):
        time += step
        plans += tracker.push(i, time, find, cut)
        assert i + 1 - len(plans) <= look_ahead
    plans += tracker.finish()
    assert [p.index for p in plans] == list(range(len(frames)))
    for (find, _, _), plan in zip(frames, plans, strict=True):
        assert find is not LOST or plan.cover_frame
        assert np.isfinite(plan.detections.boxes).all()
        tracks = plan.detections.tracks.tolist()
        assert sorted(set(tracks)) == tracks
        assert 0 <= plan.held <= len(tracks)
        if isinstance(find, Detections):
            for box in find.boxes.tolist():
                if box in (list(FACE), list(OTHER)):
                    assert share_covered((box[0], box[1], box[2], box[3]), plan) > 0.99


def test_frames_must_come_in_order() -> None:
    tracker = new_tracker()
    tracker.push(3, 0.0, None, cut=False)
    with pytest.raises(ValueError, match="in order"):
        tracker.push(3, 0.1, None, cut=False)


def test_memory_does_not_grow_over_100_000_frames() -> None:
    """A track that lasts, tracks that come and go, weak noise: as many objects at the end as early."""
    tracker = new_tracker(TrackSettings(look_ahead_frames=10))
    random = np.random.default_rng(0)
    sizes, alive = [], []
    nothing = found([])
    for i in range(100_000):
        find = nothing if i % 5 == 0 else None
        if i % 20 == 0 and i % 1000 < 400:
            x, y = random.uniform(0, 500, 2).tolist()
            find = found([FACE, (x, y, x + 30, y + 30)], [0.9, 0.9 if i % 100 == 0 else 0.2])
        tracker.push(i, i / RATE, find, cut=i % 9000 == 8999)
        if i % 20_000 == 19_999:
            objects = gc.get_objects()
            alive.append(sum(isinstance(o, Track | Sight) for o in objects))
            sizes.append(len(objects))
    assert max(alive) <= 200
    assert max(sizes) - min(sizes) < 500


def test_same_input_same_plans() -> None:
    _, finds = film([linear(50, 100, 80, 20, 40)], Detector(every=2, dropout=0.3, jitter=0.05), 60)
    first, second = run(finds), run(finds)
    for a, b in zip(first, second, strict=True):
        assert (a.detections.boxes == b.detections.boxes).all()
        assert (a.detections.tracks == b.detections.tracks).all()


@pytest.mark.parametrize("time", [float("nan"), float("inf"), -1.0])
def test_a_broken_clock_does_not_break_the_plan(time: float) -> None:
    tracker = new_tracker(TrackSettings(look_ahead_frames=4))
    plans = []
    for i in range(20):
        plans += tracker.push(i, time if i == 7 else i / RATE, found([FACE]), cut=False)
    plans += tracker.finish()
    assert covered(plans) == list(range(20))


def test_gap_below_two_holds_is_refused() -> None:
    with pytest.raises(ValidationError, match="flash clean"):
        TrackSettings(hold_s=1.0, gap_s=1.5)


# Before, between and after detections.


def test_extended_before_the_first_and_after_the_last_detection() -> None:
    plans = run(still(100, set(range(40, 50))))
    assert covered(plans) == list(range(40 - 12, 50 + 12))  # hold_s = 0.5 s = 12 whole frames
    assert [p.held for p in plans][38:52] == [1, 1] + [0] * 10 + [1, 1]


def test_extension_grows_with_time() -> None:
    plans = run(still(100, set(range(40, 50))))
    widths = [float(np.ptp(p.detections.boxes[0, ::2])) for p in plans[49:61]]
    assert widths[0] == pytest.approx(40)
    assert all(b > a for a, b in pairwise(widths))


def test_extension_follows_the_motion() -> None:
    truth, finds = film([linear(100, 180, 100, 0, 40)], Detector(), 60)
    blind_from = [find if i < 40 else found([]) for i, find in enumerate(finds)]
    for i, plan in enumerate(run(blind_from)[:50]):
        box = truth[i][0]
        assert box is not None
        assert share_covered(box, plan) > 0.99


def test_a_gap_is_filled_and_a_long_absence_is_not() -> None:
    filled = run(still(150, {*range(30), *range(66, 150)}))  # 36 frames without, 1.48 s between detections
    assert covered(filled) == list(range(150))
    absent = run(still(150, {*range(30), *range(80, 150)}))
    assert covered(absent) == [*range(30 + 12), *range(80 - 12, 150)]


def test_rare_looks_hold_until_the_next_look() -> None:
    """One look a second, longer than hold_s: nobody looked in between, so nothing is let go."""
    settings = TrackSettings(look_ahead_s=1.5)
    plans = run(still(150, {75}, every=25), settings=settings)
    assert covered(plans) == list(range(51, 100))


def test_fast_small_face_is_one_way_even_without_overlap() -> None:
    """Three box sides between looks: no two boxes overlap, yet the way between them is covered."""
    truth, finds = film([linear(50, 100, 225, 0, 15)], Detector(every=5), 60)
    for boxes, plan in zip(truth[:56], run(finds), strict=False):
        assert boxes[0] is not None
        assert share_covered(boxes[0], plan) > 0.8


def test_a_doubtful_successor_does_not_end_the_hold() -> None:
    """A face is lost while another appears near by: the first is held, as if the second were a stranger."""
    near = tuple(v + 90 for v in FACE)
    finds = [found([FACE]) if i < 30 else found([(near[0], near[1], near[2], near[3])]) for i in range(60)]
    assert set(range(42)) <= set(covered(run(finds)))


def test_the_way_to_a_doubtful_successor_is_covered() -> None:
    """Seen once, and 1.2 s later 2.5 box sides away: perhaps the same face, which then was between."""
    later = (FACE[0] + 110, FACE[1], FACE[2] + 110, FACE[3])
    between = (FACE[0] + 55, FACE[1], FACE[2] + 55, FACE[3])
    finds = [found([FACE] if i == 50 else [later] if i >= 80 else []) for i in range(120)]
    assert share_covered(between, run(finds)[65]) > 0.99


def test_a_fast_face_is_covered_before_its_first_detection() -> None:
    """Its second detection, three box sides on, says how fast it came."""
    truth, finds = film([during(linear(50, 100, 225, 0, 15), 1.04, 9)], Detector(every=5), 60)
    for boxes, plan in list(zip(truth, run(finds), strict=True))[27:56]:
        assert boxes[0] is not None
        assert share_covered(boxes[0], plan) > 0.8


def test_a_thing_seen_once_may_be_fast() -> None:
    """In the picture for seven frames, with one look."""
    truth, finds = film([during(linear(50, 100, 120, 0, 40), 1.08, 1.36)], Detector(every=5), 60)
    shares = [share_covered(t[0], plan) for t, plan in zip(truth, run(finds), strict=True) if t[0]]
    assert len(shares) == 7
    assert min(shares) > 0.8


def test_a_fast_face_keeps_its_id_once_its_speed_is_known() -> None:
    _, finds = film([linear(50, 100, 160, 0, 40)], Detector(every=5), 90)
    ids = [p.detections.tracks.tolist() for p in run(finds)]
    assert all(track == ids[30] for track in ids[30:])
    assert len(ids[30]) == 1


def test_a_face_that_gathers_speed_keeps_its_id() -> None:
    """From rest to ten box sides a second: only its latest speed says where to look for it."""
    _, finds = film([accelerated(50, 100, 0, 0, 60, 0, 15)], Detector(every=5), 65)
    assert {tuple(p.detections.tracks.tolist()) for p in run(finds)} == {(0,)}


def test_ids_count_from_zero_in_order_of_appearance() -> None:
    finds = [found([OTHER, FACE] if i >= 40 else [OTHER]) for i in range(100)]
    finds[60:] = [found([FACE])] * 40
    plans = run(finds)
    by_id = {
        int(track): tuple(box)
        for p in plans
        for track, box in zip(p.detections.tracks, p.detections.boxes.tolist(), strict=True)
        if p.held == 0
    }
    assert by_id == {0: OTHER, 1: FACE}


def test_targets_do_not_mix() -> None:
    finds: list[Found] = [
        found([FACE], target=Target.FACE if i % 20 < 10 else Target.PLATE) for i in range(60)
    ]
    for plan in run(finds):
        pairs = set(zip(plan.detections.targets, plan.detections.tracks.tolist(), strict=True))
        assert pairs == {(Target.FACE, 0), (Target.PLATE, 1)}


def test_polygons_are_kept_and_carried_between() -> None:
    def plate(x: float, turn: int) -> Detections:
        corners = np.array([(x, 100), (x + 60, 110), (x + 58, 130), (x - 2, 120)], np.float32)
        box = (float(x - 2), 100.0, float(x + 60), 130.0)
        return replace(found([box], target=Target.PLATE), polygons=(np.roll(corners, turn, axis=0),))

    plans = run([plate(100, 0), None, None, None, plate(120, 1)])
    for plan in plans:
        (polygon,) = plan.detections.polygons
        assert polygon is not None
        assert len(polygon) == 4
    middle = plans[2].detections.polygons[0]
    assert middle is not None
    # where the corner comes first does not matter: the outline is the one halfway, a little larger
    assert middle[:, 0].min() == pytest.approx(108, abs=11)
    assert middle[:, 0].max() == pytest.approx(170, abs=11)
    assert middle[:, 0].min() <= 108
    assert middle[:, 0].max() >= 170


# Scores.


def test_weak_noise_starts_no_track() -> None:
    random = np.random.default_rng(1)
    finds: list[Found] = []
    for _ in range(100):
        corner = random.uniform(0, 300, (6, 2))
        boxes = [(x, y, x + 30, y + 30) for x, y in corner.tolist()] + [FACE]
        finds.append(found(boxes, 0.59))
    assert all(len(p.detections) == 0 for p in run(finds))


def test_weak_detections_continue_a_track() -> None:
    finds = [found([FACE], 0.9 if i == 0 else 0.2) for i in range(100)]
    assert covered(run(finds)) == list(range(100))
    assert {len(p.detections) for p in run(finds)} == {1}


def test_a_weak_beginning_counts_once_one_detection_is_strong() -> None:
    finds = [found([FACE], 0.9 if i >= 45 else 0.3) if i >= 25 else found([]) for i in range(60)]
    first = covered(run(finds))[0]
    assert first == 20  # the look-ahead reaches from 45 back to 20, the chain to 25 and its hold further


def test_each_target_has_its_own_start_score() -> None:
    finds: list[Found] = [found([FACE], 0.3, Target.TEXT)] * 10  # TEXT has no start score here: any will do
    assert covered(run(finds)) == list(range(10))


# Failures.


@pytest.mark.parametrize("every", [1, 2, 5])
def test_failed_detection_covers_until_the_good_ones_around_it(every: int) -> None:
    finds: list[Found] = [found([]) if i % every == 0 else None for i in range(60)]
    finds[30] = LOST
    plans = run(finds)
    assert whole(plans) == list(range(30 - every + 1, 30 + every))
    assert whole(plans) == [p.index for p in plans if p.blind]


def test_failure_at_the_edges_of_a_shot() -> None:
    finds: list[Found] = [found([]) if i % 5 == 0 else None for i in range(40)]
    finds[0] = finds[20] = finds[35] = LOST
    assert whole(run(finds, cuts=[20])) == [*range(5), *range(20, 25), *range(31, 40)]


def test_a_shot_without_any_look_is_covered_whole() -> None:
    finds: list[Found] = [found([]) if i % 5 == 0 else None for i in range(40)]
    assert whole(run(finds, cuts=[21, 23])) == [21, 22]


def test_a_detector_that_stops_running_ends_in_whole_frames() -> None:
    finds: list[Found] = [found([FACE]) if i < 30 else None for i in range(120)]
    assert set(range(56, 120)) <= set(whole(run(finds)))
    assert covered(run(finds)) == list(range(120))


def test_no_detector_at_all_is_covered_whole() -> None:
    assert whole(run([None] * 10)) == list(range(10))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("where", ["box", "score"])
def test_values_that_are_not_finite_count_as_failed(bad: float, where: str) -> None:
    finds: list[Found] = [found([FACE]) for _ in range(30)]
    finds[10] = found([FACE, (bad, 1, 2, 3)]) if where == "box" else found([FACE, OTHER], [0.9, bad])
    plans = run(finds)
    assert whole(plans) == [10]
    assert covered(plans) == list(range(30))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.sampled_from(["lost", "nothing", "nan"]), min_size=1, max_size=3),
    st.data(),
)
def test_a_broken_detector_never_shows_what_was_a_track(
    every: int, faults: list[str], data: st.DataObject
) -> None:
    """It fails, returns NaN, or returns nothing for three looks: the face stays covered."""
    truth, finds = film([linear(200, 150, 40, 10, 50)], Detector(every=every), 80)
    start = data.draw(st.integers(1, (80 // every) - 5)) * every
    broken: dict[str, Found] = {"lost": LOST, "nothing": found([]), "nan": found([(float("nan"), 0, 1, 1)])}
    for i, fault in enumerate(faults):
        finds[start + i * every] = broken[fault]
    for boxes, plan in zip(truth, run(finds), strict=True):
        assert boxes[0] is not None
        assert share_covered(boxes[0], plan) > 0.95


def test_on_lost_cover_frame() -> None:
    settings = TrackSettings(on_lost=OnLost.COVER_FRAME)
    lost = still(100, set(range(40)))
    plans = run(lost, settings=settings)
    assert whole(plans) == list(range(40, 52))
    assert not any(p.blind for p in plans)
    assert whole(run(lost)) == []
    assert whole(run(still(100, set(range(100)) - {50, 51, 52}), settings=settings)) == []  # bridged
    assert whole(run(lost, settings=settings, cuts=[40])) == []  # ended by the cut
    _, leaves = film([linear(60, 100, -60, 0, 40)], Detector(), 80)
    assert whole(run(leaves, settings=settings)) == []  # ended at the border
    unseen_yet = still(98, set(range(98)), every=5)
    assert whole(run(unseen_yet, settings=settings)) == []  # nobody looked after frame 95


# Cuts.


def test_a_cut_breaks_tracks() -> None:
    plans = run([found([FACE])] * 40, cuts=[20])
    assert [int(p.detections.tracks[0]) for p in plans] == [0] * 20 + [1] * 20
    gone = run(still(40, set(range(20))), cuts=[20])
    assert covered(gone) == list(range(20))


def test_nothing_is_filled_across_a_cut() -> None:
    finds = [found([FACE]) if i < 18 else found([OTHER] if i >= 22 else []) for i in range(40)]
    plans = run(finds, cuts=[20])
    assert covered(plans) == list(range(20))
    assert [p.index for p in plans if share_covered(OTHER, p) > 0.99] == list(range(20, 40))


def test_a_false_cut_leaves_no_gap() -> None:
    """Detection is late or missing on both sides of it; the tracks still reach to the cut from both sides."""
    plans = run(still(80, {*range(20), *range(50, 80)}), cuts=[35])
    assert covered(plans) == list(range(80))


def test_a_face_that_appears_long_after_the_cut_is_not_extended_to_it() -> None:
    plans = run(still(120, set(range(80, 120))), cuts=[20])
    assert covered(plans)[0] == 80 - 12


def test_boxes_outside_the_picture_are_not_planned() -> None:
    outside = (WIDTH + 5.0, HEIGHT + 5.0, WIDTH + 30.0, HEIGHT + 30.0)
    assert all(len(p.detections) == 0 for p in run([found([outside])] * 5))
