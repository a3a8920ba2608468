from itertools import product
from math import ceil, exp

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from eyelid.detect.plates import STILL_PASSES, STILL_SCORE, PlateDetector, decode, priors
from eyelid.errors import DetectionError
from eyelid.models.session import Device
from eyelid.types import Quality, RawFrame, Target
from tests.detect.pictures import blank, frame_of


def priors_one_by_one(width: int, height: int) -> list[tuple[float, float, float]]:
    return [
        ((column + 0.5) * stride, (row + 0.5) * stride, float(side))
        for stride, sides in ((8, (24, 48)), (16, (96, 192)), (32, (384, 768)))
        for row, column, side in product(range(ceil(height / stride)), range(ceil(width / stride)), sides)
    ]


@given(st.integers(1, 130), st.integers(1, 130))
@settings(max_examples=30, deadline=None)
def test_priors_are_those_of_a_plain_loop(width: int, height: int) -> None:
    np.testing.assert_array_equal(
        priors(width, height), np.array(priors_one_by_one(width, height), np.float32)
    )


@pytest.mark.parametrize(("width", "height"), [(64, 96), (640, 384)])
def test_the_network_answers_once_for_each_prior(width: int, height: int) -> None:
    outputs = detector()._session.run(np.zeros((1, height, width, 3), np.uint8))
    assert [o.shape for o in outputs] == [(1, len(priors(width, height)), size) for size in (4, 2, 8)]


def test_decoding_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(0)
    offsets = rng.normal(size=(50, 4)).astype(np.float32)
    prior = rng.uniform(1, 300, (50, 3)).astype(np.float32)
    for box, (dx, dy, dw, dh), (x, y, side) in zip(decode(offsets, prior), offsets, prior, strict=True):
        cx, cy = x + 0.1 * dx * side, y + 0.1 * dy * side
        w, h = side * exp(0.2 * dw), side * exp(0.2 * dh)
        np.testing.assert_allclose(
            box, [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], rtol=1e-4, atol=1e-3
        )


def detector(quality: Quality = Quality.BALANCED, moving: bool = False) -> PlateDetector:
    return PlateDetector(quality, device=Device.CPU, threads=2, moving=moving)


def with_plate(x: int, y: int, scale: float = 1.0) -> RawFrame:
    """A bumper with a blue plate of 120 x 40 pixels at (x, y), then the picture is scaled."""
    picture = np.full((480, 640, 3), 60, np.uint8)
    cv2.rectangle(picture, (x - 60, y + 30), (x + 180, y + 60), (20, 20, 20), -1)
    cv2.rectangle(picture, (x, y), (x + 120, y + 40), (160, 70, 20), -1)
    cv2.rectangle(picture, (x + 2, y + 2), (x + 118, y + 38), (250, 250, 250), 1)
    font = cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(picture, "AB-123CD", (x + 6, y + 31), font, 0.73, (250, 250, 250), 3, cv2.LINE_AA)
    smooth = cv2.GaussianBlur(picture, (3, 3), 0)
    size = (round(640 * scale), round(480 * scale))
    return frame_of(np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_AREA), np.uint8))


@pytest.mark.parametrize("scale", [1.0, 1.7])
@pytest.mark.parametrize("corner", [(260, 270), (30, 100), (470, 380)])
def test_a_drawn_plate_is_found_where_it_is(corner: tuple[int, int], scale: float) -> None:
    (found,) = detector().detect([with_plate(*corner, scale)])
    assert found.targets == (Target.PLATE,)
    truth = np.array([*corner, corner[0] + 120, corner[1] + 40]) * scale
    np.testing.assert_allclose(found.boxes[0], truth, atol=12 * scale)


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("moving", [False, True])
def test_a_blank_picture_has_no_plate_at_any_size(quality: Quality, moving: bool) -> None:
    found = detector(quality, moving).detect([blank(64, 48), blank(1, 1), blank(3, 700)])
    assert [len(f) for f in found] == [0, 0, 0]


def test_boxes_stay_inside_the_frame() -> None:
    (found,) = detector().detect([with_plate(-20, 400)])
    assert len(found)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= [640, 480, 640, 480]).all()


def test_video_keeps_weak_plates_for_the_tracker_but_starts_no_track_with_them() -> None:
    moving, still = detector(moving=True), detector()
    assert moving._score < moving.start_score
    assert still._score == still.start_score == STILL_SCORE
    assert len(moving._passes) == 1
    assert still._passes == STILL_PASSES[Quality.BALANCED]


@pytest.mark.parametrize("which", [0, 1])
def test_values_that_are_not_numbers_are_an_error(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = detector()
    run = broken._session.run

    def spoilt(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        outputs = run(batch)
        outputs[which][0, 7] = np.nan
        return outputs

    monkeypatch.setattr(broken._session, "run", spoilt)
    with pytest.raises(DetectionError, match="not numbers"):
        broken.detect([blank(64, 48)])
