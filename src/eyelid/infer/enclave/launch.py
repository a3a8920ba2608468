"""Measures a workload, starts it in the sandbox, and relays ciphertext to it: it never sees a picture."""

from __future__ import annotations

import mmap
import os
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Self

from eyelid.errors import AttestationError, InferenceError, InputError, UsageError
from eyelid.infer.enclave import tsm
from eyelid.infer.enclave.evidence import WORKLOAD_PCR, Kind, workload_pcr
from eyelid.infer.enclave.manifest import CODE, Configuration, Manifest, measure, read_model
from eyelid.infer.enclave.sandbox import command
from eyelid.infer.enclave.worker import (
    BROKEN,
    EVIDENCE,
    INFER,
    LENGTH,
    MOST_BYTES,
    OK,
    START,
    Question,
    Start,
    read_frame,
    write_frame,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from eyelid.infer.enclave.sealed import SealedKey


@dataclass(frozen=True, slots=True)
class Launch:
    """What is to run, and what vouches for it.

    ``model`` is a file, None for a shipped detector. ``tpm`` is a device or a socket; ``certificates`` (DER)
    lead from its endorsement key's to its maker's root. ``code`` is the package that is measured and run.
    """

    configuration: Configuration = field(default_factory=Configuration)
    model: Path | None = None
    kind: Kind = Kind.TPM
    tpm: Path | None = None
    pcr: int = WORKLOAD_PCR
    certificates: tuple[bytes, ...] = ()
    sealed: SealedKey | None = None
    code: Path = CODE
    tsm: Path = tsm.FOLDER

    def manifest(self) -> Manifest:
        """Measure the workload."""
        if (self.model is None) == (self.configuration.detector is None):
            raise UsageError("name a model's file or a shipped detector, one of them")
        model = None if self.model is None else read_model(self.model)
        return measure(model, self.configuration, code=self.code)


class Enclosed:
    """A workload at work in its sandbox; use it as a context manager.

    Raises AttestationError where the evidence that was asked for can't be given: another never takes its
    place. Methods may be called from several threads; the worker answers one after another.
    """

    def __init__(self, launch: Launch) -> None:
        self.manifest = launch.manifest()
        self._lock = Lock()
        with ExitStack() as opened:
            tpm = self._measured(launch, opened)
            requests = os.memfd_create("requests")
            opened.callback(os.close, requests)
            os.truncate(requests, MOST_BYTES)  # takes memory only as far as it is written to
            self._requests = mmap.mmap(requests, 0)
            folder = (launch.tsm,) if launch.kind is not Kind.TPM else ()
            self._process = subprocess.Popen(  # noqa: S603 - the command line is our own
                command(launch.code, model=launch.model, writable=folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if os.environ.get("EYELID_DEBUG") else subprocess.DEVNULL,
                pass_fds=(requests,) if tpm is None else (requests, tpm),
            )
        start = Start(
            manifest=self.manifest,
            kind=launch.kind,
            requests=requests,
            tpm=tpm,
            pcr=launch.pcr,
            certificates=launch.certificates,
            sealed=launch.sealed,
            folder=str(launch.tsm),
        )
        with ExitStack() as started:
            started.callback(self.close)
            self._ask(START, start.model_dump_json(by_alias=True).encode())
            started.pop_all()

    def _measured(self, launch: Launch, opened: ExitStack) -> int | None:
        """Record the manifest before what it names runs; return the TPM, open as long as ``opened`` is."""
        if launch.kind is not Kind.TPM:
            tsm.check(launch.kind, launch.tsm)
            return None
        from eyelid.infer.enclave.tpm_device import Tpm
        from eyelid.infer.enclave.tpm_link import open_tpm

        if launch.tpm is None:
            raise UsageError("name the TPM with --tpm")
        file = open_tpm(launch.tpm)
        opened.callback(os.close, file)
        with Tpm(file, pcr=launch.pcr) as tpm:
            value = tpm.value()
            if value == bytes(32):
                tpm.measure(self.manifest.digest)
            elif value != workload_pcr(self.manifest.digest):
                raise AttestationError(
                    f"PCR {launch.pcr} holds the measurement of something else since the last boot; "
                    "restart the machine, or choose another with --pcr"
                )
        return file

    def evidence(self, question: Question) -> bytes:
        """Return evidence as JSON."""
        return self._ask(EVIDENCE, question.model_dump_json().encode())

    def infer(self, request: Sequence[bytes]) -> bytes:
        """Return the encrypted reply to an encrypted request, which is in one part or several."""
        length = sum(map(len, request))
        if length > MOST_BYTES:
            raise InputError(f"a request of {length:,} bytes is larger than any that is answered")
        with self._lock:
            at = 0
            for part in request:
                self._requests[at : (at := at + len(part))] = part
            return self._answer(INFER, LENGTH.pack(length))

    def _ask(self, kind: int, content: bytes) -> bytes:
        with self._lock:
            return self._answer(kind, content)

    def _answer(self, kind: int, content: bytes) -> bytes:
        """Send a frame and return the answer to it; whoever calls holds the lock."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            write_frame(self._process.stdin, kind, content)  # type: ignore[arg-type]  # IO[bytes] is one
            frame = read_frame(self._process.stdout)  # type: ignore[arg-type]
        except (BrokenPipeError, ValueError):
            frame = None
        if frame is None:
            raise InferenceError("the worker has ended; start the server again")
        status, answer = frame
        if status == OK:
            return answer
        said = answer.decode(errors="replace")
        if status == BROKEN:
            raise InferenceError(f"an unexpected {said} ended the work on this request")
        raise (AttestationError if kind == START else InferenceError)(said)

    def close(self) -> None:
        """End the worker and wait for it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._requests.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
