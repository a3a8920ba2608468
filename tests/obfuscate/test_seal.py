"""Only obfuscators turn raw frames into safe ones; the source itself is the witness."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import eyelid
from eyelid.types import SafeFrame, Seal
from tests.obfuscate.frames import make

SOURCE = Path(eyelid.__file__).parent


def test_only_obfuscators_hold_the_seal() -> None:
    holders = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
            everything = "*" in names
            names += [node.attr] if isinstance(node, ast.Attribute) else []
            names += [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
            if "_SEAL" in names or everything:
                holders.add(path.relative_to(SOURCE).parts[0])
    assert holders == {"obfuscate"}


def test_another_seal_is_refused() -> None:
    with pytest.raises(TypeError, match="obfuscator"):
        SafeFrame(make("L8", 2, 2), Seal())


def test_the_type_checker_refuses_a_raw_frame_where_a_safe_one_belongs(tmp_path: Path) -> None:
    snippet = tmp_path / "leak.py"
    snippet.write_text(
        "from eyelid.types import RawFrame, SafeFrame\n"
        "def write(frame: SafeFrame) -> None: ...\n"
        "def leak(frame: RawFrame) -> None:\n"
        "    write(frame)\n"
    )
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "--config-file=", str(snippet)],
        capture_output=True,
        text=True,
        check=False,
        env={"MYPYPATH": str(SOURCE.parent), "PATH": ""},
        cwd=tmp_path,
    )
    assert "leak.py:4" in run.stdout
    assert 'incompatible type "RawFrame"; expected "SafeFrame"' in run.stdout
