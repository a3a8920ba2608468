from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from tests.attack.faces import invented
from tests.privacy.seeded import seed_noise

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five people who do not exist, with five pictures each."""
    folder = tmp_path_factory.mktemp("faces")
    faces = invented(people=5, each=5)
    for i, (picture, person) in enumerate(zip(faces.pictures, faces.people, strict=True)):
        (folder / faces.names[person]).mkdir(exist_ok=True)
        cv2.imwrite(str(folder / faces.names[person] / f"{i}.png"), picture)
    return folder


QUICK = ("--seeds", "2", "--attackers", "nearest,discriminant")


def test_the_table_names_each_method_its_kind_and_each_level(here: Here, data: Path) -> None:
    done = here("attack", "reidentify", "--data", data, "-m", "pixelate:16,eyelid:pixelate", *QUICK)
    assert done.code == 0
    assert done.err == ""
    assert "5 people, 25 pictures, 2 splits; chance 20.0%" in done.out
    lines = [line.split() for line in done.out.splitlines()]
    assert [line[0] for line in lines if line and line[0].endswith(("pixelate:16", "pixelate"))] == [
        "pixelate:16",
        "eyelid:pixelate",
    ]
    for words in ("as published", "as eyelid ships it", "naive", "knows the method", "retrained", "100.0%"):
        assert words in done.out


def test_one_split_is_one_and_the_highest_rate_counts(here: Here, data: Path) -> None:
    """With few splits an attacker who knows less may come out ahead of one who knows more."""
    for attack in ("reidentify", "average"):
        options = ("--frames", "2") if attack == "average" else ("--attackers", "discriminant")
        done = here(
            "attack", attack, "--data", data, "-m", "dp-pixelate:eps=.1", "--seeds", "1", "--quiet", *options
        )
        assert (done.code, done.err) == (0, "")
        said = " ".join(done.out.split())
        assert "5 people, 25 pictures, 1 split" in said
        assert "splits" not in said
        assert "The highest rate of a method counts, whoever reaches it" in said
        assert "last line" not in said


def test_every_attacker_is_shown_on_request(here: Here, data: Path) -> None:
    done = here("attack", "reidentify", "--data", data, "-m", "clear", "--every", *QUICK)
    assert done.out.count("nearest") == 2
    assert done.out.count("discriminant") == 2


def test_json_has_a_line_for_each_method(here: Here, data: Path) -> None:
    done = here("attack", "reidentify", "--data", data, "-m", "clear,solid", "--json", *QUICK)
    assert [event["event"] for event in done.events] == ["result", "result"]
    clear, solid = done.events
    assert (clear["method"], clear["origin"], clear["people"]) == ("clear", "as published", 5)
    assert clear["strongest"][-1]["success"] >= 0.9
    assert solid["strongest"][-1]["success"] == pytest.approx(0.2)
    assert solid["strongest"][-1]["threat"]["knowledge"] == "retrained"


def test_averaging_shows_one_frame_beside_many(
    here: Here, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_noise(monkeypatch)  # among twenty probes one frame is as good as many in one of a thousand runs
    done = here(
        *("attack", "average", "--data", data, "-m", "dp-pixelate:eps=.1"),
        *("--frames", "30", "--seeds", "2", "--json"),
    )
    (event,) = done.events
    assert event["averaged"]["success"] > event["single"]["success"]
    shown = here(
        *("attack", "average", "--data", data, "-m", "pixelate:16", "--frames", "2", "--seeds", "1"),
    )
    assert "2 frames averaged" in shown.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--methods", "nothing"), 2, "no published method"),
        (("--methods", "clear", "--attackers", "magic"), 2, "no attacker 'magic'"),
        (("--methods", "clear", "--attackers", ","), 2, "no attacker is named"),
        (("--methods", ","), 2, "no method is named"),
        (("--methods", "pixelate:-1"), 2, "cannot use cell"),
    ],
)
def test_wrong_requests_are_one_sentence(
    here: Here, data: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    done = here("attack", "reidentify", "--data", data, *arguments)
    assert done.code == code
    assert words in done.sentence
    assert done.out == ""


def test_a_folder_without_people_is_one_sentence(here: Here, tmp_path: Path) -> None:
    done = here("attack", "reidentify", "--data", tmp_path, "--methods", "clear")
    assert done.code == 1
    assert "holds no person" in done.sentence
