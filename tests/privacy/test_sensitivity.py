"""Brute force: a change of m pixels moves the sums of cells as far as declared, and never further."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.cells import cell_of
from eyelid.obfuscate.exclusive import Part
from eyelid.obfuscate.noisy_cells import CellWindow, cell_sums, cells_along
from eyelid.obfuscate.regions import Region, whole
from eyelid.privacy.adjacency import DistanceAdjacency, PixelAdjacency
from eyelid.privacy.sensitivity import picture_l1, sums_l1
from tests.obfuscate.frames import MODES, Mode, make

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eyelid.types import RawFrame


def change(frame: RawFrame, pixels: Iterable[tuple[int, int]]) -> RawFrame:
    """Change every sample of some pixels (y, x) as far as it goes."""
    for plane in frame.planes:
        for y, x in {(y // plane.step_y, x // plane.step_x) for y, x in pixels}:
            plane.samples[y, x] = plane.peak if plane.samples[y, x] <= plane.peak // 2 else 0
    return frame


def window_of(frames: list[RawFrame], regions: list[Region], cell: int) -> CellWindow:
    """Return the window of a region through several frames, cut as the obfuscator cuts it."""
    planes = [plane for plane in frames[0].planes if plane.name != "A"]
    patches = [regions[0].patch(plane) for plane in planes]
    grids = tuple((cells_along(p.height, cell), cells_along(p.width, cell)) for p in patches)
    window = CellWindow(grids, tuple(plane.peak for plane in planes))
    for frame, region in zip(frames, regions, strict=True):
        window.add(Part(frame, region))
    return window


def moved(a: CellWindow, b: CellWindow) -> int:
    return int(sum(np.abs(x - y).sum() for x, y in zip(a.sums, b.sums, strict=True)))


@pytest.mark.parametrize("mode", ["L8", "RGB8", "420", "CMYK8"])
@pytest.mark.parametrize(("width", "height", "cell", "pixels"), [(5, 3, 2, 2), (4, 4, 4, 3), (7, 2, 3, 2)])
def test_every_choice_of_pixels_of_a_black_picture(
    mode: Mode, width: int, height: int, cell: int, pixels: int
) -> None:
    def black() -> RawFrame:
        frame = make(mode, width, height)
        for plane in frame.planes:
            plane.samples[...] = 0
        return frame

    region = whole(width, height)
    before = window_of([black()], [region], cell)
    everywhere = [(y, x) for y in range(height) for x in range(width)]
    largest = max(
        moved(before, window_of([change(black(), chosen)], [region], cell))
        for chosen in combinations(everywhere, pixels)
    )
    assert largest == picture_l1(before.peaks, pixels)


@settings(deadline=None, max_examples=150)
@given(st.data(), st.sampled_from(MODES), st.integers(1, 24), st.integers(1, 24), st.integers(1, 9))
def test_no_change_in_any_frame_of_a_window_goes_beyond(
    data: st.DataObject, mode: Mode, width: int, height: int, cell: int
) -> None:
    count, pixels = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6))
    place = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    regions, changed = [], []
    for number in range(count):
        x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
        x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
        regions.append(Region(x0, y0, x1, y1))
        chosen = data.draw(st.sets(place, max_size=pixels))
        changed.append(change(make(mode, width, height, seed=number), chosen))
    frames = [make(mode, width, height, seed=number) for number in range(count)]
    before, after = window_of(frames, regions, cell), window_of(changed, regions, cell)
    assert before.frames == after.frames <= count
    assert moved(before, after) <= picture_l1(before.peaks, pixels, before.frames)
    for counts, grid in zip(before.counts, before.grids, strict=True):
        assert (counts > 0).all()
        assert counts.shape == grid


def test_samples_beyond_the_peak_count_as_the_peak() -> None:
    """Ten bits lie in sixteen, and a damaged or made-up raw video may use them all."""
    dark, beyond, bright = (make("420p10", 8, 6) for _ in range(3))
    for frame, tone in ((dark, 0), (beyond, 65535), (bright, 1023)):
        for plane in frame.planes:
            plane.samples[...] = tone
    a, b, c = (window_of([frame], [whole(8, 6)], 4) for frame in (dark, beyond, bright))
    assert moved(a, b) == moved(a, c) <= picture_l1(a.peaks, 8 * 6)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_every_sample_lies_in_one_cell(rows: int, columns: int, data: st.DataObject) -> None:
    down, across = data.draw(st.integers(1, rows)), data.draw(st.integers(1, columns))
    samples = np.random.default_rng(0).integers(0, 256, (rows, columns), np.uint8)
    sums = cell_sums(samples, down, across)
    assert sums.sum() == samples.sum(dtype=np.int64)
    slow = np.zeros((down, across), np.int64)
    for y in range(rows):
        for x in range(columns):
            slow[y * down // rows, x * across // columns] += samples[y, x]
    assert np.array_equal(sums, slow)


@given(st.integers(1, 400), st.integers(1, 60))
def test_no_cell_is_cut_off(side: int, cell: int) -> None:
    """All cells along a side are alike but for one sample, and about as large as asked."""
    cells = cells_along(side, cell)
    sizes = np.bincount(cell_of(side, cells))
    assert len(sizes) == cells
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= min(side, int(0.75 * cell))
    assert sizes.max() <= 1.5 * cell


def test_means_move_as_those_of_full_cells() -> None:
    """9 by 9 samples, b = 4, m = 3: 255 * 3 / 16 = 47.8, where cells cut off by the edge would give 382.5."""
    moves = []
    for first in range(81):
        black, bright = make("L8", 9, 9), make("L8", 9, 9)
        for frame in (black, bright):
            frame.planes[0].samples[...] = 0
        chosen = [divmod(first + step, 9) for step in range(3) if first + step < 81]
        a, b = (window_of([f], [whole(9, 9)], 4) for f in (black, change(bright, chosen)))
        moves.append(float(np.abs(a.sums[0] / a.counts[0] - b.sums[0] / b.counts[0]).sum()))
    assert max(moves) == sums_l1(255, 3) / 4**2


@given(st.integers(1, 10**6), st.integers(1, 10**4))
def test_steps_of_m_pixels_reach_every_picture(pixels: int, m: int) -> None:
    steps = PixelAdjacency(m).steps(pixels)
    assert (steps - 1) * m < pixels <= steps * m


def test_the_farthest_vectors() -> None:
    assert float(DistanceAdjacency("d").farthest((3.0, 4.0))) == pytest.approx(5)
