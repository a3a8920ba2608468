"""The secret part opens for its key and its public file, untouched, and for nothing else."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelid.errors import LockError
from eyelid.obfuscate.p3_format import open_secret, seal

if TYPE_CHECKING:
    from pathlib import Path

KEY, OTHER = bytes(range(32)), bytes(32)
PUBLIC, JPEG = b"the public file", b"the secret coefficients" * 9


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    path = tmp_path / "a.secret"
    path.write_bytes(seal(JPEG, PUBLIC, 10, KEY))
    return path


def test_what_was_sealed_comes_back(sealed: Path) -> None:
    part = open_secret(sealed, KEY)
    assert (part.threshold, part.jpeg) == (10, JPEG)
    assert part.public_sha256 == hashlib.sha256(PUBLIC).digest()
    part.check(PUBLIC, "a", "a.secret")


def test_nothing_readable_is_in_the_file(sealed: Path) -> None:
    data = sealed.read_bytes()
    assert b"secret coefficients" not in data
    assert len(data) == 8 + 1 + 2 + 32 + 32 + 16 + len(JPEG) + 16


def test_the_same_photo_never_gives_the_same_file() -> None:
    assert seal(JPEG, PUBLIC, 10, KEY)[100:] != seal(JPEG, PUBLIC, 10, KEY)[100:]


def test_another_key_is_named(sealed: Path) -> None:
    with pytest.raises(LockError, match=r"wrong key for .*a\.secret"):
        open_secret(sealed, OTHER)


@pytest.mark.parametrize("other", [b"the public fil", b"the public file ", b"", b"another"])
def test_another_public_file_is_refused(sealed: Path, other: bytes) -> None:
    with pytest.raises(LockError, match="does not belong"):
        open_secret(sealed, KEY).check(other, "a", "a.secret")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(sealed: Path, place: int, bit: int) -> None:
    """Threshold, hash, salt, check, ciphertext, tag: all of them are authenticated."""
    data = bytearray(sealed.read_bytes())
    data[place % len(data)] ^= 1 << bit
    altered = sealed.with_name("b.secret")
    altered.write_bytes(data)
    with pytest.raises(LockError):
        open_secret(altered, KEY)


@pytest.mark.parametrize("cut", [0, 5, 90, 91, 100, -1])
def test_a_file_cut_short_is_refused(sealed: Path, cut: int) -> None:
    sealed.write_bytes(sealed.read_bytes()[:cut])
    with pytest.raises(LockError, match=r"secret part|altered or is not complete"):
        open_secret(sealed, KEY)


def test_a_newer_format_asks_for_an_update(sealed: Path) -> None:
    data = bytearray(sealed.read_bytes())
    data[8] = 2
    sealed.write_bytes(data)
    with pytest.raises(LockError, match="update eyelid"):
        open_secret(sealed, KEY)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"none\.secret cannot be read.*--secret"):
        open_secret(tmp_path / "none.secret", KEY)
