"""``--method cloak`` on a video: refused with code 2 before anything starts; the rest of a folder goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.canary import Scene, save_scene, save_still

from .program import SPOT, names

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here

SCENE = Scene(open=None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "media"
    made.mkdir()
    save_scene(made / "clip.mp4", SCENE, 4)
    save_still(made / "photo.png", SCENE, 1)
    return made


def test_a_video_is_refused_before_anything_starts(
    here: Here, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("eyelid.jobs.anonymizer.Anonymizer.__init__")  # nothing is loaded
    before = names(folder)
    for sources in ([folder / "clip.mp4"], [folder / "photo.png", folder / "clip.mp4"]):
        done = here("anonymize", *sources, "--method", "cloak")
        assert done.code == 2
        assert done.sentence == (
            f"--method cloak is for photos and {folder / 'clip.mp4'} is a video; choose --method solid"
        )
        assert done.out == ""
        assert names(folder) == before


def test_in_a_folder_the_photos_are_done_and_the_videos_are_named(here: Here, folder: Path) -> None:
    done = here("anonymize", folder, "--method", "cloak:8,steps=1", *SPOT)
    assert done.code == 0
    assert "clip.mp4 is a video" in done.err
    out = folder.with_name("media.anon")
    assert names(out) == {"photo.png", "photo.png.evidence.json"}


def test_a_file_that_is_no_media_says_what_it_is(here: Here, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"%PDF-1.7")
    done = here("anonymize", tmp_path / "a.mp4", "--method", "cloak")
    assert done.code == 1
    assert "PDF" in done.sentence
