"""The gates of the person and vehicle detectors on real photos and a real clip."""

from pathlib import Path

import pytest
from benchmarks.recall_objects import pedestrians, people, vehicles

from eyelid.detect.objects import ObjectDetector
from eyelid.models.session import Device
from eyelid.types import Quality

pytestmark = pytest.mark.realdata


def detector(moving: bool = False) -> ObjectDetector:
    return ObjectDetector(Quality.BALANCED, device=Device.CPU, threads=2, moving=moving)


def test_faces_lie_inside_covered_people(data_dir: Path) -> None:
    count = people(data_dir, detector())
    assert count.found / count.all >= 0.97


def test_plates_lie_inside_covered_vehicles(data_dir: Path) -> None:
    count = vehicles(data_dir, detector())
    assert count.found / count.all >= 0.95


def test_every_frame_of_the_clip_shows_pedestrians(data_dir: Path) -> None:
    assert min(pedestrians(data_dir, detector(moving=True))) >= 3
