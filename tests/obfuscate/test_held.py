"""One noisy picture a track, released within its budget and held; streams keep every frame in order."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import BudgetError, InputError
from eyelid.obfuscate import held
from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import parse
from eyelid.types import Detections, Shape, Target
from tests.obfuscate.frames import copies, inside, make

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from eyelid.obfuscate.base import Obfuscator
    from eyelid.types import RawFrame, SafeFrame

BOX = Coverage(shape=Shape.BOX, margin=0)


def tracks(boxes: dict[int, tuple[float, float, float, float]]) -> Detections:
    n = len(boxes)
    return Detections(
        np.array(list(boxes.values()), np.float32).reshape(n, 4),
        np.ones(n, np.float32),
        (Target.FACE,) * n,
        np.array(list(boxes), np.int64),
    )


def video(planned: list[Detections | None]) -> Iterator[tuple[RawFrame, Detections | None]]:
    for index, found in enumerate(planned):
        yield make("420", 64, 48, seed=index, index=index), found


def shown(safe: SafeFrame, box: tuple[int, int, int, int] = (0, 0, 32, 32)) -> NDArray[np.uint8]:
    x0, y0, x1, y1 = box
    return np.asarray(safe.planes[0].samples[y0:y1, x0:x1].copy(), np.uint8)


def pictures(safe: list[SafeFrame]) -> int:
    """Return how many different pictures the corner shows."""
    return len({shown(frame).tobytes() for frame in safe})


CORNER = (0.0, 0.0, 32.0, 32.0)


@pytest.mark.parametrize("method", ["dp-pixelate:cell=4", "dp-blur", "metric:cell=4", "svd"])
def test_a_track_is_released_once_and_held(method: str) -> None:
    obfuscator = parse(method).build(BOX, None)
    safe = list(obfuscator.stream(video([tracks({3: CORNER})] * 6)))
    assert pictures(safe) == 1
    spent = obfuscator.spent
    assert spent is not None
    assert (spent.releases, spent.accounts) == (1, 1)


def test_a_held_picture_follows_the_box() -> None:
    obfuscator = DpPixelate(cell=8).build(BOX)
    small, large = tracks({3: (0, 0, 16, 16)}), tracks({3: (4, 4, 36, 36)})
    first, second = obfuscator.stream(video([small, large]))
    tones = shown(first, (0, 0, 16, 16))[::8, ::8]
    assert np.array_equal(shown(second, (4, 4, 36, 36)), np.kron(tones, np.ones((16, 16), np.uint8)))


def test_a_budget_buys_so_many_pictures_and_no_more() -> None:
    obfuscator = DpPixelate(epsilon=0.1, budget=0.3, cell=4, frames=2).build(BOX)
    safe = list(obfuscator.stream(video([tracks({3: CORNER})] * 12)))
    changes = [not np.array_equal(shown(a), shown(b)) for a, b in pairwise(safe)]
    assert changes == [False, True, False, True] + [False] * 7
    assert obfuscator.spent.epsilon == 0.3
    assert obfuscator.spent.releases == 3


def test_untracked_regions_are_charged_each() -> None:
    obfuscator = DpPixelate(epsilon=0.5, cell=4).build(BOX)
    safe = list(obfuscator.stream(video([tracks({-1: CORNER})] * 4)))
    assert pictures(safe) == 4
    assert (obfuscator.spent.accounts, obfuscator.spent.epsilon, obfuscator.spent.epsilon_file) == (4, 0.5, 2)


@pytest.mark.parametrize("method", ["dp-pixelate:cell=4", "dp-blur", "metric:cell=4", "svd"])
def test_what_moves_without_a_track_is_one_track(method: str) -> None:
    """An animation, or boxes that somebody drew: new noise in every frame could be averaged away."""
    obfuscator = parse(method).build(BOX, None)
    moving = (
        (replace(frame, time=Fraction(frame.index, 25)), found)
        for frame, found in video([tracks({-1: CORNER})] * 12)
    )
    assert pictures(list(obfuscator.stream(moving))) == 1
    spent = obfuscator.spent
    assert spent is not None
    assert (spent.releases, spent.accounts) == (1, 1)


def test_a_track_that_is_in_two_places_counts_the_pixels_of_both() -> None:
    found = Detections(
        np.array([(0, 0, 16, 16), (32, 16, 48, 32)], np.float32),
        np.ones(2, np.float32),
        (Target.FACE,) * 2,
        np.array([3, 3], np.int64),
    )
    obfuscator = DpPixelate(epsilon=1, pixels=16, frames=2).build(BOX)
    list(obfuscator.stream(video([found, found])))
    assert obfuscator.spent.epsilon_whole == 2 * 16 * 16 / 16


def test_a_spent_budget_of_the_file_ends_the_run_before_the_frame_is_safe() -> None:
    obfuscator = DpPixelate(epsilon=0.5, file_budget=1.2).build(BOX)
    safe = obfuscator.stream(video([tracks({-1: CORNER})] * 4))
    assert [next(safe).index, next(safe).index] == [0, 1]
    with pytest.raises(BudgetError, match="nothing was written"):
        next(safe)
    assert obfuscator.spent.epsilon_file == 1.0


def test_a_window_averages_its_frames() -> None:
    planned: list[Detections | None] = [tracks({3: CORNER})] * 4
    obfuscator = DpPixelate(epsilon=1e6, cell=8, frames=4).build(BOX)
    originals = [frame.planes[0].samples[:32, :32] for frame, _ in video(planned)]
    mean = np.mean([plane.reshape(4, 8, 4, 8).mean(axis=(1, 3)) for plane in originals], axis=0)
    for safe in obfuscator.stream(video(planned)):
        assert np.abs(shown(safe)[::8, ::8] - mean).max() <= 1


@settings(deadline=None, max_examples=80)
@given(
    st.lists(
        st.none()
        | st.dictionaries(
            st.integers(-1, 3),
            st.tuples(st.integers(-9, 50), st.integers(-9, 40), st.integers(1, 40), st.integers(1, 40)),
            max_size=3,
        ),
        max_size=9,
    ),
    st.integers(1, 4),
    st.sampled_from(["420", "RGBA8", "L8"]),
    st.sampled_from([0.5, 1.0, 2.0]),
)
def test_every_frame_comes_out_once_in_order_and_covered(
    plans: list[dict[int, tuple[int, int, int, int]] | None],
    frames: int,
    mode: str,
    budget: float,
) -> None:
    planned = [
        None if plan is None else tracks({t: (x, y, x + w, y + h) for t, (x, y, w, h) in plan.items()})
        for plan in plans
    ]
    obfuscator = DpPixelate(epsilon=0.5, budget=budget, cell=4, frames=frames).build(Coverage())
    raw = [make(mode, 64, 48, seed=i, index=i) for i in range(len(planned))]  # type: ignore[arg-type]
    before = [copies(frame) for frame in raw]
    try:
        safe = list(obfuscator.stream(zip(raw, planned, strict=True)))
    except InputError as error:  # every region is smaller than a cell
        assert "larger than every region" in str(error)  # noqa: PT017
        return
    assert [frame.index for frame in safe] == list(range(len(planned)))
    for frame, found, old in zip(safe, planned, before, strict=True):
        if found is None:
            assert all((plane.samples == plane.black).all() for plane in frame.planes)
            continue
        masks = inside(raw[frame.index], found, obfuscator)
        for plane, mask, samples in zip(frame.planes, masks, old, strict=True):
            assert np.array_equal(plane.samples[~mask], samples[~mask])
            if mask.sum() >= 64 and plane.name != "A":
                assert np.mean(plane.samples[mask] == samples[mask]) < 0.5
    spent = obfuscator.spent
    assert spent.epsilon <= budget
    named = {track for plan in plans if plan for track in plan if track >= 0}
    untracked = sum(-1 in plan for plan in plans if plan)
    assert spent.accounts <= len(named) + untracked


def most_waiting(frames: int, found: Detections) -> int:
    """Return how many frames at most went in before they came out."""
    waiting = 0
    largest = 0

    def counted() -> Iterator[tuple[RawFrame, Detections | None]]:
        nonlocal waiting, largest
        for item in video([found] * 20):
            waiting += 1
            largest = max(largest, waiting)
            yield item

    for _ in DpPixelate(frames=frames).build(BOX).stream(counted()):
        waiting -= 1
    assert waiting == 0
    return largest


def test_no_more_frames_wait_than_a_window_has() -> None:
    assert most_waiting(5, tracks({3: CORNER})) == 5


def test_pages_and_regions_without_a_track_do_not_wait() -> None:
    """No later frame adds to their window, and eight pages of 200 megapixels do not fit in memory."""
    assert most_waiting(8, tracks({-1: CORNER})) == 1
    assert most_waiting(8, Detections.none()) == 1


def test_large_frames_wait_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(plane.samples.nbytes for plane in make("420", 64, 48).planes)
    monkeypatch.setattr(held, "WAITING_BYTES", 3 * size)
    assert most_waiting(8, tracks({3: CORNER})) == 3
    monkeypatch.setattr(held, "WAITING_BYTES", size - 1)
    assert most_waiting(8, tracks({3: CORNER})) == 1


def test_another_kind_of_frame_is_covered_in_black() -> None:
    obfuscator = DpPixelate().build(BOX)
    obfuscator.apply(make("420", 64, 48), tracks({3: CORNER}))
    safe = obfuscator.apply(make("RGB8", 64, 48), tracks({3: CORNER}))
    assert all((plane.samples[:32, :32] == plane.black).all() for plane in safe.planes)


@pytest.mark.parametrize("cell", [33, 500])
def test_a_cell_larger_than_every_region_is_refused_at_the_end(cell: int) -> None:
    obfuscator = DpPixelate(cell=cell).build(BOX)
    with pytest.raises(InputError, match="the largest has 32 by 32"):
        list(obfuscator.stream(video([tracks({1: (0, 0, 9, 9), 2: CORNER})])))


def test_the_default_cell_makes_small_regions_one_cell() -> None:
    (safe,) = DpPixelate().build(BOX).stream(video([tracks({1: (0, 0, 9, 9)})]))
    assert np.ptp(shown(safe, (0, 0, 9, 9))) == 0


def test_a_detection_without_a_place_covers_the_frame_and_costs_nothing() -> None:
    obfuscator: Obfuscator = DpPixelate().build(BOX)
    safe = obfuscator.apply(make("420", 64, 48), tracks({1: (0, 0, float("nan"), 9)}))
    assert all((plane.samples == plane.black).all() for plane in safe.planes)
    assert obfuscator.spent is not None
    assert obfuscator.spent.releases == 0
