"""Intel SGX and TDX quotes: dcap-qvl verifies them with a pinned root and offline collateral."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from eyelid.infer.enclave.appraisal import Claims
from eyelid.infer.enclave.case import Authentic
from eyelid.infer.enclave.evidence import Kind
from eyelid.infer.enclave.findings import Refused
from eyelid.infer.enclave.policy import TdxPolicy
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.infer.enclave.case import Case
    from eyelid.infer.enclave.collateral import IntelCollateral
    from eyelid.infer.enclave.findings import Findings
    from eyelid.infer.enclave.policy import SgxPolicy
    from eyelid.infer.enclave.roots import PinnedRoot

HEADER: Final = 48
_TEE: Final = {Kind.SGX: 0x00, Kind.TDX: 0x81}
_SGX_BODY, _TD10_BODY = 384, 584
_PEM_CHAIN, _QE_REPORT = 5, 6
"""Types of certification data."""
_BODY_TYPES: Final = {1: Kind.SGX, 2: Kind.TDX, 3: Kind.TDX, 4: Kind.TDX}
"""Kinds of the body that a quote of version 5 names; 2, 3 and 4 begin with the same 520 bytes and more."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote by its parts; ``body`` is the report of the enclave or trust domain, as its CPU wrote it."""

    kind: Kind
    version: int
    body: bytes
    data: bytes

    @property
    def report_data(self) -> bytes:
        """The 64 bytes that the software gave the CPU to sign."""
        start = 320 if self.kind is Kind.SGX else 520
        return self.body[start : start + 64]

    @property
    def measurements(self) -> dict[str, bytes]:
        """The measured values by their names."""
        body = self.body
        if self.kind is Kind.SGX:
            return {"mr_enclave": body[64:96], "mr_signer": body[128:160]}
        registers = {f"rtmr{i}": body[328 + 48 * i : 376 + 48 * i] for i in range(4)}
        return {"mr_td": body[136:184], "mr_seam": body[16:64], **registers}

    @property
    def product(self) -> tuple[int, int]:
        """Of an SGX enclave, ISVPRODID and ISVSVN, which its signer chose."""
        product, svn = struct.unpack_from("<HH", self.body, 256)
        return product, svn


def parse(data: bytes, kind: Kind) -> Quote:
    """Read the outline of a quote; raises Refused where it is of another kind, or parts don't fit."""
    if len(data) < HEADER + 6:
        raise Refused("format", "the quote is cut off")
    version, _key_type, tee = struct.unpack_from("<HHI", data)
    if tee != _TEE[kind]:
        raise Refused("format", f"this is not a quote of kind {kind.value}")
    start = HEADER
    if version == 3:
        found, size = Kind.SGX, _SGX_BODY
    elif version == 4:
        found, size = kind, _SGX_BODY if kind is Kind.SGX else _TD10_BODY
    elif version == 5:
        number, size = struct.unpack_from("<HI", data, HEADER)
        start += 6
        found = _BODY_TYPES.get(number, kind)
        if number not in _BODY_TYPES or size < (_SGX_BODY if found is Kind.SGX else _TD10_BODY):
            raise Refused("format", f"the quote has a body of unknown type {number}")
    else:
        raise Refused("format", f"quotes of version {version} are not known; known are 3, 4 and 5")
    end = start + size
    if found is not kind or len(data) < end + 4:
        raise Refused("format", "the quote is cut off, or its body is of another kind")
    (signature,) = struct.unpack_from("<I", data, end)
    if len(data) < end + 4 + signature or any(data[end + 4 + signature :]):
        raise Refused("format", "the quote is cut off, or bytes other than zero follow it")
    _check_signature_data(data[end + 4 : end + 4 + signature], nested=version > 3)
    return Quote(kind, version, data[start:end], data)


def examine(case: Case, found: Findings) -> Authentic:
    """Authenticate a quote and compare it with the policy; raises Refused where it is not authentic."""
    require("a quote of SGX or TDX", "enclave", "dcap_qvl")
    settings = case.policy.settings
    policy = settings.sgx if case.evidence.kind is Kind.SGX else settings.tdx
    assert policy is not None
    quote = parse(case.evidence.report, case.evidence.kind)
    authentic = _authenticate(quote, case.collateral.intel, case.roots, case.at, found)
    _appraise(quote, authentic.claims, policy, found)
    return authentic


def _check_signature_data(data: bytes, *, nested: bool) -> None:
    """Raise Refused unless all lengths and types add up; dcap-qvl lets some of them be anything."""
    start = 2 * 64  # the quote's signature, and the attestation key
    if nested:
        if len(data) < start + 6:
            raise Refused("format", "the quote's signature data are cut off")
        number, size = struct.unpack_from("<HI", data, start)
        start += 6
        if number != _QE_REPORT or start + size != len(data):
            raise Refused("format", "the quote's certification data are of another type or length")
    start += _SGX_BODY + 64  # the quoting enclave's report and its signature
    if len(data) < start + 2:
        raise Refused("format", "the quote's signature data are cut off")
    start += 2 + struct.unpack_from("<H", data, start)[0]
    if len(data) < start + 6:
        raise Refused("format", "the quote's signature data are cut off")
    number, size = struct.unpack_from("<HI", data, start)
    if number != _PEM_CHAIN or start + 6 + size != len(data):
        raise Refused("format", "the quote does not end with its PCK certificates in PEM")


def _authenticate(
    quote: Quote,
    collateral: Sequence[IntelCollateral],
    roots: Sequence[PinnedRoot],
    at: datetime,
    found: Findings,
) -> Authentic:
    import dcap_qvl  # type: ignore[import-untyped]  # it ships stubs, but no py.typed

    try:
        fmspc = dcap_qvl.parse_quote(quote.data).fmspc()
    except ValueError:
        raise Refused("format", "the quote names no platform: its PCK certificate is malformed") from None
    chosen = _choose(collateral, quote.kind, fmspc, at)
    found.found("collateral", f"{chosen.name} holds from {_minute(chosen.begins)} to {_minute(chosen.ends)}")
    now = int(at.timestamp())
    reasons = []
    for root in roots:
        try:
            held = dcap_qvl.QuoteCollateralV3.from_json(chosen.text)
            verified = json.loads(
                dcap_qvl.QuoteVerifier(root.der)
                .verify_with_policy(quote.data, held, now, dcap_qvl.QuotePolicy.claims_only(now))
                .to_json()
            )
        except ValueError as error:
            reasons.append(str(error).removeprefix("Verification failed: "))
            continue
        break
    else:
        raise Refused(_check_of(reasons[0]), f"dcap-qvl refuses the quote: {_printable(reasons[0])}")
    origin = "shipped with eyelid" if root.shipped else "the policy's own, not one of eyelid's"
    found.found("certificate-chain", f"chains to {root.name} ({origin})")
    found.found("signature", "the quoting enclave's key signed the quote, and Intel's PCK that key")
    platform = verified["platform"]["pck"]
    claims = Claims(
        kind=quote.kind,
        eat_nonce=quote.report_data.hex(),
        dbgstat="disabled",
        measurements={name: value.hex() for name, value in quote.measurements.items()},
        hwmodel=f"Intel FMSPC {fmspc}",
        ueid=bytes(platform["ppid"]).hex(),
        tcb={"pce": platform["pce_svn"]} | {f"sgx{i:02}": n for i, n in enumerate(platform["cpu_svn"])},
        tcb_status=verified["tcb"]["status"],
        advisories=tuple(verified["tcb"]["advisory_ids"]),
        not_after=min(chosen.ends, datetime.fromtimestamp(verified["earliest_expiration_date"], UTC)),
        root=root.sha256,
    )
    return Authentic(claims, root, quote.report_data)


def _appraise(quote: Quote, claims: Claims, policy: SgxPolicy | TdxPolicy, found: Findings) -> None:
    found.found("debug", "debugging is off")
    found.allowed("tcb", str(claims.tcb_status), policy.statuses, "TCB status")
    refused = () if policy.advisories == "any" else sorted({*claims.advisories} - {*policy.advisories})
    found.add(
        "advisories",
        not refused,
        f"accepted by the policy: {', '.join(claims.advisories)}" if claims.advisories else "none apply",
        f"the policy does not accept {', '.join(refused)}",
    )
    if isinstance(policy, TdxPolicy):
        _trust_domain(claims.measurements, policy, found)
    else:
        _enclave(quote, claims.measurements, policy, found)


def _trust_domain(values: dict[str, str], policy: TdxPolicy, found: Findings) -> None:
    found.allowed("measurement", values["mr_td"], policy.mr_td, "MRTD")
    found.allowed("mr_seam", values["mr_seam"], policy.mr_seam, "MRSEAM (the TDX module)")
    for index, allowed in sorted(policy.rtmr.items()):
        found.allowed(f"rtmr{index}", values[f"rtmr{index}"], allowed, f"RTMR{index}")


def _enclave(quote: Quote, values: dict[str, str], policy: SgxPolicy, found: Findings) -> None:
    found.allowed("measurement", values["mr_enclave"], policy.mr_enclave, "MRENCLAVE")
    found.allowed("mr_signer", values["mr_signer"], policy.mr_signer, "MRSIGNER")
    product, svn = quote.product
    if policy.isv_prod_id is not None:
        found.add(
            "isv_prod_id",
            product == policy.isv_prod_id,
            f"the product is {product}",
            f"the product is {product}, the policy accepts {policy.isv_prod_id}",
        )
    found.add(
        "isv_svn",
        svn >= policy.min_isv_svn,
        f"the enclave's version is {svn}",
        f"the enclave's version is {svn}, the policy asks for {policy.min_isv_svn}",
    )


def _choose(collateral: Sequence[IntelCollateral], kind: Kind, fmspc: str, at: datetime) -> IntelCollateral:
    """Return the newest collateral for a platform that holds at the appraisal time; raises Refused."""
    same = [c for c in collateral if c.tee == kind.name and c.fmspc == fmspc]
    if not same:
        others = ", ".join(sorted({f"{c.tee} {c.fmspc}" for c in collateral})) or "none at all"
        raise Refused(
            "collateral", f"there is no collateral for {kind.name} platform {fmspc}; found {others}"
        )
    now = [c for c in same if c.begins <= at <= c.ends]
    if not now:
        newest = max(same, key=lambda c: c.issued)
        raise Refused(
            "collateral",
            f"{newest.name} holds from {_minute(newest.begins)} to {_minute(newest.ends)}, "
            f"not at the appraisal time {_minute(at)}; fetch new collateral",
        )
    return max(now, key=lambda c: c.issued)


def _check_of(reason: str) -> str:
    """Name the check that failed inside of dcap-qvl, which refuses debugging by itself."""
    return next(
        (name for name, word in (("tcb", "TCB level"), ("debug", "Debug")) if word in reason), "signature"
    )


def _minute(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())[:200]
