"""Evidence on disk: canonical JSON, written atomically, and read back without mercy."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue, ValidationError

from eyelid.errors import EvidenceError, InputError
from eyelid.evidence.model import SCHEMA, Evidence, InputFile, OutputFile, SignedEvidence
from eyelid.media.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SUFFIX: Final = ".evidence.json"
MAX_BYTES: Final = 64 * 2**20


def evidence_path(output: Path, *, full_name: bool = False) -> Path:
    """Return where the evidence of an output lies: ``a.anon.mp4`` has ``a.anon.evidence.json``.

    With ``full_name`` it is ``a.anon.mp4.evidence.json``, for folders in which names differ by suffix alone.
    """
    return output.with_name((output.name if full_name else output.stem) + SUFFIX)


def input_file(path: Path) -> InputFile:
    """Describe the input by its content; raises InputError where it cannot be read."""
    sha256, size = _digest(path)
    return InputFile(sha256=sha256, size=size)


def output_file(path: Path, name: str) -> OutputFile:
    """Describe the output, which lies at ``path`` until it gets its final ``name``.

    Characters that have no place in JSON or in a bare file name are replaced by U+FFFD.
    """
    sha256, size = _digest(path)
    name = name.encode("utf-8", "replace").decode("utf-8")
    return OutputFile(name=re.sub(r"[/\\\x00-\x1f]", "\ufffd", name), sha256=sha256, size=size)


def canonical(document: JsonValue) -> bytes:
    """Return the one spelling of a JSON document: UTF-8, keys sorted, two spaces, a newline at the end."""
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def write(
    evidence: Evidence, path: Path, *, key: Ed25519PrivateKey | None = None, force: bool = False
) -> None:
    """Write evidence to ``path``, signed where there is a key; raises OutputError like ``atomic_output``."""
    document = evidence.model_dump(mode="json", by_alias=True, exclude={"signature"})
    signature = None
    if key:
        from eyelid.evidence.signing import sign  # loads OpenSSL, which most runs do not need

        signature = sign(canonical(document), key).model_dump()
    with atomic_output(path, force=force) as partial:
        partial.write_bytes(canonical(document | {"signature": signature}))


def read(path: Path) -> SignedEvidence:
    """Read evidence; raises EvidenceError where it is missing, damaged or of another version.

    The signature is not checked: :func:`eyelid.evidence.verify.verify` does that.
    """
    return parse(_load(path), path)[0]


def read_signed(path: Path) -> tuple[SignedEvidence, bytes]:
    """Read evidence and the bytes that its signature covers; raises EvidenceError as :func:`read` does."""
    return parse(_load(path), path)


def parse(raw: bytes, path: Path) -> tuple[SignedEvidence, bytes]:
    """Take evidence apart into the model and the bytes that its signature covers.

    Only the canonical spelling passes, so that what a person reads in the file is what was signed: no key
    twice, no other spacing. Raises EvidenceError.
    """
    try:
        document: JsonValue = json.loads(raw)
        intact = isinstance(document, dict) and canonical(document) == raw
    except (ValueError, RecursionError):
        raise EvidenceError(f"{path} is not JSON; it was damaged, or is no evidence of eyelid") from None
    if not isinstance(document, dict) or "schema" not in document:
        raise EvidenceError(f"{path} is no evidence of eyelid; name the .evidence.json file or its output")
    if document["schema"] != SCHEMA:
        raise EvidenceError(
            f"{path} has another version than {SCHEMA}; read it with the eyelid that wrote it"
        )
    if not intact:
        raise EvidenceError(f"{path} was edited after it was written; get the original file")
    try:
        evidence = SignedEvidence.model_validate_json(raw, strict=True)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the whole"
        raise EvidenceError(f"{path} is not valid at {place!r}; it was damaged or edited") from None
    return evidence, canonical({name: value for name, value in document.items() if name != "signature"})


def _load(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise EvidenceError(f"{path} cannot be read ({error.strerror}); check the name") from None
    if len(raw) > MAX_BYTES:
        raise EvidenceError(f"{path} is too large for evidence; name the .evidence.json file or its output")
    return raw


def _digest(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest, file.tell()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check its name and permissions"
        ) from None
