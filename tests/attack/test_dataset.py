from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from eyelid.attack.dataset import Faces, read_faces, split
from eyelid.errors import InputError
from tests.attack.faces import invented

if TYPE_CHECKING:
    from pathlib import Path


def _folder(
    tmp_path: Path, people: dict[str, int], suffix: str = ".png", size: tuple[int, int] = (40, 32)
) -> Path:
    rng = np.random.default_rng(0)
    for name, count in people.items():
        (tmp_path / name).mkdir()
        for i in range(count):
            cv2.imwrite(str(tmp_path / name / f"{i}{suffix}"), rng.integers(0, 256, size).astype(np.uint8))
    return tmp_path


@given(st.lists(st.integers(3, 12), min_size=2, max_size=6), st.integers(0, 5))
def test_every_person_is_split_four_to_one_and_no_picture_is_on_both_sides(
    counts: list[int], seed: int
) -> None:
    people = np.repeat(np.arange(len(counts)), counts)
    parts = split(people, seed)
    assert sorted([*parts.training, *parts.probes]) == list(range(len(people)))
    for person, count in enumerate(counts):
        probes = int((people[parts.probes] == person).sum())
        assert probes == max(1, round(count / 5)) < count
    again, other = split(people, seed), split(people, seed + 1000)
    assert np.array_equal(again.probes, parts.probes)
    assert len(other.probes) == len(parts.probes)


def test_ten_pictures_are_split_eight_to_two_differently_by_seed_and_within_the_training() -> None:
    people = np.repeat(np.arange(40), 10)
    parts = split(people, 0)
    assert (len(parts.training), len(parts.probes)) == (320, 80)
    assert not np.array_equal(parts.probes, split(people, 1).probes)
    inner = split(people, 0, among=parts.training)
    assert set(inner.training) | set(inner.probes) == set(parts.training)
    assert len(inner.probes) == 80


@pytest.mark.parametrize("suffix", [".pgm", ".png", ".jpg", ".bmp", ".tiff", ".webp", ".JPG"])
def test_pictures_of_many_formats_are_read(tmp_path: Path, suffix: str) -> None:
    faces = read_faces(_folder(tmp_path, {"ann": 3, "bob": 4}, suffix))
    assert faces.pictures.shape == (7, 40, 32)
    assert faces.people.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert faces.names == ("ann", "bob")


def test_heic_is_read_too(tmp_path: Path) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    _folder(tmp_path, {"ann": 3, "bob": 3}, size=(64, 64))
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(tmp_path / "ann" / "x.heic")
    assert np.abs(read_faces(tmp_path).pictures[3].astype(int) - 90).max() <= 3


def test_what_is_no_picture_is_passed_over(tmp_path: Path) -> None:
    _folder(tmp_path, {"ann": 3, "bob": 3})
    (tmp_path / "README").write_text("where this is from")
    (tmp_path / "ann" / "notes.txt").write_text("notes")
    (tmp_path / "ann" / ".hidden.png").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    (tmp_path / ".cache").mkdir()
    assert len(read_faces(tmp_path).pictures) == 6


def test_pictures_of_several_sizes_or_large_ones_come_to_the_size_of_the_literature(tmp_path: Path) -> None:
    _folder(tmp_path, {"ann": 3, "bob": 3})
    cv2.imwrite(str(tmp_path / "bob" / "z.png"), np.zeros((50, 50), np.uint8))
    assert read_faces(tmp_path).pictures.shape == (7, 112, 92)
    (tmp_path / "large").mkdir()
    _folder(tmp_path / "large", {"ann": 3, "bob": 3}, size=(300, 300))
    assert read_faces(tmp_path / "large").pictures.shape == (6, 112, 92)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ({}, "no person"),
        ({"ann": 0}, "no person"),
        ({"ann": 5}, "one person"),
        ({"ann": 5, "bob": 2}, "too few"),
    ],
)
def test_too_little_is_one_sentence(tmp_path: Path, people: dict[str, int], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_faces(_folder(tmp_path, people))


def test_no_folder_a_file_and_damage_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        read_faces(tmp_path / "nowhere")
    _folder(tmp_path, {"ann": 3, "bob": 3})
    for content in (b"", b"\x89PNG\r\n\x1a\n damaged", b"ftypftypftypheic"):
        (tmp_path / "bob" / "broken.png").write_bytes(content)
        with pytest.raises(InputError, match=r"broken\.png.*take it out"):
            read_faces(tmp_path)
    with pytest.raises(InputError, match="not a folder"):
        read_faces(tmp_path / "bob" / "0.png")


def test_faces_that_cannot_be_split_do_not_exist() -> None:
    faces = invented(people=3, each=3, height=20, width=20)
    with pytest.raises(InputError, match="one person"):
        Faces(faces.pictures[:3], faces.people[:3], ("a",))
    with pytest.raises(InputError, match="too few pictures of c"):
        Faces(faces.pictures[:8], faces.people[:8], ("a", "b", "c"))
    with pytest.raises(ValueError, match="labels"):
        Faces(faces.pictures[:8], faces.people, ("a", "b", "c"))
