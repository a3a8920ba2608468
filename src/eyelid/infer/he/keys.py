"""Secret keys: encrypted at rest under a passphrase, with an id, an end and a successor."""

from __future__ import annotations

import os
import struct
from base64 import b64decode, b64encode
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from eyelid.errors import InputError, OutputError, UsageError
from eyelid.infer.he import blob, evaluation_keys
from eyelid.infer.he.evaluation_keys import ID_BYTES, Header
from eyelid.infer.he.residues import pack, packed_size, unpack
from eyelid.infer.he.scheme import Demands
from eyelid.media.atomic import atomic_output
from eyelid.media.key_files import KeyFile, write_new
from eyelid.models.extras import require

if TYPE_CHECKING:
    from pathlib import Path

    import seal

MAGIC = b"EYSK"
VERSION = 1
DAYS = 365
MIN_PASSPHRASE = 8
SCRYPT_N = 2**17
"""128 MiB and a third of a second for each guess (RFC 7914 with r = 8, p = 1)."""
_MAX_N = 2**20
_FRONT = struct.Struct("<4sBI")
_MAX_HEADER = 2**20
EVALUATION_SUFFIX = ".eval"


class KeyHeader(BaseModel):
    """What a key file says in the clear; it is authenticated with the secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    artefact: str = Field(pattern=r"^[0-9a-f]{64}$")
    demands: Demands
    created: AwareDatetime
    expires: AwareDatetime
    kdf: Literal["scrypt"] = "scrypt"
    n: int = Field(ge=2, le=_MAX_N)
    salt: str
    nonce: str


@dataclass(frozen=True, slots=True, eq=False)
class SecretKey:
    """An opened key: who holds it reads everything that was encrypted with it. Its repr shows no secret."""

    header: KeyHeader
    key: seal.SecretKey

    def __repr__(self) -> str:
        return f"SecretKey({self.header.key_id})"

    def check_time(self) -> None:
        """Raise InferenceError if the key has expired: it still decrypts, and encrypts no more."""
        evaluation_keys.check_time(self.header.key_id, self.header.expires)


def evaluation_path(path: Path) -> Path:
    """Return where the evaluation keys of the key file ``path`` lie."""
    return path.with_name(path.name + EVALUATION_SUFFIX)


def generate(path: Path, artefact: str, demands: Demands, passphrase: str, *, days: int = DAYS) -> KeyHeader:
    """Make a key pair for an artefact: the sealed secret at ``path``, evaluation keys at ``path``.eval.

    ``artefact`` is the artefact's SHA-256, hexadecimal. An existing file is never replaced. Raises
    OutputError, and UsageError for a passphrase of less than 8 characters.
    """
    if len(passphrase) < MIN_PASSPHRASE:
        raise UsageError(f"the passphrase has less than {MIN_PASSPHRASE} characters; choose a longer one")
    for taken in (path, evaluation_path(path)):
        if taken.exists():
            raise OutputError(f"{taken} exists and may be the only key to answers; rotate it or name another")
    require("homomorphic encryption", "he", "seal")
    import seal

    context = demands.scheme.context
    generator = seal.KeyGenerator(context)
    secret = generator.secret_key()
    galois = relin = None
    if demands.rotations:
        galois = seal.GaloisKeys()
        generator.create_galois_keys(list(demands.rotations), galois)
    if demands.relinearise:
        relin = generator.create_relin_keys()
    created = datetime.now(UTC).replace(microsecond=0)
    expires = created + timedelta(days=days)
    residues = blob.secret_residues(secret, demands.scheme)
    with ExitStack() as undo:
        with atomic_output(evaluation_path(path), force=False) as partial:
            with partial.open("wb") as file:
                header = Header(demands=demands, created=created, expires=expires)
                for chunk in evaluation_keys.write(header, residues, galois, relin):
                    file.write(chunk)
            key_id = chunk[:ID_BYTES].hex()
            salt, nonce = os.urandom(16), os.urandom(12)
            described = KeyHeader(
                key_id=key_id,
                artefact=artefact,
                demands=demands,
                created=created,
                expires=expires,
                n=SCRYPT_N,
                salt=b64encode(salt).decode(),
                nonce=b64encode(nonce).decode(),
            )
            write_new(KeyFile(path, _sealed(described, pack(residues, demands.scheme.moduli), passphrase)))
            undo.callback(path.unlink, missing_ok=True)
        undo.pop_all()
    return described


def _sealed(header: KeyHeader, secret: bytes, passphrase: str) -> bytes:
    described = header.model_dump_json().encode()
    front = _FRONT.pack(MAGIC, VERSION, len(described)) + described
    return front + _cipher(header, passphrase).encrypt(b64decode(header.nonce), secret, front)


def _cipher(header: KeyHeader, passphrase: str) -> AESGCM:
    kdf = Scrypt(salt=b64decode(header.salt), length=32, n=header.n, r=8, p=1)
    return AESGCM(kdf.derive(passphrase.encode()))


def read_header(path: Path) -> KeyHeader:
    """Return what a key file says in the clear. Raises InputError."""
    return _read(path)[0]


def _read(path: Path) -> tuple[KeyHeader, bytes, bytes]:
    try:
        with path.open("rb") as file:
            front = file.read(_FRONT.size)
            if len(front) < _FRONT.size or front[:4] != MAGIC:
                raise InputError(f"{path} is no key for encrypted inference; give the one that keygen wrote")
            _, version, length = _FRONT.unpack(front)
            if version != VERSION:
                raise InputError(f"{path} is a key of version {version}, this eyelid reads {VERSION}")
            if length > _MAX_HEADER:
                raise InputError(f"{path} is damaged; restore it from a copy")
            described = file.read(length)
            try:
                header = KeyHeader.model_validate_json(described)
            except ValidationError as error:
                raise InputError(f"{path} is damaged; restore it from a copy") from error
            scheme = header.demands.scheme
            most = packed_size(scheme.degree, scheme.moduli) + 17
            return header, front + described, file.read(most)
    except FileNotFoundError as error:
        raise InputError(
            f"there is no key {path}; check its path, or make one with eyelid infer he keygen"
        ) from error
    except OSError as error:
        raise InputError(f"the key {path} cannot be read ({error.strerror}); check its path") from error


def read(path: Path, passphrase: str) -> SecretKey:
    """Open a key file. Raises InputError: no key, damaged, or another passphrase."""
    header, front, sealed = _read(path)
    try:
        packed = _cipher(header, passphrase).decrypt(b64decode(header.nonce), sealed, front)
    except (InvalidTag, ValueError) as error:
        raise InputError(f"{path} does not open: the passphrase is another, or it is damaged") from error
    scheme = header.demands.scheme
    return SecretKey(header, blob.build_secret(scheme, unpack(packed, scheme.degree, scheme.moduli)))


def rotate(
    path: Path, passphrase: str, artefact: str, demands: Demands, *, days: int = DAYS
) -> tuple[KeyHeader, Path]:
    """Put a new key, under the same passphrase, in the place of ``path``; return it and the old one's path.

    The old key file keeps its content as ``NAME-KEYID.old``, to decrypt old answers; its evaluation keys go.
    A rotation that fails leaves all as it was; one that was cut off can be done again. Raises InputError (the
    passphrase does not open the old key) and OutputError.
    """
    old = read(path, passphrase).header
    kept = path.with_name(f"{path.name}-{old.key_id}.old")
    fresh = path.with_name(f"{path.name}.next")
    with ExitStack() as undo:
        for left in (fresh, evaluation_path(fresh)):
            left.unlink(missing_ok=True)  # of a rotation that was cut off
            undo.callback(left.unlink, missing_ok=True)
        made = generate(fresh, artefact, demands, passphrase, days=days)
        try:
            sealed = path.read_bytes()
            if not kept.exists() or kept.read_bytes() != sealed:
                write_new(KeyFile(kept, sealed))
                undo.callback(kept.unlink, missing_ok=True)
            fresh.replace(path)
            undo.callback(kept.replace, path)
            evaluation_path(fresh).replace(evaluation_path(path))
        except OSError as error:
            raise OutputError(f"{path} cannot be rotated ({error.strerror}); it is as it was") from error
        undo.pop_all()
    return made, kept
