"""The attacks on one output: a table or lines of JSON, code 0 whatever they find, a sentence of refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.attack.test_voice import speech, write
from tests.canary import SIDE, backdrop, save_clip, save_still, texture
from tests.canary import Scene as Canaries
from tests.media.clips import Clip

from .program import Here, names

if TYPE_CHECKING:
    from pathlib import Path

    from tests.canary import Rgb

SPOT = ("--detector", "tests.canary:spot:face")


def two_people(moment: int, *, covered: bool) -> Rgb:
    """Draw two people who stand still, in red and in green, with a canary for a face."""
    drawn = backdrop(320, 240, moment)
    for seed, x, colour in ((1, 40, (220, 20, 20)), (2, 220, (20, 200, 20))):
        drawn[10 + SIDE :, x - SIDE : x + 2 * SIDE] = colour
        drawn[10 : 10 + SIDE, x : x + SIDE] = 0 if covered else texture(seed)
    return drawn


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An output in which both faces are black, and its original."""
    folder = tmp_path_factory.mktemp("film")
    return tuple(
        save_clip(folder / name, [two_people(i, covered=covered) for i in range(16)], rate=4)
        for name, covered in (("a.anon.mp4", True), ("a.mp4", False))
    )  # type: ignore[return-value]


def test_clothes_tell_people_whose_faces_are_black(here: Here, film: tuple[Path, Path]) -> None:
    output, original = film
    done = here("attack", "context", output, "--original", original, *SPOT, "--json")
    assert done.code == 0
    clothes, place = [event for event in done.events if event["event"] == "result"]
    assert (clothes["attack"], clothes["success"], clothes["chance"]) == ("context, clothes alone", 1, 0.5)
    assert (place["attack"], place["note"]) == ("context with place and time", "2 people")
    shown = here("attack", "context", output, "--original", original, *SPOT, "--quiet")
    assert (shown.code, shown.err) == (0, "")
    assert "context, clothes alone: 2 people" in shown.out
    assert names(output.parent) == {"a.mp4", "a.anon.mp4"}


def test_context_in_a_photo_says_what_it_needs(here: Here, tmp_path: Path) -> None:
    photo = save_still(tmp_path / "a.png", Canaries())
    done = here("attack", "context", photo, "--original", photo, *SPOT)
    assert done.code == 2
    assert "two people at least, each seen at two moments of a film; here 0" in done.sentence


def test_context_of_a_film_without_a_face_says_what_to_give(here: Here, tmp_path: Path) -> None:
    film = save_clip(tmp_path / "a.mp4", [backdrop(160, 120, moment) for moment in range(8)])
    done = here("attack", "context", film, "--original", film, *SPOT)
    assert (done.code, done.out) == (2, "")
    assert "here 0 could be followed so; give a film that shows more people" in done.sentence
    assert names(tmp_path) == {"a.mp4"}


def test_context_refuses_an_original_of_another_kind_or_length(
    here: Here, film: tuple[Path, Path], tmp_path: Path
) -> None:
    photo = save_still(tmp_path / "a.png", Canaries())
    assert "name the original" in here("attack", "context", film[0], "--original", photo).sentence
    longer = save_clip(tmp_path / "b.mp4", [two_people(i, covered=False) for i in range(17)], rate=4)
    done = here("attack", "context", film[0], "--original", longer, *SPOT)
    assert done.code == 2
    assert "name the original" in done.sentence
    assert here("attack", "context", film[0]).code == 2


def test_metadata_names_kinds_and_never_values(here: Here, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Camera of Jane Doe"
    told, clean = tmp_path / "told.jpg", tmp_path / "clean.jpg"
    picture = Image.fromarray(backdrop(64, 48))
    picture.save(told, exif=exif.tobytes())
    picture.save(clean)
    done = here("attack", "metadata", told, "--original", told, "--json")
    (event,) = done.events
    assert event["success"] == 2
    assert event["found"] == {
        "left": ["camera make and model"],
        "values_of_original": 1,
        "values_searched": 1,
    }
    assert "Jane" not in done.out
    shown = here("attack", "metadata", clean, "--original", told)
    assert (shown.code, shown.err) == (0, "")
    assert "metadata: none found" in shown.out


def test_voice_counts_seconds(here: Here, tmp_path: Path) -> None:
    silent, spoken = Clip(frames=25).write(tmp_path / "silent.mp4"), write(tmp_path / "a.mkv", speech(120))
    done = here("attack", "voice", silent)
    assert done.code == 0
    assert "voice: no sound" in done.out
    (event,) = here("attack", "voice", spoken, "--json").events
    assert event["found"]["voiced_seconds"] > 0
    assert event["success"] == event["found"]["voiced_seconds"] / event["found"]["seconds"]


def test_redetect_tells_when_and_how_often(here: Here, film: tuple[Path, Path]) -> None:
    output, original = film
    looks = ("-t", "face", "--every", "0", *SPOT, "--json")
    (event,) = [e for e in here("attack", "redetect", original, *looks).events if e["event"] == "result"]
    assert event["success"] == 1
    assert event["found"]["seen"][0]["times"] == pytest.approx(np.arange(16) / 4)
    done = here("attack", "redetect", output, "--original", original, *looks)
    assert done.events[0] == {
        "event": "progress",
        "file": str(output),
        "done": 1,
        "total": None,
        "unit": "frames",
    }
    assert "in the original face in 16 of 16 frames" in done.events[-1]["note"]
    assert done.events[-1]["found"]["original_frames"] == 16
    shown = here("attack", "redetect", original, "-t", "face", *SPOT, "--every", "0")
    assert "face, best score 0.90: 0.00 s, 0.25 s" in shown.out


def test_times_are_listed_up_to_a_limit_and_pages_by_number(
    here: Here, film: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyelid.cli.attack_file.MOMENTS", 3)
    shown = here("attack", "redetect", film[1], "-t", "face", *SPOT, "--every", "0")
    assert "0.50 s and 13 times more" in shown.out
    photo = save_still(tmp_path / "a.png", Canaries())
    assert ": page 1\n" in here("attack", "redetect", photo, "-t", "face", *SPOT).out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("metadata", "none.jpg"), 1, "none.jpg does not exist"),
        (("voice", "none.mp4"), 1, "does not exist"),
        (("redetect", "none.mp4", *SPOT, "-t", "face"), 1, "does not exist"),
        (("redetect", "a.png", "-t", "nose"), 2, "--targets nose"),
        (("redetect", "a.png", "-t", ""), 2, "--targets"),
        (("redetect", "a.png", "--every", "-1", "-t", "face", *SPOT), 2, "give 0 or more"),
        (("redetect", "a.png", "--threshold", "nan", "-t", "face", *SPOT), 2, "no detection has a score"),
        (("redetect", "a.png", "--device", "abacus"), 2, "--device abacus"),
        (("context", "none.mp4", "--original", "a.png"), 1, "does not exist"),
        (("metadata", "text.jpg"), 1, "text file"),
        (("voice", "text.jpg"), 1, "text file"),
    ],
)
def test_what_cannot_be_attacked_is_one_sentence(
    here: Here,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    save_still(tmp_path / "a.png", Canaries())
    (tmp_path / "text.jpg").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    done = here("attack", *arguments)
    assert (done.code, done.out) == (code, "")
    assert words in done.sentence
