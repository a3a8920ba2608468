"""The counts of the evidence, against counting by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyelid.evidence.model import CoverReason
from eyelid.jobs.tally import Tally
from eyelid.types import Detections, Target

TARGETS = (Target.FACE, Target.PLATE)
entries = st.lists(st.tuples(st.sampled_from(TARGETS), st.integers(-1, 4)), max_size=4)
steps = st.lists(st.sampled_from(CoverReason) | st.tuples(entries, st.integers(0, 3)), max_size=30)


def found(pairs: list[tuple[Target, int]]) -> Detections:
    count = len(pairs)
    return Detections(
        np.zeros((count, 4), np.float32),
        np.ones(count, np.float32),
        tuple(target for target, _ in pairs),
        np.array([track for _, track in pairs], np.int64),
    )


@given(steps)
def test_counts_are_those_of_counting_by_hand(
    made: list[CoverReason | tuple[list[tuple[Target, int]], int]],
) -> None:
    tally = Tally(TARGETS)
    whole: dict[int, CoverReason] = {}
    seen: list[list[tuple[Target, int]]] = []
    held = 0
    for index, step in enumerate(made):
        if isinstance(step, CoverReason):
            whole[index] = step
            tally.add_covered(step)
        else:
            seen.append(step[0])
            held += step[1] > 0
            tally.add(found(step[0]), step[1])
    assert tally.total == len(made)
    if made:
        frames = tally.frames()
        assert frames.total == len(made)
        assert frames.held == held
        assert {i: run.reason for run in frames.covered for i in range(run.first, run.last + 1)} == whole
        neighbours = zip(frames.covered, frames.covered[1:], strict=False)
        assert all(a.last + 1 < b.first or a.reason is not b.reason for a, b in neighbours)
    for count in tally.counts(tracked=True):
        mine = [[pair for pair in pairs if pair[0] is count.target] for pairs in seen]
        assert count.detections == sum(map(len, mine))
        assert count.frames == sum(map(bool, mine))
        assert count.tracks == len({track for pairs in mine for _, track in pairs if track >= 0})
    assert all(count.tracks is None for count in tally.counts(tracked=False))
