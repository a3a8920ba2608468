"""The gate of the face detector: recall on real photos, in every arithmetic that this processor has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.realdata

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "recall_faces.py"
LEAST = {"faces_detect": 0.99, "faces_wide": 0.985, "under 20 px": 0.97, "profile": 0.95, "dark": 0.95}
JUDGED = 279
MOST_ALARMS = 1


@pytest.fixture(scope="module")
def results(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the benchmark measures at the default quality, one entry an arithmetic."""
    table = tmp_path_factory.mktemp("recall") / "faces.json"
    subprocess.run(
        [sys.executable, BENCHMARK, "--data", data_dir, "--qualities", "balanced", "--json", table],
        check=True,
    )
    found: list[dict[str, Any]] = json.loads(table.read_text())
    return found


@pytest.mark.parametrize("tag", LEAST)
def test_faces_are_covered(results: list[dict[str, Any]], tag: str) -> None:
    for result in results:
        assert result["total"]["faces_wide"] == JUDGED
        assert result["found"][tag] / result["total"][tag] >= LEAST[tag], (result["name"], result["misses"])


def test_photos_without_faces_are_left_alone(results: list[dict[str, Any]]) -> None:
    for result in results:
        assert len(result["alarms"]) <= MOST_ALARMS, (result["name"], result["alarms"])
