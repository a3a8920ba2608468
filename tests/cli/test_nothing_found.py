"""No face at all, on the command line: one sentence, exit code 1, nothing written; a folder stays whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.canary import Scene, save_scene, save_still

from .program import SPOT, names

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here

EMPTY = Scene(hidden=(), open=None)


@pytest.mark.parametrize("method", ["dp-pixelate", "dp-blur", "metric", "svd", "remove", "cloak"])
@pytest.mark.parametrize("file", ["landscape.png", "landscape.mp4"])
def test_it_is_one_sentence_and_code_1(method: str, file: str, here: Here, tmp_path: Path) -> None:
    if file.endswith(".mp4") and method == "cloak":
        pytest.skip("a cloak is for photos")
    write = save_still if file.endswith(".png") else save_scene
    source = write(tmp_path / file, EMPTY, 1 if file.endswith(".png") else 12)
    done = here("anonymize", source, *SPOT, "--method", method)
    assert (done.code, done.out) == (1, "")
    assert done.sentence.startswith(f"no face was found in {source}, so {method} had nothing to work on")
    assert "--quality thorough or --detections" in done.sentence
    assert names(tmp_path) == {file}


def test_programs_read_that_it_failed(here: Here, tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", EMPTY)
    done = here("anonymize", source, *SPOT, "--method", "metric", "--json")
    assert done.code == 1
    (result,) = [event for event in done.events if event["event"] == "result"]
    assert (result["outcome"], result["output"], result["evidence"]) == ("failed", None, None)
    assert "no face was found" in result["message"]


def test_solid_writes_the_copy_and_says_what_it_found(here: Here, tmp_path: Path) -> None:
    done = here("anonymize", save_still(tmp_path / "a.png", EMPTY), *SPOT)
    assert done.code == 0
    assert "found no faces" in done.out
    assert names(tmp_path) == {"a.png", "a.anon.png", "a.anon.evidence.json"}


def test_in_a_folder_it_is_written_and_said(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    save_still(folder / "landscape.png", EMPTY)
    done = here("anonymize", folder, *SPOT, "--method", "dp-pixelate")
    assert (done.code, done.err) == (0, "")
    assert "landscape.png: found no faces | nothing was released with noise" in done.out
    assert names(tmp_path / "photos.anon") == {"landscape.png", "landscape.png.evidence.json"}
