"""P3 on real photos: exact, and no protection of anybody."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from eyelid.attack.dataset import read_faces
from eyelid.attack.p3_public import P3PublicAttack
from eyelid.jobs.p3 import join, split
from eyelid.obfuscate.keys import generate_key
from tests.media.jpegs import pixels


@pytest.mark.realdata
def test_real_photos_come_back_exactly(data_dir: Path, tmp_path: Path) -> None:
    generate_key(tmp_path / "k")
    for photo in sorted((data_dir / "faces_detect").glob("*.jpg"))[:4]:
        copy = Path(shutil.copy(photo, tmp_path / photo.name))
        made = split(copy, tmp_path / "k")
        np.testing.assert_array_equal(pixels(join(made.public, tmp_path / "k")), pixels(photo))


@pytest.mark.realdata
def test_nine_of_ten_people_are_named_by_the_public_part(data_dir: Path) -> None:
    result = P3PublicAttack(10, seeds=3).run(read_faces(data_dir / "faces_orl"))
    assert result.success >= 0.9
    assert result.chance == pytest.approx(0.025)
