"""Is the evidence an answer to this verifier, now, and for which key and code?"""

from __future__ import annotations

import hmac
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from eyelid.infer.enclave.evidence import NONCE_BYTES, Kind, utc

if TYPE_CHECKING:
    from datetime import datetime

    from eyelid.infer.enclave.evidence import Binding
    from eyelid.infer.enclave.findings import Findings
    from eyelid.infer.enclave.policy import PolicyFile

SKEW: Final = timedelta(minutes=1)
"""How far the clock of whoever made the evidence may be ahead."""
_REPORT_DATA: Final = 64


def check_nonce(found: Findings, signed: bytes, nonce: bytes | None, settings: PolicyFile) -> None:
    """Check that unbound evidence holds the nonce; the 64 bytes of report data may end in zeros."""
    wanted = nonce if nonce is not None else _own_nonce(settings)
    if wanted is None and settings.nonce == "any":
        found.found("nonce", "the policy accepts any nonce, so this may be a replay")
        return
    if wanted is None:
        found.add("nonce", False, "", 'no nonce was given; give one, or write nonce = "any" in the policy')
        return
    padded = wanted.ljust(_REPORT_DATA, b"\0") if len(signed) == _REPORT_DATA else wanted
    found.add(
        "nonce",
        hmac.compare_digest(signed, padded),
        "the evidence was made for this nonce",
        "the evidence was made for another nonce (a replay), or for none",
    )


def check_binding(
    found: Findings, kind: Kind, signed: bytes, binding: Binding, nonce: bytes | None, settings: PolicyFile
) -> None:
    """Check that nonce, key, manifest and times are those that were signed."""
    wanted = nonce if nonce is not None else _own_nonce(settings)
    if wanted is None or len(wanted) != NONCE_BYTES:
        found.add(
            "binding",
            False,
            "",
            f"evidence that is bound to a key can be appraised only with its nonce of {NONCE_BYTES} bytes",
        )
        return
    expected = binding.qualifying_data(wanted) if kind is Kind.TPM else binding.report_data(wanted)
    found.add(
        "binding",
        hmac.compare_digest(signed, expected),
        "signed for this nonce, key, manifest and these times",
        "not signed for this nonce, key, manifest and these times: a replay, a relay, or altered",
    )


def check_manifest(found: Findings, binding: Binding | None, settings: PolicyFile) -> None:
    """Check that the workload is one that the policy allows."""
    if binding is not None:
        found.allowed("manifest", binding.manifest.hex(), settings.manifests, "manifest")
    elif settings.manifests not in ((), "any"):
        found.add("manifest", False, "", "the policy lists manifests, and the evidence is bound to none")


def check_age(
    found: Findings,
    binding: Binding | None,
    made: datetime | None,
    at: datetime,
    settings: PolicyFile,
    *,
    fresh: bool,
) -> None:
    """Check that the evidence is neither expired, nor older than the policy allows, nor of the future.

    ``made`` is its own time, if it has one; ``fresh`` says that it answers a nonce drawn for this appraisal.
    """
    if binding is not None:
        made = utc(binding.issued)
        ends = utc(binding.expires)
        found.add(
            "expiry",
            at < ends,
            f"the key is valid until {_second(ends)}",
            f"the key expired at {_second(ends)}",
        )
    if made is None:
        if settings.max_age is not None:
            found.add(
                "age",
                fresh,
                "it answers a nonce drawn for this appraisal",
                "the evidence holds no time, so only a nonce drawn for it would show its age",
            )
        return
    if made > at + SKEW:
        found.add("age", False, "", f"the evidence is of the future: {_second(made)}; check the clocks")
        return
    age = max(at - made, timedelta(0))
    limit = None if settings.max_age is None else timedelta(seconds=settings.max_age)
    found.add(
        "age",
        limit is None or age <= limit,
        f"made at {_second(made)}, {age.total_seconds():,.0f} s before the appraisal",
        f"made at {_second(made)}, {age.total_seconds():,.0f} s before the appraisal; "
        f"the policy allows {settings.max_age} s",
    )


def _own_nonce(settings: PolicyFile) -> bytes | None:
    return None if settings.nonce in (None, "any") else bytes.fromhex(str(settings.nonce))


def _second(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
