"""configfs-tsm on a folder that does what the kernel does: the contract, not the hardware."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path
from typing import Any, ClassVar

import pytest

from eyelid.errors import AttestationError
from eyelid.infer.enclave.attester import TsmAttester
from eyelid.infer.enclave.evidence import Kind
from eyelid.infer.enclave.tsm import certificate_table, check, collect

DATA = bytes(range(64))


class Kernel(type(Path())):  # type: ignore[misc]  # the path of this platform
    """A folder in which a new folder has attributes, as configfs makes them."""

    provider: ClassVar[bytes] = b"tdx_guest\n"
    aux: ClassVar[bytes] = b""
    racing: ClassVar[int] = 0

    def mkdir(self, *args: Any, **options: Any) -> None:
        Path(self).mkdir()
        for name, content in (("provider", self.provider), ("generation", b"0\n"), ("auxblob", self.aux)):
            Path(self, name).write_bytes(content)

    def write_bytes(self, data: Any) -> int:
        assert self.name == "inblob"
        if len(data) != 64:
            raise OSError(errno.EINVAL, "Invalid argument")
        counter = Path(self.parent, "generation")
        steps = 1
        if type(self).racing:
            type(self).racing -= 1
            steps = 2
        counter.write_text(f"{int(counter.read_text()) + steps}\n")
        Path(self.parent, "outblob").write_bytes(b"report over " + data)
        return len(data)

    def rmdir(self) -> None:
        for part in Path(self).iterdir():
            part.unlink()
        Path(self).rmdir()


@pytest.fixture
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(Kernel, "provider", b"tdx_guest\n")
    monkeypatch.setattr(Kernel, "racing", 0)
    return Kernel(tmp_path)


def test_a_report_is_collected_and_its_entry_removed(kernel: Path) -> None:
    evidence = collect(Kind.TDX, DATA, kernel)
    assert evidence.kind is Kind.TDX
    assert evidence.report == b"report over " + DATA
    assert list(Path(kernel).iterdir()) == []


def test_snp_brings_its_certificates(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = [b"vcek certificate", b"ask"]
    table, start = b"", 24 * 3
    for index, content in enumerate(certificates):
        table += bytes([index + 1]) * 16 + start.to_bytes(4, "little") + len(content).to_bytes(4, "little")
        start += len(content)
    table += bytes(24) + b"".join(certificates)
    assert certificate_table(table) == certificates
    assert certificate_table(b"") == []
    with pytest.raises(AttestationError, match="damaged"):
        certificate_table(table[:-1])
    monkeypatch.setattr(Kernel, "provider", b"sev_guest\n")
    monkeypatch.setattr(Kernel, "aux", table)
    assert collect(Kind.SEV_SNP, DATA, kernel).certificates == tuple(certificates)


def test_another_provider_is_refused(kernel: Path) -> None:
    with pytest.raises(AttestationError, match="tdx_guest, not of sev_guest"):
        collect(Kind.SEV_SNP, DATA, kernel)
    assert list(Path(kernel).iterdir()) == []


def test_another_programs_write_between_is_noticed(kernel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Kernel, "racing", 2)
    assert collect(Kind.TDX, DATA, kernel).report == b"report over " + DATA
    monkeypatch.setattr(Kernel, "racing", 3)
    with pytest.raises(AttestationError, match="same time"):
        collect(Kind.TDX, DATA, kernel)


@pytest.mark.parametrize("kind", [Kind.TDX, Kind.SEV_SNP])
def test_a_machine_without_it_is_refused(kind: Kind, tmp_path: Path) -> None:
    with pytest.raises(AttestationError, match="confidential virtual machine"):
        check(kind, tmp_path / "missing")
    with pytest.raises(AttestationError, match="confidential virtual machine"):
        TsmAttester(kind, bytes(32), 600, tmp_path / "missing")


@pytest.mark.parametrize("kind", [Kind.TPM, Kind.SGX, Kind.NITRO])
def test_other_kinds_are_not_collected_so(kind: Kind, kernel: Path) -> None:
    with pytest.raises(AttestationError, match="only appraised"):
        collect(kind, DATA, kernel)


def test_a_plain_folder_is_not_a_kernel(tmp_path: Path) -> None:
    with pytest.raises(AttestationError, match="provider"):
        check(Kind.TDX, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_report_is_over_key_manifest_and_nonce(kernel: Path) -> None:
    attester = TsmAttester(Kind.TDX, b"m" * 32, 600, kernel)
    nonce = b"n" * 32
    evidence = attester.evidence(nonce, None)
    binding = attester.binding
    assert evidence.binding == binding
    statement = (
        b"eyelid-enclave-v1"
        + nonce
        + hashlib.sha256(binding.key).digest()
        + b"m" * 32
        + binding.issued.to_bytes(8, "big")
        + binding.expires.to_bytes(8, "big")
    )
    assert evidence.report == b"report over " + hashlib.sha512(statement).digest()
    other = TsmAttester(Kind.TDX, b"m" * 32, 600, kernel)
    assert other.binding.key != binding.key
