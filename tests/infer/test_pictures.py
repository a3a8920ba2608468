from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from eyelid.errors import InputError
from eyelid.infer.pictures import check, load, load_named

if TYPE_CHECKING:
    from pathlib import Path


def test_a_picture_becomes_grey_or_rgb(tmp_path: Path) -> None:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 20), (255, 0, 51)).save(path)
    colour = load(path, (3, 10, 20))
    assert colour.shape == (1, 3, 10, 20)
    assert colour.dtype == np.float32
    np.testing.assert_allclose(colour[0, :, 5, 5], [1, 0, 0.2], atol=0.01)
    np.testing.assert_allclose(load(path, (1, 28, 28))[0, 0], 0.299 + 0.114 * 0.2, atol=0.01)


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, grey in (("b.png", 200), ("a.png", 100)):
        Image.new("L", (8, 8), grey).save(tmp_path / name)
    assert (load(tmp_path, (1, 8, 8)).mean(axis=(1, 2, 3)) * 255).round().tolist() == [100, 200]


def test_every_image_has_the_name_of_its_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("b.png", "a.png"):
        Image.new("L", (8, 8)).save(folder / name)
    for name, count in (("two.npy", 2), ("one.npy", 1)):
        np.save(tmp_path / name, np.zeros((count, 1, 8, 8)))
    two, one = tmp_path / "two.npy", tmp_path / "one.npy"
    images, names = load_named([two, folder, one], (1, 8, 8))
    assert len(images) == 5
    assert names == [f"{two}[0]", f"{two}[1]", str(folder / "a.png"), str(folder / "b.png"), str(one)]


def test_an_array_file_is_checked(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((2, 1, 4, 4), np.nan))
    with pytest.raises(InputError, match=r"x.npy: .*not numbers"):
        load(tmp_path / "x.npy", (1, 4, 4))


def test_what_a_network_cannot_take_is_refused(tmp_path: Path) -> None:
    shape = (1, 4, 4)
    assert check(np.full((4, 4), 255, np.uint8), shape).shape == (1, 1, 4, 4)
    with pytest.raises(InputError, match="3 x 3"):
        check(np.zeros((3, 3)), shape)
    with pytest.raises(InputError, match="outside"):
        check(np.full(shape, 2.0), shape)
    with pytest.raises(InputError, match="real numbers"):
        check(np.zeros(shape, complex), shape)
    (tmp_path / "t.png").write_text("no picture")
    with pytest.raises(InputError):
        load(tmp_path / "t.png", shape)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no image"):
        load(tmp_path / "empty", shape)


def test_strided_views_come_out_contiguous() -> None:
    wide = np.random.default_rng(0).random((2, 1, 4, 8))
    found = check(wide[..., ::2], (1, 4, 4))
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(found, wide[..., ::2].astype(np.float32))
