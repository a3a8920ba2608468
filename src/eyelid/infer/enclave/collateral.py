"""Certificates and Intel's collateral from a folder, so that appraisal needs no network."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509

from eyelid.errors import InputError
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from pathlib import Path

FILE_LIMIT: Final = 4_000_000
COUNT_LIMIT: Final = 500
_MALFORMED: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError, x509.InvalidVersion)
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")


@dataclass(frozen=True, slots=True)
class IntelCollateral:
    """One set of Intel's collateral (version 3) in the JSON of dcap-qvl, and when all of its parts hold.

    ``tee`` is "SGX" or "TDX", ``fmspc`` the kind of platform (12 hexadecimal digits).
    """

    name: str
    text: str
    tee: str
    fmspc: str
    issued: datetime
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Collateral:
    """What a folder holds: certificates (DER), sets of Intel's collateral, revocation lists."""

    certificates: tuple[bytes, ...] = ()
    intel: tuple[IntelCollateral, ...] = ()
    revoked: tuple[x509.CertificateRevocationList, ...] = ()


def read_collateral(path: Path) -> Collateral:
    """Read a file, or all files of a folder; what is neither certificate, revocation list nor Intel's stays.

    Raises InputError where it can't be read, is too large, or collateral in it is malformed.
    """
    try:
        files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    except OSError as error:
        raise InputError(f"the collateral {path} can't be read ({error.strerror}); check its path") from None
    if len(files) > COUNT_LIMIT:
        raise InputError(f"{path} holds more than {COUNT_LIMIT} files; is it a folder of collateral?")
    certificates: list[bytes] = []
    intel: list[IntelCollateral] = []
    revoked: list[x509.CertificateRevocationList] = []
    for file in files:
        content = read_limited("collateral", file, FILE_LIMIT)
        if b"-----BEGIN CERTIFICATE-----" in content and not content.lstrip().startswith(b"{"):
            certificates += [base64.b64decode(block) for block in _PEM.findall(content)]
        elif b"-----BEGIN X509 CRL-----" in content:
            revoked.append(_list(file, content))
        elif content.startswith(b"\x30"):
            if file.suffix == ".crl" or _is_list(content):
                revoked.append(_list(file, content))
            else:
                certificates.append(content)
        elif content.lstrip().startswith(b"{") and b'"tcb_info"' in content:
            intel.append(_intel(file, content))
    return Collateral(tuple(certificates), tuple(intel), tuple(revoked))


def _is_list(content: bytes) -> bool:
    try:
        x509.load_der_x509_crl(content)
    except ValueError:
        return False
    return True


def _list(file: Path, content: bytes) -> x509.CertificateRevocationList:
    try:
        load = x509.load_pem_x509_crl if b"-----BEGIN" in content else x509.load_der_x509_crl
        return load(content)
    except ValueError as error:
        raise InputError(f"the revocation list {file} is malformed: {type(error).__name__}") from None


def _intel(file: Path, content: bytes) -> IntelCollateral:
    """Read the parts that choose among sets; dcap-qvl verifies all of them, and the signatures, later."""
    try:
        outer = json.loads(content)
        info, identity = json.loads(outer["tcb_info"]), json.loads(outer["qe_identity"])
        lists = [x509.load_der_x509_crl(bytes.fromhex(outer[name])) for name in ("root_ca_crl", "pck_crl")]
        begins = [_time(part["issueDate"]) for part in (info, identity)]
        ends = [_time(part["nextUpdate"]) for part in (info, identity)]
        for revoked in lists:
            begins.append(revoked.last_update_utc)
            if revoked.next_update_utc is not None:
                ends.append(revoked.next_update_utc)
        return IntelCollateral(
            name=file.name,
            text=content.decode(),
            tee=_text(info.get("id", "SGX")),
            fmspc=_text(info["fmspc"]).upper(),
            issued=begins[0],
            begins=max(begins),
            ends=min(ends),
        )
    except _MALFORMED as error:
        raise InputError(f"the collateral {file} is malformed: {type(error).__name__}") from None


def _time(value: Any) -> datetime:
    time = datetime.fromisoformat(_text(value))
    if time.tzinfo is None:
        raise ValueError("a time has no zone")
    return time


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("not text")
    return value
