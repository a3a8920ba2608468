"""Records on disk, evidence and audits alike: canonical JSON, written atomically, read back without mercy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from pydantic import JsonValue, ValidationError

from eyelid.errors import EvidenceError
from eyelid.evidence.model import Record
from eyelid.media.atomic import atomic_output
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

RecordT = TypeVar("RecordT", bound=Record)

MAX_BYTES: Final = 64 * 2**20


@dataclass(frozen=True, slots=True)
class RecordKind(Generic[RecordT]):
    """One kind of record: its ``model``, signature included, the version of its format, and what it is.

    The names of its files end in ``suffix``.
    """

    model: type[RecordT]
    schema: str
    noun: str
    suffix: str

    def write(
        self, record: Record, path: Path, *, key: Ed25519PrivateKey | None = None, force: bool = False
    ) -> None:
        """Write a record, signed where there is a key; raises OutputError like ``atomic_output``."""
        document = record.model_dump(mode="json", by_alias=True, exclude={"signature"})
        signature = None
        if key:
            from eyelid.evidence.signing import sign  # loads OpenSSL, which most runs do not need

            signature = sign(canonical(document), key).model_dump()
        with atomic_output(path, force=force) as partial:
            partial.write_bytes(canonical(document | {"signature": signature}))

    def read(self, path: Path) -> tuple[RecordT, bytes]:
        """Read a record and the bytes that its signature covers; the signature is not checked.

        Raises EvidenceError where it is missing, too large, damaged or of another version.
        """
        return self.parse(read_limited(self.noun, path, MAX_BYTES, error=EvidenceError), path)

    def parse(self, raw: bytes, path: Path) -> tuple[RecordT, bytes]:
        """Take a record apart into the model and the bytes that its signature covers.

        Only the canonical spelling passes, so that what a person reads in the file is what was signed: no
        key twice, no other spacing. Raises EvidenceError.
        """
        try:
            document: JsonValue = json.loads(raw)
            intact = isinstance(document, dict) and canonical(document) == raw
        except (ValueError, RecursionError):
            raise EvidenceError(
                f"{path} is not JSON; it was damaged, or is no {self.noun} of eyelid"
            ) from None
        if not isinstance(document, dict) or "schema" not in document:
            raise EvidenceError(f"{path} is no {self.noun} of eyelid; name the {self.suffix} file")
        if document["schema"] != self.schema:
            raise EvidenceError(
                f"{path} has another version than {self.schema}; read it with the eyelid that wrote it"
            )
        if not intact:
            raise EvidenceError(f"{path} was edited after it was written; get the original file")
        try:
            record = self.model.model_validate_json(raw, strict=True)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"]) or "the whole"
            raise EvidenceError(f"{path} is not valid at {place!r}; it was damaged or edited") from None
        return record, canonical({name: value for name, value in document.items() if name != "signature"})


def canonical(document: JsonValue) -> bytes:
    """Return the one spelling of a JSON document: UTF-8, keys sorted, two spaces, a newline at the end."""
    text = json.dumps(document, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()
