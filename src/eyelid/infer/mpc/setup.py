"""SPU's own environment: it needs Python 3.11 and numpy 1, so it never shares eyelid's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from eyelid.errors import InferenceError

if TYPE_CHECKING:
    from collections.abc import Callable

ENVIRONMENT = "EYELID_MPC_ENV"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
STAMP = "eyelid-requirements.txt"
NEEDED = (3, 11)


def default_folder() -> Path:
    """Return where the environment lies: EYELID_MPC_ENV, or ``eyelid/mpc`` in the user's data folder."""
    if chosen := os.environ.get(ENVIRONMENT):
        return Path(chosen)
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "eyelid" / "mpc"


def missing(folder: Path | None = None) -> str | None:
    """Return why no party can run here, as a sentence, or None when the environment is complete."""
    where = folder or default_folder()
    stamp = where / STAMP
    if not _python(where).exists() or not stamp.is_file():
        return f"The environment of SPU is not there ({where}); make it with 'eyelid infer mpc setup'."
    if stamp.read_bytes() != REQUIREMENTS.read_bytes():
        return f"The environment of SPU in {where} is of another version; 'eyelid infer mpc setup' renews it."
    return None


def interpreter(folder: Path | None = None) -> Path:
    """Return the Python that runs a party; raises :class:`InferenceError` when it is not set up."""
    if reason := missing(folder):
        raise InferenceError(reason)
    return _python(folder or default_folder())


def make(
    folder: Path | None = None, *, python: str | None = None, say: Callable[[str], None] = lambda _: None
) -> Path:
    """Make the environment (about 1 GB, from the package index that pip is set to) unless it is there.

    It is built beside its place and renamed, so that an interrupted set-up leaves nothing that looks whole.
    ``python`` names a Python 3.11. Raises :class:`InferenceError` where that or SPU's wheel is not to be had.
    """
    where = folder or default_folder()
    if missing(where) is None:
        return where
    if where.exists() and any(where.iterdir()) and not (where / "pyvenv.cfg").exists():
        raise InferenceError(f"{where} holds other files; name an empty or new folder with --folder.")
    base = _find_python(python)
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{where.name}.", dir=where.parent))
    except OSError as error:
        raise InferenceError(
            f"{where.parent} cannot be written; name another folder with --folder."
        ) from error
    try:
        say(f"Setting up SPU in {where}: about 1 GB")
        _run([base, "-m", "venv", str(building)], "A virtual environment could not be made")
        pip = [str(_python(building)), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        _run(
            [*pip, "--only-binary", ":all:", "--requirement", str(REQUIREMENTS)], "SPU could not be installed"
        )
        shutil.copyfile(REQUIREMENTS, building / STAMP)
        if where.exists():
            shutil.rmtree(where)
        building.rename(where)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return where


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _find_python(wanted: str | None) -> str:
    for candidate in [wanted] if wanted else [sys.executable, "python3.11", "python3"]:
        if (path := shutil.which(candidate)) and _version(path) == NEEDED:
            return path
    named = f"{wanted} is not one" if wanted else "none is on the PATH"
    raise InferenceError(f"SPU needs Python 3.11, and {named}; install it or name it with --python.")


def _version(python: str) -> tuple[int, ...] | None:
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 -- a Python that the user has or names
    except (OSError, subprocess.SubprocessError):
        return None
    return tuple(int(part) for part in done.stdout.split())


def _run(command: list[str], failed: str) -> None:
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "PYTHONPATH")}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=kept)  # noqa: S603 -- our own command
    except OSError as error:
        raise InferenceError(f"{failed}: {error.strerror}.") from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or [
            done.stderr[-200:]
        ]
        raise InferenceError(f"{failed}: {lines[-1].removeprefix('ERROR: ').strip()}")
