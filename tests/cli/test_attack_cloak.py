"""``eyelid attack cloak``: a line for each recogniser, attacker and upload, or one sentence of refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest

from tests.attack.faces import invented

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people with three pictures each."""
    folder = tmp_path_factory.mktemp("faces")
    faces = invented(people=4, each=3, height=48, width=40)
    for i, (picture, person) in enumerate(zip(faces.pictures, faces.people, strict=True)):
        (folder / f"p{person}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"p{person}" / f"{i}.png"), picture)
    return folder


def test_it_prints_a_table(here: Here, data: Path) -> None:
    done = here("attack", "cloak", "--data", data, "--method", "cloak:8,steps=1", "--people", "1")
    assert done.code == 0, done.err
    assert "1 person cloaked, 4 in the gallery; chance 25.0%" in done.out
    for word in (
        "faceres",
        "dlibface",
        "pixels",
        "known",
        "UNKNOWN",
        "learnt",
        "naive",
        "retrained",
        "together",
        "JPEG 85",
    ):
        assert word in done.out


def test_programs_get_a_line_for_each(here: Here, data: Path) -> None:
    done = here(
        *("attack", "cloak", "--data", data, "--people", "2"),
        *("--method", "cloak:8,steps=1", "--against", "dlibface", "--json"),
    )
    assert done.code == 0, done.err
    results = [event for event in done.events if event["event"] == "result"]
    assert len(results) == 3 * 2 * 3 + 3
    assert {(r["recogniser"], r["seen"]) for r in results} == {
        ("faceres", False),
        ("dlibface", True),
        ("pixels", False),
        ("all together", False),
    }
    known = [r["result"]["threat"]["knowledge"] for r in results]
    assert (known.count("naive"), known.count("knows the method"), known.count("retrained")) == (9, 9, 3)
    assert [r["recogniser"] for r in results[-3:]] == ["all together"] * 3
    assert [r["upload"] for r in results[-3:]] == ["as it is", "JPEG 85", "half size, JPEG 85"]
    for r in results:
        assert r["against"] == ["dlibface"]
        assert 0 <= r["result"]["success"] <= 1
        assert 0 <= r["clear"] <= 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "solid"), "solid is no cloak"),
        (("--against", "dlib"), "cannot be made against dlib; choose among faceres, dlibface"),
        (("--against", ","), "against nobody"),
    ],
)
def test_what_cannot_be_attacked_is_one_sentence(
    here: Here, data: Path, options: tuple[str, str], words: str
) -> None:
    done = here("attack", "cloak", "--data", data, *options)
    assert done.code == 2
    assert words in done.sentence
