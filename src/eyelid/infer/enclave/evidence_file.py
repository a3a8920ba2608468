"""Saved evidence: raw, as its platform hands it out, or with its parts in eyelid's JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pydantic import ValidationError

from eyelid.errors import InputError, UsageError
from eyelid.infer.enclave.evidence import PART_LIMIT, SCHEMA, Evidence, Kind
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from pathlib import Path

FILE_LIMIT: Final = 4_000_000


def read_evidence(path: Path, kind: Kind | None = None) -> Evidence:
    """Read evidence; raw evidence does not say of which kind it is, so ``kind`` must.

    Raises InputError where the file is missing, empty, too large or no evidence, and UsageError where a kind
    is needed, or is another than the file names. Whether raw bytes are sound is for the appraisal to say.
    """
    content = read_limited("evidence", path, FILE_LIMIT)
    if not content:
        raise InputError(f"the evidence {path} is empty")
    if content.lstrip().startswith(b"{"):
        return _from_json(path, content, kind)
    if len(content) > PART_LIMIT:
        raise InputError(f"the evidence {path} is larger than {PART_LIMIT:,} bytes; is it the right file?")
    if kind is None:
        kinds = ", ".join(k.value for k in Kind if k is not Kind.TPM)
        raise UsageError(f"{path} does not say of which kind it is; add --kind, one of {kinds}")
    if kind is Kind.TPM:
        raise InputError(f"{path} is not a TPM's evidence, which has several parts: it is JSON ({SCHEMA})")
    return Evidence(kind=kind, report=content)


def _from_json(path: Path, content: bytes, kind: Kind | None) -> Evidence:
    try:
        evidence = Evidence.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(f"{path} is not evidence as {SCHEMA} defines it: {place}: {first['msg']}") from None
    if kind is not None and evidence.kind is not kind:
        raise UsageError(f"{path} holds evidence of kind {evidence.kind.value}, not {kind.value}")
    return evidence
