"""``eyelid infer plan``: three ways of private inference side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.infer.test_plan import network

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here


def test_the_command(here: Here, tmp_path: Path) -> None:
    pytest.importorskip("seal", reason="needs seal-python: pip install 'eyelid[he]'")
    model = network(tmp_path / "a.onnx", 32)
    done = here("infer", "plan", model)
    assert done.code == 0, done.err
    for word in ("encrypted", "cheetah", "aby3", "enclave", "assumes:", "learns:"):
        assert word in done.out
    ways = [json.loads(line) for line in here("infer", "plan", model, "--json").out.splitlines()]
    assert [way["event"] for way in ways] == ["way"] * 4
    np.save(tmp_path / "images.npy", np.random.default_rng(0).random((4, 1, 8, 8)))
    assert here("infer", "plan", model, "--calibrate", tmp_path / "images.npy").code == 0
    missing = here("infer", "plan", tmp_path / "none.onnx")
    assert missing.code == 1
    assert "none.onnx" in missing.sentence
