"""What vouches for the workload: a TPM, or the machine's TEE; each has the key that clients encrypt to."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from typing import TYPE_CHECKING

from eyelid.errors import AttestationError
from eyelid.infer.enclave import hpke, tsm
from eyelid.infer.enclave.evidence import Binding, Evidence, Kind, TpmParts, workload_pcr
from eyelid.infer.enclave.tpm_device import Tpm, point_of

if TYPE_CHECKING:
    from pathlib import Path


class Attester(ABC):
    """Has one key at a time, and evidence that binds it to the manifest."""

    def __init__(self, manifest: bytes, life: int) -> None:
        self._manifest = manifest
        self._life = life
        self._renew()

    def _renew(self) -> None:
        now = int(time.time())
        self.binding = Binding(
            manifest=self._manifest, key=self._make_key(), issued=now, expires=now + self._life
        )

    def renew(self) -> None:
        """Replace the key by a new one; what was encrypted to the old one can't be read any more."""
        self._renew()

    @property
    def stale(self) -> bool:
        """Whether the key has less than a tenth of its life left, so that nobody should start with it."""
        return time.time() > self.binding.expires - self._life / 10

    @property
    def expired(self) -> bool:
        """Whether nothing may be encrypted to the key any more."""
        return time.time() > self.binding.expires

    @abstractmethod
    def _make_key(self) -> bytes:
        """Make a new key, forget the old one, and return the public part."""

    @abstractmethod
    def exchange(self, enc: bytes) -> bytes:
        """Return the secret that an encapsulated key shares with the key in use."""

    @abstractmethod
    def evidence(self, nonce: bytes, credential: tuple[bytes, bytes] | None) -> Evidence:
        """Return evidence for a verifier's nonce, and for a TPM with the secret of its credential."""


class TpmAttester(Attester):
    """A TPM whose PCR holds the manifest; the key never leaves it, and works only in that state."""

    kind = Kind.TPM

    def __init__(self, tpm: Tpm, manifest: bytes, life: int, certificates: tuple[bytes, ...] = ()) -> None:
        if tpm.value() != workload_pcr(manifest):
            raise AttestationError(
                f"PCR {tpm.pcr} does not hold this workload alone: something was measured into it before; "
                "restart the machine, or choose another with --pcr"
            )
        self._tpm = tpm
        self._certificates = certificates
        self._loaded = ExitStack()
        super().__init__(manifest, life)

    def _make_key(self) -> bytes:
        self._loaded.close()
        self._blob = self._tpm.make_key()
        self._handle = self._loaded.enter_context(self._tpm.loaded(self._blob))
        return point_of(self._blob.public)

    def exchange(self, enc: bytes) -> bytes:
        """Return the shared secret by TPM2_ECDH_ZGen."""
        return self._tpm.exchange(self._handle, enc)

    def evidence(self, nonce: bytes, credential: tuple[bytes, bytes] | None) -> Evidence:
        """Return a quote, the key certified by the AK, and with a credential the proof of activation."""
        qualifying = self.binding.qualifying_data(nonce)
        activation = None if credential is None else self._tpm.activate(*credential)
        certified = self._tpm.certify(self._handle, qualifying)
        quote = self._tpm.quote(qualifying)
        return Evidence(
            kind=Kind.TPM,
            report=quote.attest,
            certificates=self._certificates,
            binding=self.binding,
            tpm=TpmParts(
                signature=quote.signature,
                pcrs=self._tpm.values(),
                ak=self._tpm.ak_public(),
                ek_certificate=self._tpm.ek_certificate(),
                key=self._blob.public[2:],
                key_attest=certified.attest,
                key_signature=certified.signature,
                activation=activation,
            ),
        )

    def close(self) -> None:
        """Let the TPM forget the key."""
        self._loaded.close()


class TsmAttester(Attester):
    """A confidential virtual machine (TDX, SEV-SNP); the key lives in its encrypted memory."""

    def __init__(self, kind: Kind, manifest: bytes, life: int, folder: Path = tsm.FOLDER) -> None:
        tsm.check(kind, folder)
        self._kind, self._folder = kind, folder
        super().__init__(manifest, life)

    def _make_key(self) -> bytes:
        public, self._exchange = hpke.in_memory()
        return public

    def exchange(self, enc: bytes) -> bytes:
        """Return the shared secret by X25519."""
        return self._exchange(enc)

    def evidence(self, nonce: bytes, _credential: tuple[bytes, bytes] | None) -> Evidence:
        """Return a report over nonce, key and manifest; a credential is for TPMs and is left alone."""
        report = tsm.collect(self._kind, self.binding.report_data(nonce), self._folder)
        return report.model_copy(update={"binding": self.binding})
