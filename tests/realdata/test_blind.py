"""A secret filter of unknown width, and no known pair: the mean of all keys names faces all the same."""

from pathlib import Path

import numpy as np
import pytest

from eyelid.attack.dataset import read_faces
from eyelid.attack.keyed_blur import KeyedBlur

KEYS = 4
"""How many are named depends on the key, from fewer than half to all: one drawn anew would fail by chance."""


@pytest.mark.slow
def test_faces_behind_a_secret_filter_are_named_blindly(data_dir: Path) -> None:
    faces = read_faces(data_dir / "faces_orl")
    named = []
    for number in range(KEYS):
        attack = KeyedBlur(bytes([number]) * 32, pairs=0)
        restored = attack.measure(faces)
        result = attack.result(restored)
        assert result.beats_chance
        assert result.success >= 0.5
        assert result.success > restored.match_treated.mean()
        named.append(result.success)
    assert np.mean(named) >= 0.7
