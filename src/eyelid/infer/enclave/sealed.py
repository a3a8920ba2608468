"""A model that only the measured workload can read: AES-256-GCM under a key that a TPM has sealed.

The encrypted model is measured; the key beside it opens only after that very measurement, and only until the
PCR is capped, so once in each boot.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import Field, ValidationError

from eyelid.errors import ModelError, OutputError
from eyelid.infer.enclave.evidence import LABEL, Record
from eyelid.infer.enclave.tpm_device import Blob
from eyelid.media.atomic import atomic_output, check_output
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.infer.enclave.tpm_device import Tpm

MAGIC: Final = b"eyelid sealed model 1\n"
NONCE_BYTES: Final = 12
SIZE_LIMIT: Final = 10_000


class SealedKey(Record):
    """The key of a sealed model, as the TPM that sealed it can load it: TPM2B_PUBLIC and TPM2B_PRIVATE."""

    version: Literal["eyelid-sealed-key/1"] = Field("eyelid-sealed-key/1", alias="schema")
    public: Annotated[bytes, Field(max_length=2048)]
    private: Annotated[bytes, Field(max_length=2048)]


def encrypt(model: bytes) -> tuple[bytes, bytes]:
    """Return a fresh key and the model encrypted under it."""
    key, nonce = AESGCM.generate_key(256), os.urandom(NONCE_BYTES)
    return key, MAGIC + nonce + AESGCM(key).encrypt(nonce, model, LABEL)


def decrypt(content: bytes, key: bytes) -> bytes:
    """Return the model; raises ModelError where the file is not what the key was sealed for."""
    if not content.startswith(MAGIC):
        raise ModelError("the model is not a sealed one; make it with: eyelid infer enclave seal")
    nonce = content[len(MAGIC) : len(MAGIC) + NONCE_BYTES]
    try:
        return AESGCM(key).decrypt(nonce, content[len(MAGIC) + NONCE_BYTES :], LABEL)
    except (InvalidTag, ValueError):
        raise ModelError("the sealed model was altered, or belongs to another key") from None


def seal_key(tpm: Tpm, key: bytes, manifest: bytes) -> SealedKey:
    """Seal a model's key to the state after ``manifest`` was measured and before the cap."""
    blob = tpm.seal(key, value=hashlib.sha256(bytes(32) + manifest).digest())
    return SealedKey(public=blob.public, private=blob.private)


def unseal_key(tpm: Tpm, sealed: SealedKey) -> bytes:
    """Return the key of a sealed model; raises TpmError in any other state than that."""
    return tpm.unseal(Blob(sealed.public, sealed.private))


def key_path(path: Path) -> Path:
    """Return where the key of the sealed model ``path`` lies."""
    return path.with_name(path.name + ".key")


def check_places(model: Path, path: Path) -> None:
    """Refuse a sealed model whose file, or whose key's, exists or can't be written. Raises OutputError."""
    for final in (path, key_path(path)):
        if final.exists():
            raise OutputError(f"{final} exists already, and seal replaces nothing; name another output")
        check_output(model, final, force=False)


def write_sealed(path: Path, content: bytes, sealed: SealedKey) -> None:
    """Write an encrypted model and its key beside it, both or none; neither replaces a file.

    Raises OutputError.
    """
    with ExitStack() as undo:
        with atomic_output(path, force=False) as temporary:
            temporary.write_bytes(content)
            with atomic_output(key_path(path), force=False) as key:
                key.write_text(sealed.model_dump_json(by_alias=True))
            undo.callback(key_path(path).unlink, missing_ok=True)
        undo.pop_all()


def read_sealed_key(path: Path) -> SealedKey:
    """Read the file beside a sealed model; raises ModelError."""
    content = read_limited(
        "sealed model's key", path, SIZE_LIMIT, error=ModelError, advice="seal wrote it beside the model"
    )
    try:
        return SealedKey.model_validate_json(content)
    except ValidationError:
        raise ModelError(f"{path} is not the key of a sealed model; seal the model again") from None
