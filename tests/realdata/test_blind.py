"""A secret filter of unknown width, and no known pair: the mean of all keys names faces all the same."""

import secrets
from pathlib import Path

import pytest

from eyelid.attack.dataset import read_faces
from eyelid.attack.keyed_blur import KeyedBlur


@pytest.mark.slow
def test_faces_behind_a_secret_filter_are_named_blindly(data_dir: Path) -> None:
    attack = KeyedBlur(secrets.token_bytes(32), pairs=0)
    restored = attack.measure(read_faces(data_dir / "faces_orl"))
    result = attack.result(restored)
    assert result.beats_chance
    assert result.success >= 0.5
    assert result.success > restored.match_treated.mean()
