"""``eyelid p3``: sentences, exit codes, and nothing from libjpeg on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from tests.media.jpegs import jpeg, pixels, save

from .program import names

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here


@pytest.fixture
def key(here: Here, tmp_path: Path) -> Path:
    assert here("keygen", tmp_path / "k").code == 0
    return tmp_path / "k"


def test_split_says_that_people_are_recognised_and_join_that_they_are_seen(
    here: Here, key: Path, tmp_path: Path
) -> None:
    photo = save(tmp_path / "a.jpg", comment=b"note")
    done = here("p3", "split", photo, "--threshold", "10", "--key", key)
    assert (done.code, done.err) == (0, "")
    assert "without comment" in done.out
    assert "NOT anonymous" in done.out
    assert "eyelid attack reidentify" in done.out
    done = here("p3", "join", tmp_path / "a.p3.jpg", "--key", key)
    assert (done.code, done.err) == (0, "")
    assert "NOT anonymised" in done.out
    np.testing.assert_array_equal(pixels(tmp_path / "a.joined.jpg"), pixels(photo))


def test_json_holds_the_same(here: Here, key: Path, tmp_path: Path) -> None:
    done = here("p3", "split", save(tmp_path / "a.jpg"), "--key", key, "--json")
    (event,) = done.events
    assert event["guarantee"]["kind"] == "none"
    assert 0 < event["reidentification"]["rank_1"] <= 1
    assert event["reidentification"]["command"].startswith("eyelid attack reidentify")
    assert event["public_bytes"] == (tmp_path / "a.p3.jpg").stat().st_size
    (event,) = here("p3", "join", tmp_path / "a.p3.jpg", "--key", key, "--json").events
    assert event == {
        "event": "result",
        "output": str(tmp_path / "a.joined.jpg"),
        "exact": True,
        "filter": None,
    }


def test_a_resized_part_joins(here: Here, key: Path, tmp_path: Path) -> None:
    here("p3", "split", save(tmp_path / "a.jpg", "444", 200, 150), "--key", key)
    with Image.open(tmp_path / "a.p3.jpg") as image:
        image.resize((100, 75)).save(tmp_path / "small.png")
    arguments = ("p3", "join", tmp_path / "small.png", "--resized", "--key", key)
    done = here(*arguments)
    assert done.code == 1
    assert "small.png.secret cannot be read" in done.sentence
    assert "--secret" in done.sentence
    done = here(*arguments, "--secret", tmp_path / "a.p3.jpg.secret", "--json")
    assert done.code == 0, done.err
    assert done.events[0]["exact"] is False
    assert pixels(tmp_path / "small.joined.png").shape == (75, 100, 3)


BAD = {
    "empty.jpg": b"",
    "text.jpg": b"no picture " * 99,
    "cut.jpg": jpeg("420", 67, 50)[:500],
    "head.jpg": jpeg("420", 67, 50)[:9],
    "noise.jpg": b"\xff\xd8\xff" + np.random.default_rng(0).bytes(5000),
    "holed.jpg": jpeg("420", 67, 50)[:1500] + bytes(400) + jpeg("420", 67, 50)[1900:],
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_photo_is_one_sentence(name: str, here: Here, key: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(BAD[name])
    done = here("p3", "split", path, "--key", key)
    assert done.code == 1
    assert done.out == ""
    assert name in done.sentence
    assert names(tmp_path) == {name, "k"}


def test_a_png_is_refused_by_name(here: Here, key: Path, tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    done = here("p3", "split", tmp_path / "a.png", "--key", key)
    assert done.code == 1
    assert "PNG" in done.sentence
    assert names(tmp_path) == {"a.png", "k"}


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--threshold", "0"), 2, "choose 1 to 100"),
        (("--threshold", "1000"), 2, "choose 1 to 100"),
        (("--threshold", "ten"), 2, "threshold"),
        (("-o", "a.png"), 2, "ends in .jpg"),
        (("-o", "none/b.jpg"), 1, "create it first"),
    ],
)
def test_wrong_usage(
    options: tuple[str, str], code: int, words: str, here: Here, key: Path, tmp_path: Path
) -> None:
    done = here("p3", "split", save(tmp_path / "a.jpg"), "--key", key, *options)
    assert done.code == code
    assert words in done.err
    assert names(tmp_path) == {"a.jpg", "k"}


def test_keys_that_are_missing_or_none(here: Here, tmp_path: Path) -> None:
    photo = save(tmp_path / "a.jpg")
    assert here("p3", "split", photo).code == 2
    assert "none cannot be read" in here("p3", "split", photo, "--key", tmp_path / "none").sentence
    assert "not an eyelid key" in here("p3", "split", photo, "--key", photo).sentence
    assert names(tmp_path) == {"a.jpg"}


@pytest.mark.parametrize("options", [("--filter", "box"), ("--resized", "--filter", "sinc")])
def test_filters_that_make_no_sense(options: tuple[str, ...], here: Here, key: Path, tmp_path: Path) -> None:
    here("p3", "split", save(tmp_path / "a.jpg"), "--key", key)
    done = here("p3", "join", tmp_path / "a.p3.jpg", "--key", key, *options)
    assert done.code == 2
    assert "--filter" in done.sentence
    assert "a.joined.jpg" not in names(tmp_path)
