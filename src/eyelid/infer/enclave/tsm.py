"""Evidence of TDX and SEV-SNP through configfs-tsm, the kernel's one interface to both.

Source: Documentation/ABI/testing/configfs-tsm-report of Linux. What is not there is refused, never replaced.
"""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from eyelid.errors import AttestationError
from eyelid.infer.enclave.evidence import Evidence, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER: Final = Path("/sys/kernel/config/tsm/report")
PROVIDERS: Final = {Kind.TDX: "tdx_guest", Kind.SEV_SNP: "sev_guest"}
TRIES: Final = 3
"""Another program may write between our write and our read; the kernel counts, and we ask again."""


def check(kind: Kind, folder: Path = FOLDER) -> None:
    """Raise AttestationError unless this machine is a confidential one of that kind."""
    with _entry(kind, folder) as entry:
        found = _read(entry / "provider").decode("ascii", "replace").strip()
        if found != PROVIDERS[kind]:
            raise AttestationError(
                f"this machine's evidence is of {found[:40] or 'nobody'}, not of {PROVIDERS[kind]} ({kind})"
            )


def collect(kind: Kind, report_data: bytes, folder: Path = FOLDER) -> Evidence:
    """Return evidence over 64 bytes of ``report_data``; raises AttestationError where there is none."""
    if len(report_data) != 64:
        raise ValueError("report data must have 64 bytes")
    check(kind, folder)
    with _entry(kind, folder) as entry:
        for _ in range(TRIES):
            before = _count(entry)
            try:
                (entry / "inblob").write_bytes(report_data)
            except OSError as error:
                raise AttestationError(f"the machine takes no report data ({error.strerror})") from None
            report = _read(entry / "outblob")
            if _count(entry) == before + 1:
                break
        else:
            raise AttestationError("another program asks for evidence at the same time; try again")
        certificates = _read(entry / "auxblob") if (entry / "auxblob").exists() else b""
    if not report:
        raise AttestationError("the machine returned an empty report; see the kernel's log")
    if kind is Kind.SEV_SNP:
        return Evidence(kind=kind, report=report, certificates=tuple(certificate_table(certificates)))
    return Evidence(kind=kind, report=report)


def certificate_table(table: bytes) -> list[bytes]:
    """Return the certificates (DER) of an SNP certificate table (AMD 56421, section 4.1.8.1)."""
    found: list[bytes] = []
    for start in range(0, len(table) - 23, 24):
        entry = table[start : start + 24]
        if not any(entry):
            return found
        offset, length = int.from_bytes(entry[16:20], "little"), int.from_bytes(entry[20:24], "little")
        if not 0 < length <= len(table) - offset:
            raise AttestationError("the machine's table of certificates is damaged")
        found.append(table[offset : offset + length])
    return found


@contextmanager
def _entry(kind: Kind, folder: Path) -> Iterator[Path]:
    """Make an entry, which is a folder that the kernel fills, and remove it."""
    if kind not in PROVIDERS:
        raise AttestationError(f"evidence of {kind} can't be collected here, only appraised")
    entry = folder / f"eyelid-{secrets.token_hex(8)}"
    try:
        entry.mkdir()
    except OSError as error:
        raise AttestationError(
            f"this machine gives no evidence of {kind}: {folder} can't be used ({error.strerror}); "
            "run on a confidential virtual machine with Linux 6.7 or newer, as root"
        ) from None
    try:
        yield entry
    finally:
        entry.rmdir()


def _count(entry: Path) -> int:
    text = _read(entry / "generation")
    return int(text) if text.strip().isdigit() else -1


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise AttestationError(
            f"the machine's {path.name} can't be read ({error.strerror}); see the kernel's log"
        ) from None
