"""The file of locked pixels: written while frames are covered, read by whoever holds the key.

    header   magic "EYELLOCK", version (1 byte), salt (32 bytes), key check (16 bytes)
    records  frame index (8 bytes), length (4 bytes), then AES-256-GCM ciphertext with its 16-byte tag

Numbers are big-endian. The key of the file and the key check are derived from the user's key and the random
salt with HKDF-SHA256 (RFC 5869), so no two files share a key. Record ``i`` uses the nonce ``i`` and
authenticates the header and its own first 12 bytes, so records cannot be altered, swapped, dropped, or taken
from another file. The body of a record is one patch of one plane: plane number, bytes a sample (1 each), top,
left, rows, columns (4 each), and the samples. The last record has the frame index 2**64 - 1 and holds two
SHA-256 values: of the first 12 bytes of all records before it, and of the anonymised file. What is missing,
moved or added is therefore noticed before anything is restored.
Samples are not compressed: the size of a record then tells no more than the size of the black region does.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from typing import TYPE_CHECKING, Final, NoReturn

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from eyelid.errors import LockError, OutputError
from eyelid.types import _SEAL, Plane, RawFrame, SafeFrame, Samples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from eyelid.obfuscate.regions import Patch

_MAGIC: Final = b"EYELLOCK"
_VERSION: Final = 1
_SALT_BYTES: Final = 32
_CHECK_BYTES: Final = 16
_HEADER_BYTES: Final = len(_MAGIC) + 1 + _SALT_BYTES + _CHECK_BYTES
_RECORD: Final = struct.Struct(">QI")
_PATCH: Final = struct.Struct(">BBIIII")
_END: Final = 2**64 - 1


class LockWriter:
    """Encrypts original samples into a new file at ``path`` under ``key``, 32 bytes; frames come in order."""

    def __init__(self, path: Path, key: bytes) -> None:
        salt = secrets.token_bytes(_SALT_BYTES)
        cipher_key, check = _derive(key, salt)
        self._path = path
        self._cipher = AESGCM(cipher_key)
        self._header = _MAGIC + bytes([_VERSION]) + salt + check
        self._heads = hashlib.sha256()
        self._records = 0
        self._frame = -1
        try:
            self._file = path.open("wb")
        except OSError as error:
            self._refuse(error)
        self._put(self._header)

    def write(self, frame: RawFrame, patches: Sequence[Sequence[Patch]]) -> None:
        """Encrypt the samples of a frame as they are now; ``patches`` has one sequence for each plane.

        Raises OutputError where they cannot be written: the frame must then not be covered, or it is lost.
        """
        if frame.index <= self._frame:
            raise ValueError(
                f"frame {frame.index} came after frame {self._frame}; frames are locked in order"
            )
        self._frame = frame.index
        for number, (plane, parts) in enumerate(zip(frame.planes, patches, strict=True)):
            for patch in parts:
                samples = plane.samples[patch.rows, patch.columns]
                place = (patch.rows.start, patch.columns.start, *samples.shape)
                self._record(
                    frame.index,
                    _PATCH.pack(number, samples.itemsize, *place)
                    + samples.astype(f"<u{samples.itemsize}").tobytes(),
                )

    def finish(self, output: Path) -> None:
        """Bind the records to the finished anonymised file ``output`` and end the file."""
        self._record(_END, self._heads.digest() + _digest(output))
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            self._refuse(error)
        self.close()

    def close(self) -> None:
        """Close the file; without :meth:`finish` it is not complete and cannot be unlocked."""
        self._file.close()

    def _record(self, index: int, body: bytes) -> None:
        head = _RECORD.pack(index, len(body) + 16)
        self._put(head + self._cipher.encrypt(_nonce(self._records), body, self._header + head))
        self._heads.update(head)
        self._records += 1

    def _put(self, data: bytes) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._refuse(error)

    def _refuse(self, error: OSError) -> NoReturn:
        raise OutputError(
            f"the locked pixels cannot be written to {self._path} ({error.strerror}); "
            "free some space or choose another folder"
        ) from error


class LockReader:
    """Restores frames of the anonymised file ``output`` from the locked pixels at ``path``.

    Close it after use. Raises LockError where the key is wrong, the file is damaged or shortened, or belongs
    to another output.
    """

    def __init__(self, path: Path, key: bytes, output: Path) -> None:
        self._path = path
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise LockError(
                f"the locked pixels {path} cannot be read ({error.strerror}); keep it beside the output"
            ) from error
        try:
            self._open(key, output)
        except BaseException:  # nobody gets this object, so nobody else could close its file
            self._file.close()
            raise

    def _open(self, key: bytes, output: Path) -> None:
        self._header = self._file.read(_HEADER_BYTES)
        if len(self._header) < _HEADER_BYTES or not self._header.startswith(_MAGIC):
            raise LockError(f"{self._path} is not a file of locked pixels; give the .lock file of the output")
        version, rest = self._header[len(_MAGIC)], self._header[len(_MAGIC) + 1 :]
        if version != _VERSION:
            raise LockError(f"{self._path} was written by a newer eyelid (format {version}); update eyelid")
        cipher_key, check = _derive(key, rest[:_SALT_BYTES])
        if not hmac.compare_digest(check, rest[_SALT_BYTES:]):
            raise LockError(
                f"wrong key for {self._path}: nothing was restored; use the key it was locked with"
            )
        self._cipher = AESGCM(cipher_key)
        self._records: dict[int, list[tuple[int, int]]] = {}
        heads, end = self._scan()
        body = self._decrypt(*end)
        if not hmac.compare_digest(body[: len(heads)], heads):
            raise self._damaged()
        if not hmac.compare_digest(body[len(heads) :], _digest(output)):
            raise LockError(
                f"{self._path} does not belong to {output}, or that file was changed; use both untouched"
            )

    def _scan(self) -> tuple[bytes, tuple[int, int]]:
        """Note where each record begins; return the digest of their heads, and the last one."""
        heads = hashlib.sha256()
        size = os.fstat(self._file.fileno()).st_size
        offset, number = _HEADER_BYTES, 0
        while size - offset >= _RECORD.size:
            self._file.seek(offset)
            head = self._file.read(_RECORD.size)
            index, length = _RECORD.unpack(head)
            following = offset + _RECORD.size + length
            if index == _END and following == size:
                return heads.digest(), (number, offset)
            heads.update(head)
            self._records.setdefault(index, []).append((number, offset))
            offset, number = following, number + 1
        raise self._damaged()

    def restore(self, frame: RawFrame) -> SafeFrame:
        """Put the original samples back into a frame of the anonymised file, in place, and return it.

        The key holder's own decision makes the frame safe to write. Every record of the frame is checked
        before the first sample changes. Raises LockError.
        """
        originals = [self._patch(record, frame.planes) for record in self._records.get(frame.index, [])]
        for view, samples in originals:
            view[...] = samples
        return SafeFrame(frame, _SEAL)

    def _patch(self, record: tuple[int, int], planes: Sequence[Plane]) -> tuple[Samples, Samples]:
        body = self._decrypt(*record)
        number, itemsize, top, left, rows, columns = _PATCH.unpack_from(body)
        view = planes[number].samples if number < len(planes) else np.zeros((0, 0), np.uint8)
        view = view[top : top + rows, left : left + columns]
        if view.shape != (rows, columns) or view.itemsize != itemsize:
            raise LockError(
                f"{self._path} holds frames of another size or depth; use the two files as written"
            )
        samples = np.frombuffer(body, f"<u{itemsize}", offset=_PATCH.size).reshape(rows, columns)
        return view, samples

    def _decrypt(self, number: int, offset: int) -> bytes:
        self._file.seek(offset)
        head = self._file.read(_RECORD.size)
        ciphertext = self._file.read(_RECORD.unpack(head)[1])
        try:
            return self._cipher.decrypt(_nonce(number), ciphertext, self._header + head)
        except InvalidTag:
            raise self._damaged() from None

    def _damaged(self) -> LockError:
        return LockError(
            f"{self._path} was altered or is not complete, so it cannot be trusted; use an untouched copy"
        )

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> LockReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _derive(key: bytes, salt: bytes) -> tuple[bytes, bytes]:
    """Return the file's AES key and the bytes that tell a wrong key."""
    material = HKDF(SHA256(), 32 + _CHECK_BYTES, salt, b"eyelid lock 1").derive(key)
    return material[:32], material[32:]


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
