"""The attested worker: the one process that ever holds a decrypted picture, and it has no network.

It runs inside the sandbox, with the TPM as an open file. Its peer (:mod:`~eyelid.infer.enclave.launch`)
speaks to it by its standard input and output: a frame is a length (4 bytes), one byte, and the content.
Encrypted requests lie in memory that both share, and the frame has their length alone.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import resource
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final

from pydantic import Field, ValidationError

from eyelid.errors import AttestationError, EyelidError, InputError, ModelError
from eyelid.infer.enclave.channel import Server
from eyelid.infer.enclave.evidence import NONCE_BYTES, Evidence, Kind, Record, workload_pcr
from eyelid.infer.enclave.manifest import Manifest
from eyelid.infer.enclave.messages import pack_answer, unpack_picture
from eyelid.infer.enclave.sandbox import MODEL
from eyelid.infer.enclave.sealed import SealedKey

if TYPE_CHECKING:
    from eyelid.infer.enclave.attester import Attester
    from eyelid.infer.enclave.tpm_device import Tpm
    from eyelid.infer.enclave.workload import Workload

FRAME: Final = struct.Struct(">IB")
LENGTH: Final = struct.Struct(">I")
MOST_BYTES: Final = 256 * 2**20
OK, REFUSED, BROKEN = range(3)
START, EVIDENCE, INFER = range(3)


class Start(Record):
    """What the worker is told at its start; nothing of it is secret.

    ``requests`` and ``tpm`` are the numbers of open files: the shared memory, and the TPM.
    """

    manifest: Manifest
    kind: Kind
    requests: int
    tpm: int | None = None
    pcr: int
    certificates: tuple[bytes, ...] = ()
    sealed: SealedKey | None = None
    folder: str


class Question(Record):
    """A verifier's question: its nonce, and a TPM's credential (TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET)."""

    nonce: Annotated[bytes, Field(min_length=NONCE_BYTES, max_length=NONCE_BYTES)]
    credential: tuple[bytes, bytes] | None = None


class Worker:
    """Answers questions for evidence, and encrypted requests."""

    def __init__(self, start: Start) -> None:
        from eyelid.infer.enclave.workload import build

        self._manifest = start.manifest.digest
        self._requests = mmap.mmap(start.requests, 0, prot=mmap.PROT_READ)
        self._attester, model = _attester_and_model(start)
        self._workload: Workload = build(start.manifest.configuration, model)
        self._channels = self._server()

    def _server(self) -> Server:
        return Server(self._attester.binding.key, self._manifest, self._attester.exchange)

    def evidence(self, question: Question) -> Evidence:
        """Return evidence for the key in use; a key near its end, or used up, is replaced first."""
        if self._attester.stale or self._channels.full:
            self._attester.renew()
            self._channels = self._server()
        return self._attester.evidence(question.nonce, question.credential)

    def infer(self, length: int) -> bytes:
        """Return the encrypted answer to an encrypted picture; here alone it is in the clear."""
        if self._attester.expired:
            raise AttestationError("the server's key has expired; ask for evidence again")
        request = self._requests[:length]  # a copy: what is authenticated can't change before it is decrypted
        message, seal_reply = self._channels.open(request)
        return seal_reply(pack_answer(self._workload(unpack_picture(message))))


def _attester_and_model(start: Start) -> tuple[Attester, Path | None]:
    from eyelid.infer.enclave.attester import TpmAttester, TsmAttester

    manifest, life = start.manifest.digest, start.manifest.configuration.key_life
    if start.kind is not Kind.TPM:
        return TsmAttester(start.kind, manifest, life, Path(start.folder)), _model(start, None)
    from eyelid.infer.enclave.tpm_device import Tpm

    assert start.tpm is not None
    tpm = Tpm(start.tpm, pcr=start.pcr)
    measured = hashlib.sha256(bytes(32) + manifest).digest()
    model = _model(start, tpm)
    if tpm.value() == measured:
        tpm.cap()
    return TpmAttester(tpm, manifest, life, start.certificates), model


def _model(start: Start, tpm: Tpm | None) -> Path | None:
    """Return the model, as measured and decrypted, in the sandbox's own memory."""
    from eyelid.infer.enclave.sealed import decrypt, unseal_key

    if start.manifest.model is None:
        return None
    content = MODEL.read_bytes()
    if hashlib.sha256(content).hexdigest() != start.manifest.model:
        raise ModelError("the model changed after it was measured; start again")
    if start.manifest.configuration.sealed:
        if tpm is None or start.sealed is None:
            raise ModelError("a sealed model needs its key and the TPM that sealed it")
        if tpm.value() == workload_pcr(start.manifest.digest):
            raise ModelError("a sealed model opens once in each boot, and did; restart the machine")
        content = decrypt(content, unseal_key(tpm, start.sealed))
    copy = Path("/tmp/model.onnx")  # noqa: S108 - memory that the sandbox alone sees
    copy.write_bytes(content)
    return copy


def read_frame(stream: BinaryIO) -> tuple[int, bytes] | None:
    """Return the next frame, or None at the end."""
    head = stream.read(FRAME.size)
    if len(head) < FRAME.size:
        return None
    length, kind = FRAME.unpack(head)
    content = stream.read(length) if length <= MOST_BYTES else b""
    return (kind, content) if len(content) == length else None


def write_frame(stream: BinaryIO, kind: int, content: bytes) -> None:
    """Write one frame."""
    stream.write(FRAME.pack(len(content), kind))
    stream.write(content)
    stream.flush()


def main() -> None:
    """Serve frames until the other end closes."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash must not write a picture to the disk
    source = sys.stdin.buffer
    sink = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not stand among frames
    worker: Worker | None = None
    while (frame := read_frame(source)) is not None:
        kind, content = frame
        try:
            if kind == START:
                worker = Worker(Start.model_validate_json(content))
                answer = b""
            elif worker is None:
                raise InputError("the worker was not started")
            elif kind == EVIDENCE:
                answer = (
                    worker.evidence(Question.model_validate_json(content))
                    .model_dump_json(by_alias=True)
                    .encode()
                )
            else:
                answer = worker.infer(*LENGTH.unpack(content))
            write_frame(sink, OK, answer)
        except EyelidError as error:
            write_frame(sink, REFUSED, str(error).encode())
        except ValidationError:
            write_frame(sink, REFUSED, b"the question is malformed")
        except Exception as error:
            write_frame(sink, BROKEN, type(error).__name__.encode())
