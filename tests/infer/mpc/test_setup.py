"""The environment of SPU is whole or not there; what is missing is said."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from eyelid.errors import InferenceError
from eyelid.infer.mpc import setup

if TYPE_CHECKING:
    from pathlib import Path


def test_its_place_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(setup.ENVIRONMENT, str(tmp_path / "here"))
    assert setup.default_folder() == tmp_path / "here"
    monkeypatch.delenv(setup.ENVIRONMENT)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert setup.default_folder() == tmp_path / "eyelid" / "mpc"


def test_what_is_missing_or_old_is_said(tmp_path: Path) -> None:
    reason = setup.missing(tmp_path)
    assert reason is not None
    assert "eyelid infer mpc setup" in reason
    with pytest.raises(InferenceError, match="eyelid infer mpc setup"):
        setup.interpreter(tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / setup.STAMP).write_text("spu==0.9.4\n")
    assert "another version" in (setup.missing(tmp_path) or "")
    shutil.copyfile(setup.REQUIREMENTS, tmp_path / setup.STAMP)
    assert setup.missing(tmp_path) is None


def test_another_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InferenceError, match=r"SPU needs Python 3\.11, and /bin/true is not one"):
        setup.make(tmp_path / "env", python="/bin/true")
    assert not (tmp_path / "env").exists()


def test_a_folder_with_other_files_is_kept(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("work")
    with pytest.raises(InferenceError, match="holds other files"):
        setup.make(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "work"


def test_a_set_up_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = sys.executable if sys.version_info[:2] == (3, 11) else shutil.which("python3.11")
    if base is None:
        pytest.skip("needs Python 3.11")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InferenceError, match=r"SPU could not be installed: .*spu==0\.9\.5"):
        setup.make(tmp_path / "env", python=base)
    assert list(tmp_path.iterdir()) == []
