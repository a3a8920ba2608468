"""Runs the command line for the tests: in this process, or in one of its own that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from eyelid.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PROGRAM = [sys.executable, "-c", "from eyelid.cli import main; main()"]
SPOT = ("--targets", "face", "--detector", "tests.canary:spot:face")
"""Options that find canaries, without loading a network."""


@dataclass(frozen=True)
class Done:
    """How a run ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """The one sentence on stderr, without the name of the program."""
        assert self.err.startswith("eyelid: ")
        assert self.err.endswith("\n")
        assert self.err.count("\n") == 1, self.err
        return self.err.removeprefix("eyelid: ").rstrip("\n")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of ``--json``."""
        return [json.loads(line) for line in self.out.splitlines()]


def start(
    *arguments: str | Path, session: bool = False, limit: Callable[[], None] | None = None
) -> subprocess.Popen[str]:
    """Start the program, in a session of its own where signals go to all of its processes."""
    return subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=session,
        preexec_fn=limit,  # the tests start it from their only thread
    )


def run(*arguments: str | Path, limit: Callable[[], None] | None = None) -> Done:
    """Run the program to its end in a process of its own."""
    process = start(*arguments, limit=limit)
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


class Here:
    """Runs the program in this process, which is faster."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capfd = monkeypatch, capfd

    def __call__(self, *arguments: str | Path) -> Done:
        self._monkeypatch.setattr(sys, "argv", ["eyelid", *map(str, arguments)])
        self._monkeypatch.delenv("EYELID_DEBUG", raising=False)
        self._capfd.readouterr()
        before = signal.getsignal(signal.SIGTERM)
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGTERM, before)
        said = self._capfd.readouterr()
        code = ended.value.code
        return Done(code if isinstance(code, int) else int(code is not None), said.out, said.err)


def names(folder: Path) -> set[str]:
    """Return the paths of all files below a folder, relative to it."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}


def signal_all(process: subprocess.Popen[str], number: signal.Signals) -> None:
    """Send a signal to the process and its children, as a terminal does."""
    os.killpg(process.pid, number)
