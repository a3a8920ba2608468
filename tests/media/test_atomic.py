from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from eyelid.errors import OutputError
from eyelid.media.atomic import atomic_output, check_output


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _write_half(final: Path, error: type[BaseException]) -> None:
    with atomic_output(final, force=True) as partial:
        partial.write_bytes(b"half")
        raise error


def _write_twice(final: Path) -> None:
    with atomic_output(final, force=False) as slow:
        slow.write_bytes(b"slow")
        with atomic_output(final, force=False) as fast:
            fast.write_bytes(b"fast")


def test_appears_whole_with_the_permissions_of_a_new_file(tmp_path: Path) -> None:
    final, plain = tmp_path / "out.jpg", tmp_path / "plain"
    plain.touch()
    with atomic_output(final, force=False) as partial:
        assert partial.parent == tmp_path
        assert partial.name.startswith(".out.")
        assert partial.name.endswith(".partial.jpg")
        assert stat.S_IMODE(partial.stat().st_mode) == 0o600
        partial.write_bytes(b"whole")
        assert not final.exists()
    assert final.read_bytes() == b"whole"
    assert final.stat().st_mode == plain.stat().st_mode
    assert final.stat().st_nlink == 1
    assert _names(tmp_path) == ["out.jpg", "plain"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_any_exception_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    with pytest.raises(error):
        _write_half(tmp_path / "out.jpg", error)
    assert _names(tmp_path) == []


def test_existing_file_is_kept_without_force_and_replaced_with_it(tmp_path: Path) -> None:
    final = tmp_path / "out.jpg"
    final.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"), atomic_output(final, force=False):
        pytest.fail("must not begin")
    with pytest.raises(RuntimeError):
        _write_half(final, RuntimeError)
    assert final.read_bytes() == b"old"
    with atomic_output(final, force=True) as partial:
        partial.write_bytes(b"new")
    assert final.read_bytes() == b"new"


def _without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)


def _without_renameat2(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_links(monkeypatch)
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())


@pytest.mark.parametrize("file_system", [None, _without_links, _without_renameat2])
def test_of_two_runs_the_first_to_finish_wins(
    file_system: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if callable(file_system):
        file_system(monkeypatch)
    final = tmp_path / "out.jpg"
    with pytest.raises(OutputError, match="exists already"):
        _write_twice(final)
    assert final.read_bytes() == b"fast"
    assert _names(tmp_path) == ["out.jpg"]


def test_leftovers_of_dead_runs_go_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    final = tmp_path / "out[1].jpg"
    dead, other = tmp_path / ".out[1].01234567.partial.jpg", tmp_path / ".else.01234567.partial.jpg"
    dead.write_bytes(b"half")
    other.write_bytes(b"half")
    with atomic_output(final, force=False) as living:
        assert not dead.exists()
        with atomic_output(final, force=False) as second:
            second.write_bytes(b"x")
        assert living.exists()
        final.unlink()
    assert _names(tmp_path) == sorted([other.name, final.name])


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    for final, reason in [
        (tmp_path / "none" / "out.jpg", "does not exist; create it"),
        (tmp_path, "not a regular file"),
        (Path(os.devnull), "not a regular file"),
        (tmp_path / ("x" * 300 + ".jpg"), "too long"),
        (Path(), "is a folder"),
    ]:
        with pytest.raises(OutputError, match=reason), atomic_output(final, force=True):
            pytest.fail("must not begin")


def test_long_names_work(tmp_path: Path) -> None:
    final = tmp_path / ("ä" * 120 + ".jpg")
    with atomic_output(final, force=False) as partial:
        partial.write_bytes(b"x")
    assert final.exists()


def test_no_space_left(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with (
            pytest.raises(OutputError, match="no space left"),
            atomic_output(tmp_path / "out.png", force=False) as partial,
        ):
            partial.write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert _names(tmp_path) == []


def test_a_failed_sync_is_no_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(OutputError, match="no space left"),
        atomic_output(tmp_path / "out.png", force=False) as partial,
    ):
        partial.write_bytes(b"x")
    assert _names(tmp_path) == []


def test_the_content_is_synced_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final, order = tmp_path / "out.png", []
    real = os.fsync

    def spy(descriptor: int) -> None:
        order.append((stat.S_ISDIR(os.fstat(descriptor).st_mode), final.exists()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", spy)
    with atomic_output(final, force=False) as partial:
        partial.write_bytes(b"x")
    assert order == [(False, False), (True, True)]


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = tmp_path / "in.jpg"
    source.write_bytes(b"raw")
    (tmp_path / "soft.jpg").symlink_to(source)
    (tmp_path / "hard.jpg").hardlink_to(source)
    for final in (source, tmp_path / "soft.jpg", tmp_path / "hard.jpg", tmp_path / "." / "in.jpg"):
        with pytest.raises(OutputError, match="input itself"):
            check_output(source, final, force=True)
    check_output(source, tmp_path / "out.jpg", force=False)


_WRITER = """
import sys
from pathlib import Path
from eyelid.media.atomic import atomic_output
folder = Path(sys.argv[1])
print("ready", flush=True)
for i in range(100000):
    with atomic_output(folder / f"{i % 7}.bin", force=True) as partial, partial.open("wb") as stream:
        for _ in range(20):
            stream.write(bytes([i % 251]) * 4096)
"""


def test_killed_at_any_moment_no_half_file_has_the_final_name(tmp_path: Path) -> None:
    moments = random.Random(7)
    for _ in range(20):
        child = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(moments.uniform(0, 0.05))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        for final in tmp_path.glob("[0-9].bin"):
            content = final.read_bytes()
            assert len(content) == 20 * 4096
            assert len(set(content)) == 1
    for i in range(7):
        with atomic_output(tmp_path / f"{i}.bin", force=True) as partial:
            partial.write_bytes(b"x")
    assert _names(tmp_path) == [f"{i}.bin" for i in range(7)]


def test_a_cleaner_that_comes_first_does_not_take_the_file_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between creating and locking the partial file another run may delete it: then a new one is made."""
    real = fcntl.flock
    calls: list[int] = []

    def lock(descriptor: int, how: int) -> None:
        if not calls:
            next(tmp_path.glob(".out.*")).unlink()
        calls.append(how)
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lock)
    with atomic_output(tmp_path / "out.jpg", force=False) as partial:
        partial.write_bytes(b"x")
    assert (tmp_path / "out.jpg").read_bytes() == b"x"
    assert len(calls) == 2
