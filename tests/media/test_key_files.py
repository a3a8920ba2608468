"""Keys come whole or not at all, for their owner alone, and never in the place of others."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from eyelid.errors import OutputError
from eyelid.media.key_files import KeyFile, write_new

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def _open_mask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("_open_mask")
def test_a_key_is_its_owner_s_whatever_the_mask(tmp_path: Path) -> None:
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    write_new(KeyFile(secret, b"secret"), KeyFile(public, b"public", 0o644))
    assert (secret.read_bytes(), public.read_bytes()) == (b"secret", b"public")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (secret, public)] == [0o600, 0o644]


@pytest.mark.parametrize("taken", ["file", "link to nothing"])
def test_none_is_written_where_one_is_taken(taken: str, tmp_path: Path) -> None:
    first, second = tmp_path / "key", tmp_path / "key.pub"
    if taken == "file":
        second.write_bytes(b"only key")
    else:
        second.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match=r"key\.pub exists and may be the only key"):
        write_new(KeyFile(first, b"new"), KeyFile(second, b"new"))
    assert list(tmp_path.iterdir()) == [second]
    assert taken != "file" or second.read_bytes() == b"only key"


@pytest.mark.parametrize("why", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_what_is_half_written_goes(
    why: BaseException, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_descriptor: int) -> None:
        raise why

    monkeypatch.setattr(os, "fsync", fails)
    expected = OutputError if isinstance(why, OSError) else KeyboardInterrupt
    with pytest.raises(expected) as raised:
        write_new(KeyFile(tmp_path / "key", b"secret"))
    assert list(tmp_path.iterdir()) == []
    assert "secret" not in str(raised.value)


def test_the_file_and_its_name_are_on_the_disk_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bool] = []
    real = os.fsync

    def counted(descriptor: int) -> None:
        synced.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    write_new(KeyFile(tmp_path / "key", b"secret"))
    assert synced == [False, True]


def test_a_key_file_shows_no_secret(tmp_path: Path) -> None:
    shown: Any = KeyFile(tmp_path / "key", b"secret")
    assert "secret" not in f"{shown} {shown!r}"
