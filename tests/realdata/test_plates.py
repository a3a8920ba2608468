"""The gates of the plate detector on real photos."""

from pathlib import Path

import pytest
from benchmarks.recall_plates import COVERED, detector_for, measure, read

from eyelid.models.session import Precision
from eyelid.types import Quality

pytestmark = pytest.mark.realdata


@pytest.mark.parametrize("region", ["eu", "us", "br"])
def test_recall_and_area_outside(data_dir: Path, region: str) -> None:
    results = measure(data_dir / "plates" / region, detector_for(Quality.BALANCED, Precision.AUTO))
    missed = [r.name for r in results if r.covered < COVERED]
    assert len(missed) / len(results) <= 0.05, missed
    assert sum(r.outside for r in results) / len(results) < 0.03


def test_chinese_plates_are_found(data_dir: Path) -> None:
    detector = detector_for(Quality.BALANCED, Precision.AUTO)
    for path in sorted((data_dir / "plates" / "cn").glob("*.jpg")):
        (found,) = detector.detect([read(path)])
        assert len(found) >= 1, path.name


def test_photos_without_plates_alarm_rarely(data_dir: Path) -> None:
    detector = detector_for(Quality.BALANCED, Precision.AUTO)
    photos = sorted((data_dir / "faces_wide").glob("*.jpg"))
    shown = {"street_grey.jpg", "truck.jpg"}  # these do show a plate each
    alarmed = [p.name for p in photos if p.name not in shown and len(detector.detect([read(p)])[0])]
    assert len(alarmed) <= 1, alarmed
