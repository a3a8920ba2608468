"""The gate of the house: at default strength, nobody is recognised more often than by chance."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.realdata

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "reidentification.py"
DEFAULTS = ("solid", "pixelate", "blur")
WEAK = ("pixelate:1,levels=2", "pixelate:8,levels=256")


@pytest.fixture(scope="module")
def results(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the benchmark measures; dlib takes part where EYELID_DLIB_PYTHON names its environment."""
    table = tmp_path_factory.mktemp("reidentification") / "results.json"
    dlib = os.environ.get("EYELID_DLIB_PYTHON")
    found: list[dict[str, Any]] = []
    for view, methods in (("crop", ("clear", *DEFAULTS, *WEAK)), ("box", DEFAULTS)):
        subprocess.run(
            [
                *(sys.executable, BENCHMARK, "--data", data_dir, "--json", table),
                *("--views", view, "--methods", *methods),
                *(("--dlib-python", dlib) if dlib else ()),
            ],
            check=False,  # its exit status repeats what the tests below check one by one
        )
        found += json.loads(table.read_text())
    return found


@pytest.mark.parametrize("method", DEFAULTS)
@pytest.mark.parametrize("view", ["crop", "box"])
def test_default_strength_holds_chance(results: list[dict[str, Any]], method: str, view: str) -> None:
    rows = [r for r in results if r["method"] == method and r["view"] == view]
    assert {(r["attacker"], r["gallery"]) for r in rows} >= {
        ("faceres", "clear"),
        ("faceres", "alike"),
        ("retrained", "alike"),
    }
    for row in rows:
        assert row["holds_chance"], row
        assert row["rank1"]["low"] <= row["chance"] <= row["rank1"]["high"], row
        assert row["auc"]["low"] <= 0.5 <= row["auc"]["high"], row


def test_the_attackers_are_strong(results: list[dict[str, Any]]) -> None:
    for row in results:
        if row["method"] == "clear":
            assert row["rank1"]["low"] > 0.7, row


@pytest.mark.parametrize("method", WEAK)
def test_the_attackers_see_through_what_keeps_tones_of_the_picture(
    results: list[dict[str, Any]], method: str
) -> None:
    retrained = next(
        r for r in results if (r["method"], r["view"], r["attacker"]) == (method, "crop", "retrained")
    )
    assert not retrained["holds_chance"]
    assert retrained["auc"]["low"] > 0.5
