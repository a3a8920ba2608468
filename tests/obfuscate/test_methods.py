from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.base import Obfuscator, blacken
from eyelid.obfuscate.blur import Blur
from eyelid.obfuscate.cells import CellObfuscator, CellParameters, cell_of
from eyelid.obfuscate.pixelate import Pixelate
from eyelid.obfuscate.regions import Coverage, Patch, Region
from eyelid.obfuscate.solid import Solid, SolidObfuscator
from eyelid.types import Detections, Guarantee, Plane, SafeFrame, Shape, Target
from tests.obfuscate.frames import (
    MODES,
    Mode,
    assert_destroyed,
    boxes,
    copies,
    detections,
    make,
    sizes,
    targets,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULTS = (Solid(), Pixelate(), Blur())
CELLS = (Pixelate, Blur)


@settings(deadline=None, max_examples=60)
@pytest.mark.parametrize("method", DEFAULTS, ids=lambda m: m.name)
@given(
    st.sampled_from(MODES),
    sizes,
    st.lists(st.tuples(boxes, targets), max_size=4),
    st.sampled_from([None, *Shape]),
)
def test_nothing_of_any_region_survives_and_nothing_else_changes(
    method: Solid | Pixelate | Blur,
    mode: Mode,
    size: tuple[int, int],
    found: list[tuple[tuple[float, float, float, float], Target]],
    shape: Shape | None,
) -> None:
    parts = [detections(box, target=target) for box, target in found]
    assert_destroyed(lambda: method.build(Coverage(shape=shape)), mode, *size, Detections.concatenate(parts))


@pytest.mark.parametrize("method", DEFAULTS, ids=lambda m: m.name)
@pytest.mark.parametrize("mode", MODES)
def test_a_polygon_is_destroyed(method: Solid | Pixelate | Blur, mode: Mode) -> None:
    polygon = np.array([(3.5, 4), (20, 8), (18, 15), (4, 12)], np.float32)
    found = detections((3, 4, 20, 15), target=Target.TEXT, polygon=polygon)
    assert_destroyed(lambda: method.build(Coverage()), mode, 31, 23, found)


class _KeepsChroma(SolidObfuscator):
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        if plane.name not in ("Cb", "Cr"):
            blacken(plane, patches)


class _RoundsChromaInward(SolidObfuscator):
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        if plane.step_x > 1:
            patches = [Patch(p.rows, slice(p.columns.start + 1, p.columns.stop), None) for p in patches]
        blacken(plane, patches)


class _KeepsTransparency(SolidObfuscator):
    def _cover(self, frame: object, found: Sequence[Region]) -> None:
        for plane in frame.planes[:3]:  # type: ignore[attr-defined]
            self._paint(plane, [region.patch(plane) for region in found])


class _ForgetsTheLast(SolidObfuscator):
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        blacken(plane, patches[:-1])


class _Faint(SolidObfuscator):
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        for patch in patches:
            plane.samples[patch.rows, patch.columns] //= 64


class _SpillsOver(SolidObfuscator):
    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        blacken(plane, [Patch(p.rows, p.columns, None) for p in patches])


@pytest.mark.parametrize(
    ("mutant", "mode"),
    [
        (_KeepsChroma, "420"),
        (_RoundsChromaInward, "420"),
        (_KeepsTransparency, "RGBA8"),
        (_ForgetsTheLast, "L8"),
        (_Faint, "RGB8"),
        (_SpillsOver, "L8"),
    ],
)
def test_the_check_above_catches_what_leaks(mutant: type[Obfuscator], mode: Mode) -> None:
    with pytest.raises(AssertionError):
        assert_destroyed(mutant, mode, 40, 40, detections((5, 5, 15, 15), (22, 20, 31, 33)))


@pytest.mark.parametrize("method", DEFAULTS, ids=lambda m: m.name)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("mode", MODES)
def test_a_detection_that_is_not_finite_covers_the_whole_frame(
    method: Solid | Pixelate | Blur, bad: float, mode: Mode
) -> None:
    safe = method.build(Coverage()).apply(make(mode, 13, 9), detections((1, 1, 4, 4), (2, bad, 5, 5)))
    for plane in safe.planes:
        assert (plane.samples == plane.black).all()


@pytest.mark.parametrize("method", [*DEFAULTS, Pixelate(levels=256), Blur(levels=256)], ids=str)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (3, 2)])
@pytest.mark.parametrize("mode", MODES)
def test_the_smallest_frames(method: Solid | Pixelate | Blur, size: tuple[int, int], mode: Mode) -> None:
    frame = make(mode, *size)
    safe = method.build(Coverage()).apply(frame, detections((0, 0, *size)))
    assert isinstance(safe, SafeFrame)


@pytest.mark.parametrize("method", DEFAULTS, ids=lambda m: m.name)
def test_no_detection_changes_nothing(method: Solid | Pixelate | Blur) -> None:
    frame = make("420", 20, 20)
    before = copies(frame)
    safe = method.build(Coverage()).apply(frame, Detections.none())
    assert all(np.array_equal(a, p.samples) for a, p in zip(before, safe.planes, strict=True))


@pytest.mark.parametrize("method", DEFAULTS, ids=lambda m: m.name)
def test_a_canary_cannot_be_found_by_correlation(method: Solid | Pixelate | Blur) -> None:
    frame = make("RGB8", 120, 120)
    canary = np.random.default_rng(9).integers(0, 256, (60, 50)).astype(np.uint8)
    for plane in frame.planes:
        plane.samples[30:90, 40:90] = canary
    safe = method.build(Coverage()).apply(frame, detections((40, 30, 90, 90)))
    wanted = (canary - canary.mean()) / canary.std()
    for plane in safe.planes:
        left = plane.samples[30:90, 40:90].astype(np.float64)
        assert abs(((left - left.mean()) * wanted).mean()) < 5 * (left.std() + 1e-9) / np.sqrt(canary.size)


@settings(deadline=None, max_examples=30)
@pytest.mark.parametrize("kind", CELLS)
@given(st.integers(1, 12), st.integers(2, 256), st.integers(4, 70), st.integers(4, 70))
def test_with_more_levels_nothing_finer_than_a_cell_survives(
    kind: type[Pixelate] | type[Blur], cells: int, levels: int, width: int, height: int
) -> None:
    obfuscator = kind(cells=cells, levels=levels).build(Coverage(shape=Shape.BOX, margin=0))
    first, second = make("L8", width, height), make("L8", width, height)
    size = max(max(width, height) / cells, 4)
    rows, columns = (cell_of(side, max(1, int(side / size))) for side in (height, width))
    random = np.random.default_rng(3)
    for row in range(rows.max() + 1):
        for column in range(columns.max() + 1):
            where = np.ix_(rows == row, columns == column)
            cell = second.planes[0].samples[where]
            second.planes[0].samples[where] = random.permutation(cell.ravel()).reshape(cell.shape)
    assert rows.max() < cells
    assert columns.max() < cells
    a, b = (obfuscator.apply(f, detections((0, 0, width, height))).planes[0].samples for f in (first, second))
    assert np.array_equal(a, b)


@pytest.mark.parametrize("levels", [1, 2, 16, 256])
@pytest.mark.parametrize("mode", ["L8", "L16", "420p10"])
def test_a_cell_takes_one_of_so_many_tones(levels: int, mode: Mode) -> None:
    obfuscator = Pixelate(cells=1, levels=levels).build(Coverage(shape=Shape.BOX, margin=0))
    tones = set()
    for level in range(512):
        frame = make(mode, 8, 8)
        plane = frame.planes[0]
        plane.samples[...] = plane.peak * level // 511
        obfuscator.apply(frame, detections((0, 0, 8, 8)))
        tones.update(np.unique(plane.samples).tolist())
    assert len(tones) == levels


def test_the_classical_mosaic_is_the_mean_of_each_cell() -> None:
    frame = make("L8", 64, 64)
    means = frame.planes[0].samples.reshape(4, 16, 4, 16).mean(axis=(1, 3))
    Pixelate(cells=4, levels=256).build(Coverage(shape=Shape.BOX, margin=0)).apply(
        frame, detections((0, 0, 64, 64))
    )
    shown = frame.planes[0].samples[::16, ::16]
    assert np.array_equal(frame.planes[0].samples, np.kron(shown, np.ones((16, 16), np.uint8)))
    assert np.abs(shown - means).max() < 1


def test_strength_scales_with_the_region() -> None:
    small, large = make("L8", 40, 40), make("L8", 400, 400)
    for frame in (small, large):
        Pixelate().build(Coverage(shape=Shape.BOX, margin=0)).apply(
            frame, detections((0, 0, frame.width, frame.height))
        )
    assert np.array_equal(
        np.kron(small.planes[0].samples, np.ones((10, 10), np.uint8)), large.planes[0].samples
    )


def test_blur_has_no_edges_between_cells() -> None:
    frame = make("L8", 200, 200)
    Blur().build(Coverage(shape=Shape.BOX, margin=0)).apply(frame, detections((0, 0, 200, 200)))
    samples = frame.planes[0].samples.astype(int)
    assert np.ptp(samples) > 16
    assert max(np.abs(np.diff(samples, axis=0)).max(), np.abs(np.diff(samples, axis=1)).max()) <= 4


@pytest.mark.parametrize("method", [*DEFAULTS, Pixelate(levels=256), Blur(levels=256)], ids=str)
def test_the_same_input_gives_the_same_output(method: Solid | Pixelate | Blur) -> None:
    found = detections((3, 3, 20, 25), (10, 10, 30, 30))
    first, second = (method.build(Coverage()).apply(make("420", 41, 33), found) for _ in range(2))
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first.planes, second.planes, strict=True))


@pytest.mark.parametrize("kind", CELLS)
def test_guarantees_name_the_attack_and_the_bound(kind: type[CellParameters]) -> None:
    default = kind().build(Coverage(), None).guarantee
    assert "0 bits" in default.statement
    assert "can be attacked" in default.statement
    weak: Guarantee = kind(cells=8, levels=16).build(Coverage(), None).guarantee
    assert "256 bits" in weak.statement
    assert "can be attacked" in weak.statement
    assert any("frames" in line for line in weak.not_covered)
    assert kind().bits == 0
    assert isinstance(kind().build(Coverage(), None), CellObfuscator)
