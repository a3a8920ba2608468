"""What changes within one region or track moves the releases of that one alone, however regions overlap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.obfuscate.metric import Metric
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.svd import Svd
from eyelid.types import Detections, Shape, Target
from tests.obfuscate.frames import Mode, inside, make

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from eyelid.obfuscate.held import HeldObfuscator
    from eyelid.privacy.mechanism import CellSums

BOX = Coverage(shape=Shape.BOX, margin=0)
Plan = list[tuple[int, tuple[int, int, int, int]]]


def found(plan: Plan) -> Detections:
    """Return detections from tracks and boxes (x, y, width, height); a track may come several times."""
    boxes = np.array([(x, y, x + w, y + h) for _, (x, y, w, h) in plan], np.float32).reshape(-1, 4)
    tracks = np.array([track for track, _ in plan], np.int64)
    return Detections(boxes, np.ones(len(plan), np.float32), (Target.FACE,) * len(plan), tracks)


def released(plans: list[Plan], mode: Mode, coverage: Coverage, changed: int | None) -> dict[Hashable, bytes]:
    """Return what each account's noise was added to, where every pixel of one track was turned over."""
    seen: dict[Hashable, bytes] = {}
    obfuscator = DpPixelate(cell=3, frames=3, epsilon=1, budget=2).build(coverage)
    answer = obfuscator.mechanism.release

    def watch(query: CellSums, account: Hashable, ledger: object) -> tuple[NDArray[np.int64], ...]:
        seen[account] = seen.get(account, b"") + b"".join(plane.tobytes() for plane in query.planes)
        return answer(query, account, ledger)  # type: ignore[arg-type]

    obfuscator.mechanism.release = watch  # type: ignore[method-assign]
    frames = []
    for index, plan in enumerate(plans):
        frame = make(mode, 40, 30, seed=index, index=index)
        theirs = found([entry for entry in plan if entry[0] == changed])
        for plane, mask in zip(frame.planes, inside(frame, theirs, obfuscator), strict=True):
            plane.samples[mask] = plane.peak - plane.samples[mask]
        frames.append((frame, found(plan)))
    list(obfuscator.stream(frames))
    return seen


box = st.tuples(st.integers(-4, 36), st.integers(-4, 26), st.integers(3, 25), st.integers(3, 25))
plan = st.lists(st.tuples(st.integers(0, 3), box), max_size=5)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(plan, min_size=1, max_size=5),
    st.sampled_from(["420", "RGB8", "411"]),
    st.sampled_from([BOX, Coverage()]),
    st.integers(0, 3),
)
def test_a_change_within_one_track_moves_its_own_releases_alone(
    plans: list[Plan], mode: Mode, coverage: Coverage, changed: int
) -> None:
    before, after = (released(plans, mode, coverage, track) for track in (None, changed))
    assert before.keys() == after.keys()
    assert {account for account in before if before[account] != after[account]} <= {("track", changed)}


@pytest.mark.parametrize("method", [DpPixelate(epsilon=1e6), Metric(epsilon=1e6), Svd(epsilon=1e6)], ids=str)
@pytest.mark.parametrize("tracks", [(1, 2), (-1, -1)])
def test_what_two_regions_share_is_released_by_neither(
    method: DpPixelate | Metric | Svd, tracks: tuple[int, int]
) -> None:
    """Next to no noise: two boxes over one another show grey there, and the picture where each is alone."""
    frame = make("L8", 64, 32)
    frame.planes[0].samples[...] = 250
    obfuscator: HeldObfuscator[object] = method.build(BOX)  # type: ignore[assignment]
    obfuscator.apply(frame, found([(tracks[0], (0, 0, 48, 32)), (tracks[1], (16, 0, 48, 32))]))
    shown = frame.planes[0].samples[8].astype(int)
    assert np.abs(shown[24:40] - 128).max() <= 40
    assert np.abs(shown[[2, -3]] - 250).max() <= 40
