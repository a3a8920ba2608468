import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyelid.detect.text import UNCLIP, TextDetector, lines
from eyelid.errors import DetectionError
from eyelid.models.session import Device
from eyelid.types import Bgr, Quality, Target
from tests.detect.pictures import blank, frame_of


def detector(quality: Quality = Quality.BALANCED, moving: bool = False) -> TextDetector:
    return TextDetector(quality, device=Device.CPU, threads=2, moving=moving)


def drawn(polygons: tuple[NDArray[np.float32] | None, ...], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape[:2], np.uint8)
    for polygon in polygons:
        assert polygon is not None
        cv2.fillPoly(mask, [polygon.round().astype(np.int32)], 1)
    return mask.astype(bool)


@given(
    st.floats(30, 90),
    st.floats(6, 16),
    st.floats(0, 180),
    st.floats(0.5, 1),
)
@settings(max_examples=40, deadline=None)
def test_a_rotated_bar_gives_its_box_pushed_out(
    length: float, thickness: float, angle: float, value: float
) -> None:
    bar = cv2.boxPoints(((100, 100), (length, thickness), angle))
    mask = np.zeros((200, 200), np.uint8)
    cv2.fillPoly(mask, [bar.round().astype(np.int32)], 1)
    (corners,), scores = lines(mask.astype(np.float32) * np.float32(value), 0.5)
    assert scores == pytest.approx([value])
    sides = sorted(np.linalg.norm(corners - np.roll(corners, 1, axis=0), axis=1)[:2])
    out = UNCLIP * length * thickness / (length + thickness)
    assert sides[1] == pytest.approx(length + out, abs=8)
    assert sides[0] == pytest.approx(thickness + out, abs=8)
    assert drawn((corners,), mask.shape)[mask > 0].all()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=6, unique=True))
@settings(max_examples=30, deadline=None)
def test_each_separate_region_is_one_line(places: list[tuple[int, int]]) -> None:
    probability = np.zeros((300, 300), np.float32)
    for row, column in places:
        probability[row * 50 + 10 : row * 50 + 18, column * 50 + 5 : column * 50 + 40] = 0.9
    corners, scores = lines(probability, 0.5)
    assert corners.shape == (len(places), 4, 2)
    assert scores == pytest.approx([0.9] * len(places))
    inside = drawn(tuple(corners), probability.shape)
    assert inside[probability > 0].all()


def test_a_weak_region_is_no_line() -> None:
    probability = np.zeros((50, 50), np.float32)
    probability[10:20, 10:40] = 0.4
    assert len(lines(probability, 0.5)[1]) == 0
    assert len(lines(probability, 0.35)[1]) == 1


def written(angle: float, height: float) -> tuple[Bgr, NDArray[np.bool_]]:
    """A page with one line of writing, turned by ``angle`` degrees, and its ink."""
    ink = np.zeros((480, 640), np.uint8)
    size = height / 22
    cv2.putText(ink, "Secret 4711", (140, 250), cv2.FONT_HERSHEY_DUPLEX, size, 255, 2, cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((320, 240), angle, 1)
    ink = np.asarray(cv2.warpAffine(ink, turn, (640, 480)), np.uint8)
    page = np.repeat((230 - ink.astype(int) * 200 // 255)[..., None], 3, axis=2).astype(np.uint8)
    return page, ink > 60


@pytest.mark.parametrize("angle", [0, -25, 40, 90, 180])
@pytest.mark.parametrize("height", [16, 32])
def test_writing_is_covered_wholly_at_any_angle(angle: float, height: float) -> None:
    page, ink = written(angle, height)
    (found,) = detector().detect([frame_of(page)])
    assert set(found.targets) == {Target.TEXT}
    cover = drawn(found.polygons, ink.shape)
    assert cover[ink].mean() > 0.995
    assert cover.mean() < 0.35
    low = np.array([p.min(axis=0) for p in found.polygons if p is not None])
    np.testing.assert_allclose(found.boxes[:, :2], np.clip(low, 0, None), atol=1e-3)


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("moving", [False, True])
def test_a_blank_picture_has_no_text_at_any_size(quality: Quality, moving: bool) -> None:
    found = detector(quality, moving).detect([blank(64, 48), blank(1, 1)])
    assert [len(f) for f in found] == [0, 0]


def test_a_small_picture_is_not_blown_up(monkeypatch: pytest.MonkeyPatch) -> None:
    text = detector(Quality.THOROUGH)
    run = text._session.run
    sizes = []

    def noted(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        sizes.append(max(batch.shape[1:3]))
        return run(batch)

    monkeypatch.setattr(text._session, "run", noted)
    text.detect([blank(300, 200)])
    assert sizes == [736]
    text.detect([blank(800, 600)])
    assert sizes == [736, 736, 1472]


def test_values_that_are_not_numbers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    text = detector()
    answer = [np.full((1, 1, 736, 736), np.nan, np.float32)]
    monkeypatch.setattr(text._session, "run", lambda _: answer)
    with pytest.raises(DetectionError, match="not numbers"):
        text.detect([blank(64, 64)])
