from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.remove.exposure import exposed
from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.obfuscate.remove.parallax import continued, flow
from tests.obfuscate.remove.scenes import frame, person, psnr, texture, with_thing

ROWS, COLUMNS = 96, 120
HOLE = np.zeros((ROWS, COLUMNS), np.bool_)
HOLE[30:66, 40:80] = True


def test_a_depth_that_only_two_other_views_show_is_carried_into_the_hole() -> None:
    y, x = np.mgrid[:ROWS, :COLUMNS].astype(np.float32)
    depth = np.where((x > 52) & (x < 68) & (y > 40) & (y < 60), np.float32(3), np.float32(0))
    depth[5:20, 10:30] = 5  # something near that the target shows too
    between = np.stack([depth, 0 * depth], axis=-1)
    truth = np.stack([0.02 * x - 1.5 * depth, 0.01 * y + 0.1 * depth], axis=-1)
    everywhere = np.ones_like(HOLE)
    known = np.where(HOLE[..., None], 0, truth).astype(np.float32)
    found, left = continued(known, ~HOLE, everywhere, between)
    alone, unexplained = continued(known, ~HOLE, everywhere, None)
    assert np.abs(found - truth)[HOLE].max() < 0.3
    assert np.abs(alone - truth)[HOLE].max() > 3
    assert left < unexplained


def test_flow_is_clear_in_texture_and_not_along_an_edge_or_in_a_hole() -> None:
    light = np.ascontiguousarray(texture(ROWS, COLUMNS + 4)[..., 0])
    seen = np.ones_like(HOLE)
    shift, clear = flow(light[:, 4:], light[:, :-4], seen, ~HOLE)
    assert clear.mean() > 0.5
    assert not clear[HOLE].any()
    assert np.abs(np.median(shift[clear], axis=0) - (4, 0)).max() < 0.2
    edge = np.full((ROWS, COLUMNS), 40, np.float32)
    edge[:, 60:] = 200
    assert not flow(edge, edge, seen, seen)[1].any()


@settings(deadline=None, max_examples=25)
@given(gain=st.floats(0.6, 1.6), offset=st.floats(-20, 20))
def test_exposure_is_found_though_a_fifth_shows_something_else(gain: float, offset: float) -> None:
    ours = texture(ROWS, COLUMNS)
    theirs = (ours - np.float32(offset)) / np.float32(gain)
    theirs[:20] = 128
    back = exposed(theirs, ours, np.ones_like(HOLE))
    assert np.abs(back - ours)[20:].mean() < 2


def test_exposure_of_a_plane_without_contrast_keeps_its_gain() -> None:
    grey = np.full((ROWS, COLUMNS, 1), 100, np.float32)
    assert exposed(grey, grey + 7, ~HOLE) == pytest.approx(grey + 7)


def test_a_pan_whose_exposure_changes_is_filled_in_the_light_of_each_frame() -> None:
    place = texture(120, 320, seed=5) * np.float32(0.7)
    lit = [place[:, 4 * i : 4 * i + 160] * np.float32(1 + 0.3 * np.sin(i / 3)) for i in range(24)]
    stream = [
        (frame(with_thing(view, 110 - 2 * i, 50, seed=i), i), person(110 - 2 * i, 50))
        for i, view in enumerate(lit)
    ]
    safe = list(RemoveObfuscator().stream(stream))
    worth = [psnr(safe[i].planes, lit[i], 110 - 2 * i, 50) for i in range(6, 18)]
    assert min(worth) > 45, worth
