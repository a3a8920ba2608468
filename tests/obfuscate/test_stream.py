"""One frame out for each one in, whatever is to be covered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import parse
from tests.obfuscate.frames import copies, detections, make

COVERAGE = Coverage()

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eyelid.types import Detections, RawFrame


@pytest.mark.parametrize("method", ["solid", "pixelate", "blur:levels=8"])
def test_a_stream_covers_each_frame_as_alone(method: str) -> None:
    found = [detections((2, 3, 12, 14)), None, detections(), detections((0, 0, 30, 5))]

    def frames() -> Iterator[tuple[RawFrame, Detections | None]]:
        for index, one in enumerate(found):
            yield make("420", 31, 23, seed=index, index=index), one

    obfuscator, alone = (parse(method).build(COVERAGE, None) for _ in range(2))
    streamed = list(obfuscator.stream(frames()))
    assert [safe.index for safe in streamed] == [0, 1, 2, 3]
    for safe, (frame, one) in zip(streamed, frames(), strict=True):
        expected = copies(frame) if one is not None and not len(one) else None
        single = alone.cover_frame(frame) if one is None else alone.apply(frame, one)
        for a, b in zip(safe.planes, single.planes, strict=True):
            assert np.array_equal(a.samples, b.samples)
        if expected is not None:
            assert all(np.array_equal(p.samples, e) for p, e in zip(safe.planes, expected, strict=True))


def test_methods_without_noise_spend_and_fill_nothing() -> None:
    obfuscator = parse("solid").build(COVERAGE, None)
    assert obfuscator.spent is None
    assert obfuscator.fill is None
