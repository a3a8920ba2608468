"""The probe finds what pictures show, and no more than the commonest label where they show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.audit.probe import Labels, accuracy
from eyelid.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import Bgr


def scene(bright: bool, seed: int) -> Bgr:
    rng = np.random.default_rng(seed)
    return np.clip(rng.normal(150 if bright else 100, 20, (9, 12, 3)), 0, 255).astype(np.uint8)


def test_what_pictures_show_is_found() -> None:
    bright = [i % 7 < 3 for i in range(60)]
    names = ["day" if b else "night" for b in bright]
    assert accuracy([scene(b, i) for i, b in enumerate(bright)], names) > 0.95
    assert accuracy([scene(True, i) for i in range(60)], names) < 0.75


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="two"):
        accuracy([scene(True, i) for i in range(10)], ["day"] * 10)
    with pytest.raises(UsageError, match="several times"):
        accuracy([scene(True, i) for i in range(4)], ["a", "b", "c", "d"])


def test_labels_hold_from_their_second_on(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("seconds,label\n1,walk\n2.5,run\n")
    labels = Labels(path)
    assert [labels.at(t) for t in (0.9, 1.0, 2.4, 2.5, 99)] == [None, "walk", "walk", "run", "run"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seconds,label\n",
        "a,b\n1,2\n",
        "seconds,label\nx,y\n",
        "seconds,label\n2,a\n1,b\n",
        "seconds,label\nnan,b\n",
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="seconds"):
        Labels(path)
    with pytest.raises(InputError, match="cannot be read"):
        Labels(tmp_path / "missing.csv")
