"""Evidence on disk, and how files are named and described in it."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from eyelid.errors import InputError
from eyelid.evidence.model import SCHEMA, InputFile, OutputFile, SignedEvidence
from eyelid.evidence.records import RecordKind

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from eyelid.evidence.model import Evidence

SUFFIX: Final = ".evidence.json"
EVIDENCE: Final = RecordKind(SignedEvidence, SCHEMA, "evidence", SUFFIX)


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


def write(
    evidence: Evidence, path: Path, *, key: Ed25519PrivateKey | None = None, force: bool = False
) -> None:
    """Write evidence to ``path``, signed where there is a key; raises OutputError like ``atomic_output``."""
    EVIDENCE.write(evidence, path, key=key, force=force)


def read(path: Path) -> SignedEvidence:
    """Read evidence; raises EvidenceError where it is missing, damaged or of another version.

    The signature is not checked: :func:`eyelid.evidence.verify.verify` does that.
    """
    return EVIDENCE.read(path)[0]


def _digest(path: Path) -> tuple[str, int]:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return digest, file.tell()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}); check its name and permissions"
        ) from None
