"""A party's key is made private and must stay so; its certificate must be in force and belong to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from eyelid.errors import InputError, OutputError
from eyelid.infer.mpc import certificates
from tests.full_disk import full_disk

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, Path]:
    certificates.make("clinic", tmp_path / "clinic.pem", tmp_path / "clinic.key")
    return tmp_path / "clinic.pem", tmp_path / "clinic.key"


def test_a_new_certificate_can_sign_no_other_and_its_key_is_private(made: tuple[Path, Path]) -> None:
    public, secret = made
    assert secret.stat().st_mode & 0o777 == 0o600
    loaded = x509.load_pem_x509_certificate(public.read_bytes())
    assert loaded.subject.rfc4514_string() == "CN=clinic"
    assert not loaded.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert b"PRIVATE" not in public.read_bytes()
    certificates.check(public.read_text(), secret, "clinic")


def test_nothing_is_overwritten(made: tuple[Path, Path], tmp_path: Path) -> None:
    before = made[1].read_bytes()
    with pytest.raises(OutputError, match="there already"):
        certificates.make("clinic", made[0], made[1])
    assert made[1].read_bytes() == before
    with pytest.raises(OutputError, match="cannot be written"):
        certificates.make("clinic", tmp_path / "no" / "a.pem", tmp_path / "no" / "a.key")


@pytest.mark.parametrize("room", [20, 250], ids=["key", "certificate"])
def test_a_full_disk_leaves_neither_of_both(tmp_path: Path, room: int) -> None:
    """The key has some 240 bytes, the certificate more than 400."""
    with full_disk(room), pytest.raises(OutputError, match="cannot be written"):
        certificates.make("clinic", tmp_path / "clinic.pem", tmp_path / "clinic.key")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    public, secret = made
    certificates.make("lab", tmp_path / "lab.pem", tmp_path / "lab.key")
    with pytest.raises(InputError, match="not the key of the certificate of clinic"):
        certificates.check(public.read_text(), tmp_path / "lab.key", "clinic")
    with pytest.raises(InputError, match="not a private key"):
        certificates.check(public.read_text(), public, "clinic")
    secret.chmod(0o640)
    with pytest.raises(InputError, match="chmod 600"):
        certificates.check(public.read_text(), secret, "clinic")


def test_a_certificate_out_of_date_or_damaged_is_refused(made: tuple[Path, Path], tmp_path: Path) -> None:
    certificates.make("old", tmp_path / "old.pem", tmp_path / "old.key", days=0)
    with pytest.raises(InputError, match="only; make a new one"):
        certificates.check((tmp_path / "old.pem").read_text(), tmp_path / "old.key", "old")
    with pytest.raises(InputError, match="damaged"):
        certificates.check(made[0].read_text().replace("A", "B"), made[1], "clinic")
