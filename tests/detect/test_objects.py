from math import exp

import numpy as np
import pytest
from numpy.typing import NDArray

from eyelid.detect.nanodet import CLASSES as COLUMNS
from eyelid.detect.nanodet import NanoDet, best, cells, decode
from eyelid.detect.objects import (
    CLASSES,
    ObjectDetector,
    PersonDetector,
    ScreenDetector,
    VehicleDetector,
)
from eyelid.errors import DetectionError
from eyelid.models.session import Device
from eyelid.types import Quality, RawFrame, Target
from tests.detect.pictures import blank

Look = tuple[NDArray[np.float32], NDArray[np.float32]]


def test_decoding_is_that_of_a_plain_loop() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(scale=3, size=(20, 44)).astype(np.float32)
    cell = np.array([(x * 8 + 4, 36, 8) for x in range(20)], np.float32)
    for box, row, (x, y, stride) in zip(decode(logits, cell), logits, cell, strict=True):
        distances = []
        for side in range(4):
            weights = [exp(v) for v in row[side * 11 : side * 11 + 11]]
            distances.append(sum(i * w for i, w in enumerate(weights)) / sum(weights) * stride)
        left, top, right, bottom = distances
        np.testing.assert_allclose(box, [x - left, y - top, x + right, y + bottom], rtol=1e-4, atol=1e-3)


def test_large_logits_do_not_overflow() -> None:
    logits = np.zeros((1, 44), np.float32)
    logits[0, 10::11] = 500
    np.testing.assert_allclose(decode(logits, np.array([[100, 100, 8]], np.float32)), [[20, 20, 180, 180]])


@pytest.mark.parametrize(("width", "height"), [(96, 64), (416, 320)])
def test_the_network_answers_once_for_each_cell(width: int, height: int) -> None:
    outputs = network()._session.run(np.zeros((1, height, width, 3), np.uint8))
    counts = [(height // s) * (width // s) for s in (8, 16, 32)]
    assert [o.shape for o in outputs] == [(1, n, size) for size in (80, 44) for n in counts]
    assert len(cells(width, height)) == sum(counts)


def test_cells_go_row_by_row_at_the_middle_of_each() -> None:
    grid = cells(64, 32)
    assert grid[:9].tolist() == [[8 * x + 4, 4, 8] for x in range(8)] + [[4, 12, 8]]
    assert grid[-2:].tolist() == [[16, 16, 32], [48, 16, 32]]


def network() -> NanoDet:
    return NanoDet(device=Device.CPU, threads=2, steady=False)


def every(quality: Quality = Quality.BALANCED, moving: bool = False) -> ObjectDetector:
    return ObjectDetector(quality, device=Device.CPU, threads=2, moving=moving)


class Stand:
    """A network that sees one object of each named class, 10 pixels apart, and counts its looks."""

    def __init__(self, seen: dict[str, float]) -> None:
        self.seen = seen
        self.looks = 0

    def look(self, frame: RawFrame, long_side: int, least: float) -> Look:
        self.looks += 1
        scores = np.zeros((len(self.seen), 80), np.float32)
        boxes = [[i * 40, 0, i * 40 + 30, 30] for i in range(len(self.seen))]
        for i, (name, score) in enumerate(self.seen.items()):
            scores[i, COLUMNS[name]] = score
        return np.array(boxes, np.float32).reshape(-1, 4), scores


def seeing(detector: ObjectDetector, seen: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> Stand:
    stand = Stand(seen)
    monkeypatch.setattr(detector, "_network", stand)
    return stand


def test_each_class_goes_to_its_target(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = every()
    seeing(detector, dict.fromkeys(COLUMNS, 0.9), monkeypatch)
    (found,) = detector.detect([blank(600, 40)])
    pairs = {(t, list(COLUMNS)[int(b[0]) // 40]) for t, b in zip(found.targets, found.boxes, strict=True)}
    assert pairs == {(target, name) for target, names in CLASSES.items() for name in names}
    assert "bicycle" not in {name for _, name in pairs}


@pytest.mark.parametrize(
    ("kind", "target"),
    [
        (PersonDetector, Target.PERSON),
        (VehicleDetector, Target.VEHICLE),
        (ScreenDetector, Target.SCREEN),
    ],
)
def test_a_single_target_detector_finds_its_target_alone(
    kind: type[PersonDetector], target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = kind(Quality.FAST, device=Device.CPU, threads=2, moving=True)
    seeing(detector, dict.fromkeys(COLUMNS, 0.9), monkeypatch)
    (found,) = detector.detect([blank(600, 40)])
    assert detector.targets == {target}
    assert set(found.targets) == {target}
    assert len(found) == len(CLASSES[target])


def test_all_targets_share_one_look_at_each_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = every(moving=True)
    stand = seeing(detector, {"person": 0.9, "car": 0.9, "tv": 0.9}, monkeypatch)
    (found,) = detector.detect([blank(600, 40)])
    assert stand.looks == 1
    assert set(found.targets) == {Target.PERSON, Target.VEHICLE, Target.SCREEN}


def test_two_looks_at_one_object_are_one_detection_and_weak_ones_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    detector = every()
    seeing(detector, {"person": 0.8, "car": 0.1}, monkeypatch)
    (found,) = detector.detect([blank(600, 40)])
    assert found.targets == (Target.PERSON,)
    assert found.scores == pytest.approx([0.8])


def test_the_best_class_of_a_target_counts() -> None:
    scores = np.zeros((1, 80), np.float32)
    scores[0, COLUMNS["car"]], scores[0, COLUMNS["truck"]] = 0.3, 0.4
    assert best(scores, CLASSES[Target.VEHICLE]) == pytest.approx([0.4])


@pytest.mark.parametrize("quality", Quality)
def test_a_blank_picture_shows_nothing_at_any_size(quality: Quality) -> None:
    found = every(quality).detect([blank(64, 48), blank(1, 1)])
    assert [len(f) for f in found] == [0, 0]


@pytest.mark.parametrize("which", range(6))
def test_values_that_are_not_numbers_are_an_error(which: int, monkeypatch: pytest.MonkeyPatch) -> None:
    net = network()
    run = net._session.run

    def spoilt(batch: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        outputs = run(batch)
        outputs[which][0, 0, 3] = np.inf
        return outputs

    monkeypatch.setattr(net._session, "run", spoilt)
    with pytest.raises(DetectionError, match="not numbers"):
        net.look(blank(64, 48), 416, 0.2)
