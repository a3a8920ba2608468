"""The gate of the text detector on photographed receipts."""

from pathlib import Path

import pytest
from benchmarks.recall_objects import text

from eyelid.detect.text import TextDetector
from eyelid.models.session import Device
from eyelid.types import Quality

pytestmark = pytest.mark.realdata


def test_lines_and_strokes_of_receipts_are_covered(data_dir: Path) -> None:
    detector = TextDetector(Quality.BALANCED, device=Device.CPU, threads=2, moving=False)
    lines, strokes = text(data_dir, detector)
    assert lines.found / lines.all >= 0.99
    assert strokes.found / strokes.all >= 0.995
