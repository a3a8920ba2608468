"""Methods with noise on the command line: what epsilon is said, and what is refused with nothing written."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.canary import Scene, pictures, save_scene, save_still

from .program import SPOT, names

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here

SCENE = Scene(open=None)


def test_a_still_says_epsilon_for_m_pixels_and_for_the_whole_region(here: Here, tmp_path: Path) -> None:
    source = save_still(tmp_path / "crowd.png", SCENE)
    options = ("--method", "dp-pixelate", "--epsilon", "0.5", "--pixels", "16", "--shape", "box")
    done = here("anonymize", source, *SPOT, *options, "--force")
    assert (done.code, done.err) == (0, "")
    evidence = json.loads((tmp_path / "crowd.anon.evidence.json").read_text())
    spent = evidence["privacy"]
    assert (spent["epsilon"], spent["pixels"]) == (0.5, 16)
    assert spent["epsilon_file"] == 0.5 * spent["releases"] == 0.5 * evidence["counts"][0]["detections"]
    assert spent["epsilon_whole"] >= 50
    assert f"epsilon {spent['epsilon_whole']:.4g} for a whole region, 0.5 for any 16 pixels of it" in done.out
    assert evidence["guarantee"]["kind"] == "dp"
    before = (tmp_path / "crowd.anon.png").read_bytes()
    assert here("anonymize", source, *SPOT, *options, "--force").code == 0
    assert (tmp_path / "crowd.anon.png").read_bytes() != before


def test_the_headline_is_epsilon_times_the_steps_through_the_region(here: Here, tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", Scene(hidden=(1,), open=None))
    here("anonymize", source, *SPOT, "-m", "dp-pixelate:eps=2,pixels=100", "--shape", "box", "--margin", "0")
    spent = json.loads((tmp_path / "a.anon.evidence.json").read_text())["privacy"]
    before, after = pictures(source)[0], pictures(tmp_path / "a.anon.png")[0]
    rows, columns = np.nonzero((before != after).any(axis=2))
    pixels = (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    assert spent["epsilon_whole"] == 2 * math.ceil(pixels / 100)


@pytest.mark.parametrize("method", ["dp-pixelate", "dp-blur:frames=3", "metric", "svd"])
def test_a_video_is_charged_once_a_track(method: str, here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 12)
    done = here("anonymize", source, *SPOT, "--method", method, "--epsilon", "0.25")
    assert (done.code, done.err) == (0, "")
    evidence = json.loads((tmp_path / "a.anon.evidence.json").read_text())
    spent, tracks = evidence["privacy"], evidence["counts"][0]["tracks"]
    assert tracks >= 1
    assert spent["releases"] == spent["accounts"] == tracks
    assert (spent["epsilon"], spent["epsilon_file"]) == (0.25, 0.25 * tracks)
    assert evidence["frames"]["total"] == 12
    assert len(pictures(tmp_path / "a.anon.mp4")) == 12
    assert here("verify", tmp_path / "a.anon.mp4").code == 0


BAD: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "no epsilon": (("-m", "dp-pixelate", "--epsilon", "0"), 2, ("epsilon", "greater")),
    "less than none": (("-m", "metric", "--epsilon", "-1"), 2, ("epsilon", "greater")),
    "not a number": (("-m", "dp-blur", "--epsilon", "nan"), 2, ("epsilon", "finite")),
    "endless": (("-m", "svd", "--epsilon", "inf"), 2, ("epsilon", "finite")),
    "no pixels": (("-m", "dp-pixelate", "--pixels", "0"), 2, ("pixels", "greater")),
    "a cell without size": (("-m", "dp-pixelate:cell=0"), 2, ("cell", "greater")),
    "a cell larger than every region": (("-m", "dp-pixelate:cell=400"), 1, ("cell of 400", "smaller cell")),
    "a budget for less than one": (("-m", "dp-pixelate:budget=.1"), 2, ("budget", "epsilon")),
    "a spent budget": (("-m", "dp-pixelate:file_budget=.6"), 1, ("budget", "spent", "nothing was written")),
    "a seed": (("-m", "dp-pixelate:seed=1"), 2, ("seed=1", "epsilon")),
    "a method without noise": (("--epsilon", "1"), 2, ("--epsilon", "dp-pixelate")),
    "a method without pixels": (("-m", "metric", "--pixels", "4"), 2, ("--pixels", "dp-pixelate")),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_is_one_sentence_and_writes_nothing(name: str, here: Here, tmp_path: Path) -> None:
    options, code, words = BAD[name]
    source = save_still(tmp_path / "a.png", SCENE)
    done = here("anonymize", source, *SPOT, *options)
    assert done.code == code
    for word in words:
        assert word in done.sentence
    assert names(tmp_path) == {"a.png"}


def test_a_file_whose_budget_is_spent_stops_no_other(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save_still(folder / "crowd.png", SCENE)
    save_still(folder / "one.png", Scene(hidden=(1,), open=None))
    done = here("anonymize", folder, *SPOT, "-m", "dp-pixelate:file_budget=.6")
    assert done.code == 1
    assert "budget" in done.sentence
    assert (tmp_path / "photos.anon" / "one.png").exists()
    assert not (tmp_path / "photos.anon" / "crowd.png").exists()


def test_no_option_names_a_seed(here: Here) -> None:
    assert "--seed" not in here("anonymize", "--help").out
    assert here("anonymize", "a.png", "--seed", "1").code == 2
