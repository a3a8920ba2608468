"""AMD SEV-SNP attestation reports, after AMD's document 56860: parse, authenticate, compare to a policy."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA384

from eyelid.infer.enclave import chain, revocation
from eyelid.infer.enclave.appraisal import Claims
from eyelid.infer.enclave.case import Authentic
from eyelid.infer.enclave.evidence import Kind
from eyelid.infer.enclave.findings import Refused
from eyelid.infer.enclave.vcek import Vcek, parse_vcek

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.infer.enclave.case import Case
    from eyelid.infer.enclave.findings import Findings
    from eyelid.infer.enclave.policy import SnpPolicy

SIZE: Final = 1184
SIGNED: Final = 672
"""The first bytes, which the signature covers."""
VERSIONS: Final = (2, 3, 5)
_TAIL: Final = SIGNED + 2 * 72
"""From here to the end is reserved, unsigned and zero."""
_ECDSA_P384: Final = 1
_VCEK, _VLEK = 0, 1
_MIGRATION, _DEBUG = 1 << 18, 1 << 19
_BEFORE_TURIN: Final = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_FROM_TURIN: Final = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
"""Which byte of a TCB version holds which part."""


@dataclass(frozen=True, slots=True)
class Report:
    """The fields of a report that are appraised; ``tcb`` is the reported TCB as its 8 bytes."""

    version: int
    policy: int
    vmpl: int
    key_info: int
    report_data: bytes
    measurement: bytes
    tcb: bytes
    chip: bytes
    signed: bytes
    signature: bytes

    @property
    def debug(self) -> bool:
        """Whether the hypervisor may read and change the guest's memory."""
        return bool(self.policy & _DEBUG)

    @property
    def migration(self) -> bool:
        """Whether a migration agent may move the guest, with its memory, elsewhere."""
        return bool(self.policy & _MIGRATION)


def parse(data: bytes) -> Report:
    """Read a report; raises Refused where its size, version, algorithm or reserved part is another."""
    if len(data) != SIZE:
        raise Refused("format", f"an SEV-SNP report has {SIZE} bytes, not {len(data)}")
    version, _svn, policy = struct.unpack_from("<IIQ", data)
    vmpl, algorithm = struct.unpack_from("<II", data, 0x30)
    (key_info,) = struct.unpack_from("<I", data, 0x48)
    if version not in VERSIONS:
        raise Refused("format", f"reports of version {version} are not known; known are 2, 3 and 5")
    if algorithm != _ECDSA_P384:
        raise Refused("format", f"the report names signature algorithm {algorithm}, not ECDSA P-384")
    if any(data[_TAIL:]):
        raise Refused("format", "the reserved bytes after the signature are not zero")
    r, s = (int.from_bytes(data[at : at + 72], "little") for at in (SIGNED, SIGNED + 72))
    return Report(
        version=version,
        policy=policy,
        vmpl=vmpl,
        key_info=key_info,
        report_data=data[0x50:0x90],
        measurement=data[0x90:0xC0],
        tcb=data[0x180:0x188],
        chip=data[0x1A0:0x1E0],
        signed=data[:SIGNED],
        signature=encode_dss_signature(r, s),
    )


def examine(case: Case, found: Findings) -> Authentic:
    """Authenticate a report and compare it with the policy; raises Refused where it is not authentic."""
    policy = case.policy.settings.sev_snp
    assert policy is not None
    report = parse(case.evidence.report)
    authentic = _authenticate(report, case, policy, found)
    _appraise(report, authentic.claims, policy, found)
    return authentic


def _authenticate(report: Report, case: Case, policy: SnpPolicy, found: Findings) -> Authentic:
    certificates, roots, at = case.certificates, case.roots, case.at
    keys = _keys_of(report, certificates)
    kind = keys[0].kind
    others = chain.load_some(certificates)
    issuers = [chain.load(data) for root in roots for data in root.intermediates] + others
    pairs = ((vcek, ask) for vcek in keys for ask in issuers if vcek.is_issued_by(ask))
    vcek, ask = next(pairs, (None, None))
    if vcek is None or ask is None:
        raise Refused(
            "certificate-chain",
            f"no intermediate certificate (ASK, ASVK) at hand signed this {keys[0].product} {kind}",
        )
    chain.valid_at(vcek.not_before, vcek.not_after, at, f"the {kind}")
    above = chain.to_root(ask, others, roots, at)
    chain.may_issue(ask, 0)
    revocation.check(found, above, ask, case.collateral.revoked, at, required=policy.revocation == "required")
    above = replace(above, not_after=min(vcek.not_after, above.not_after))
    found.found("certificate-chain", f"{kind} of a {vcek.product} chip, {above.describe()}")
    try:
        vcek.key.verify(report.signature, report.signed, ECDSA(SHA384()))
    except InvalidSignature:
        raise Refused("signature", f"the {kind} did not sign this report") from None
    found.found("signature", f"the {kind} signed the report (ECDSA P-384)")
    if vcek.provider:
        found.allowed("provider", vcek.provider, policy.providers, "provider that loaded the VLEK")
    claims = Claims(
        kind=Kind.SEV_SNP,
        eat_nonce=report.report_data.hex(),
        dbgstat="enabled" if report.debug else "disabled",
        measurements={"measurement": report.measurement.hex()},
        hwmodel=vcek.product,
        ueid=vcek.chip.hex() or report.chip.hex(),
        vmpl=report.vmpl,
        tcb=vcek.tcb,
        not_after=above.not_after,
        root=above.root.sha256,
    )
    return Authentic(claims, above.root, report.report_data)


def _appraise(report: Report, claims: Claims, policy: SnpPolicy, found: Findings) -> None:
    found.add(
        "debug",
        policy.debug or not report.debug,
        "debugging is off" if not report.debug else "debugging is on, which the policy accepts",
        "the guest was launched with debugging on: the hypervisor can read its memory",
    )
    found.add(
        "migration",
        policy.migration or not report.migration,
        "no migration agent" if not report.migration else "a migration agent, which the policy accepts",
        "a migration agent may move the guest elsewhere",
    )
    found.add(
        "vmpl",
        report.vmpl in policy.vmpl,
        f"asked for at VMPL {report.vmpl}",
        f"asked for at VMPL {report.vmpl}, the policy accepts {', '.join(map(str, policy.vmpl))}",
    )
    found.allowed("measurement", report.measurement.hex(), policy.measurements, "measurement")
    tcb = claims.tcb or {}
    shown = ", ".join(f"{name} {number}" for name, number in tcb.items())
    if policy.min_tcb == "any":
        found.found("tcb", f"the policy accepts any TCB; found {shown}")
    else:
        least = policy.min_tcb.model_dump()
        low = [f"{name} {number} < {least[name]}" for name, number in tcb.items() if number < least[name]]
        found.add("tcb", not low, f"at or above the policy's: {shown}", f"firmware too old: {', '.join(low)}")


def _keys_of(report: Report, certificates: Sequence[bytes]) -> list[Vcek]:
    """Return what claims to be the signer's at the reported TCB; raises Refused where nothing does."""
    signer = report.key_info >> 2 & 7
    if signer not in (_VCEK, _VLEK):
        raise Refused("certificate-chain", "the report is signed by neither a VCEK nor a VLEK")
    if signer == _VCEK and not any(report.chip):
        raise Refused("certificate-chain", "the host masks the chip's identity, so no VCEK can be matched")
    chips = []
    for data in certificates:
        try:
            chips.append(parse_vcek(data))
        except ValueError:
            continue
    if signer == _VLEK:
        same, what = [key for key in chips if key.provider], "VLEK"
    else:
        same = [key for key in chips if key.chip and _padded(key.chip) == report.chip]
        what = f"VCEK for chip {report.chip.hex()[:16]}..."
    if not same:
        raise Refused(
            "collateral",
            f"there is no {what} among {len(certificates)} certificates; put it into the collateral folder",
        )
    level = [key for key in same if _tcb(report, key.product) == key.tcb]
    if not level:
        raise Refused(
            "collateral",
            f"the {same[0].kind} at hand is for another firmware than reported: {report.tcb.hex()}",
        )
    return level


def _tcb(report: Report, product: str) -> dict[str, int]:
    """Return the reported version of each part; which byte holds which changed with Turin."""
    layout = _FROM_TURIN if product.startswith("Turin") else _BEFORE_TURIN
    return {name: report.tcb[at] for name, at in layout.items()}


def _padded(chip: bytes) -> bytes:
    """Return a chip's identity as reports hold it: Turin's 8 bytes are followed by zeros."""
    return chip.ljust(64, b"\0")
