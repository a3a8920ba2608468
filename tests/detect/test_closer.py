"""The closer look: every doubt is seen with its context, and nothing sure or large is a doubt."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from eyelid.detect.centerface import Faces
from eyelid.detect.closer import CLEAR, CONTEXT, WINDOW, hesitant, windows

SIDES = st.integers(WINDOW, 2000)


@given(st.data(), SIDES, SIDES)
def test_windows_lie_in_the_picture_and_see_every_point_with_its_context(
    data: st.DataObject, width: int, height: int
) -> None:
    point = st.tuples(st.floats(0, width, width=32), st.floats(0, height, width=32))
    points = np.array(data.draw(st.lists(point, max_size=40)), np.float32).reshape(-1, 2)
    corners = windows(points, width, height)
    assert len(corners) <= len(points)
    assert all(0 <= x <= width - WINDOW and 0 <= y <= height - WINDOW for x, y in corners)
    for x, y in points.tolist():
        assert any(
            max(0.0, x - CONTEXT) >= left - 1
            and min(width, x + CONTEXT) <= left + WINDOW + 1
            and max(0.0, y - CONTEXT) >= top - 1
            and min(height, y + CONTEXT) <= top + WINDOW + 1
            for left, top in corners
        )


def test_points_that_fit_into_one_window_share_it() -> None:
    inner = WINDOW - 2 * CONTEXT
    points = np.array([[900, 400], [900 - inner + 1, 410], [910 - inner + 1, 400 + inner - 1]], np.float32)
    assert len(windows(points, 1600, 1200)) == 1
    assert len(windows(points * 2, 3200, 2400)) == 3


def test_doubts_are_neither_sure_nor_large() -> None:
    boxes = np.array([[0, 0, 20, 20], [0, 0, 20, 20], [0, 0, WINDOW, WINDOW]], np.float32)
    faces = Faces(boxes, np.array([0.2, CLEAR, 0.2], np.float32))
    assert hesitant(faces, 1.0).boxes.tolist() == [[0, 0, 20, 20]]
    assert len(hesitant(faces, 0.5)) == 2
    assert len(hesitant(faces, 100.0)) == 0
