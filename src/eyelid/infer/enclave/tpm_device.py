"""A TPM at work: measures, quotes, and keeps keys that it uses only while the measurement holds.

A TPM proves the state that was recorded. It is no TEE: whoever is root on the host reads the memory of the
program that was measured. Commands are those of the TPM 2.0 library specification, part 3.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eyelid.errors import AttestationError
from eyelid.infer.enclave.evidence import CAP, WORKLOAD_PCR
from eyelid.infer.enclave.tpm_link import session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from tpm2_pytss import ESYS_TR, TPM2B_PRIVATE, TPM2B_PUBLIC, TSS2_Exception

POLICY_FAIL: Final = 0x99D
"""TPM_RC_POLICY_FAIL on the first session: the PCR does not hold what the key was made for."""
ATTRIBUTES: Final = "fixedtpm|fixedparent|sensitivedataorigin|noda"
PCRS_EXTENDABLE: Final = (11, 12, 13, 14)
"""PCRs that the operating system can extend but no locality of it can reset."""

BOOT_PCRS: Final = tuple(range(10))
"""What firmware, boot loader and kernel measured; a quote covers them, so that a policy may name them."""


class TpmError(AttestationError):
    """The TPM refuses a command; ``code`` is the response code of part 2 of the specification."""

    def __init__(self, doing: str, code: int) -> None:
        why = "the measured state is another" if code == POLICY_FAIL else "see tpm2_rc_decode"
        super().__init__(f"the TPM refuses to {doing}: code {code:#x}, {why}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Blob:
    """A key or secret that only the TPM that made it can load: TPM2B_PUBLIC and encrypted TPM2B_PRIVATE."""

    public: bytes
    private: bytes


@dataclass(frozen=True, slots=True)
class Signed:
    """What the attestation key says: TPMS_ATTEST and TPMT_SIGNATURE."""

    attest: bytes
    signature: bytes


def pcr_policy(value: bytes, pcr: int = WORKLOAD_PCR) -> bytes:
    """Return the digest of TPM2_PolicyPCR for one PCR of the SHA-256 bank at ``value`` (part 3, 23.7)."""
    select = bytearray(3)
    select[pcr // 8] = 1 << pcr % 8
    selection = b"\x00\x00\x00\x01" + b"\x00\x0b" + b"\x03" + bytes(select)
    command = b"\x00\x00\x01\x7f"
    return hashlib.sha256(bytes(32) + command + selection + hashlib.sha256(value).digest()).digest()


class Tpm:
    """One TPM behind an open file (see :func:`~eyelid.infer.enclave.tpm_link.open_tpm`).

    Every method raises :class:`TpmError` where the TPM refuses. Not for several threads at once.
    """

    def __init__(self, file: int, *, pcr: int = WORKLOAD_PCR) -> None:
        from tpm2_pytss import ESYS_TR

        self.pcr = pcr
        self._pcr_handle = getattr(ESYS_TR, f"PCR{pcr}")
        self._esys = session(file)
        self._ak: ESYS_TR | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget what was loaded; the file stays open."""
        if self._ak is not None:
            self._esys.flush_context(self._ak)
            self._ak = None
        self._esys.close()

    def value(self) -> bytes:
        """Return what the PCR holds: 32 bytes."""
        return self._values((self.pcr,))[self.pcr]

    def values(self) -> dict[int, bytes]:
        """Return what the PCRs hold that a quote covers, those of the boot and ours."""
        return self._values((*BOOT_PCRS[:5], self.pcr)) | self._values(BOOT_PCRS[5:])

    def _values(self, pcrs: tuple[int, ...]) -> dict[int, bytes]:
        """Return PCRs, at most 8, as one command reads them."""
        with _doing("read PCRs"):
            _, _, digests = self._esys.pcr_read(_selection(pcrs))
        return dict(zip(sorted(pcrs), map(bytes, digests), strict=True))

    def measure(self, manifest: bytes) -> None:
        """Extend the PCR with a manifest (32 bytes)."""
        self._extend(manifest)

    def cap(self) -> None:
        """Extend the PCR once more, so that what was sealed to the measured state stays shut until reboot."""
        self._extend(CAP)

    def _extend(self, digest: bytes) -> None:
        from tpm2_pytss import TPM2_ALG, TPML_DIGEST_VALUES, TPMT_HA, TPMU_HA

        values = TPML_DIGEST_VALUES([TPMT_HA(hashAlg=TPM2_ALG.SHA256, digest=TPMU_HA(sha256=digest))])
        with _doing("extend a PCR"):
            self._esys.pcr_extend(self._pcr_handle, values)

    def ek_certificate(self) -> bytes:
        """Return the certificate (DER) of the endorsement key, from the TPM's own memory."""
        return self._endorsement()[0]

    def _endorsement(self) -> tuple[bytes, TPM2B_PUBLIC]:
        from tpm2_pytss.utils import NVReadEK, create_ek_template

        with _doing("read the certificate of its endorsement key"):
            try:
                certificate, template = create_ek_template("EK-RSA2048", NVReadEK(self._esys))
            except ValueError:
                certificate = None
        if not certificate:
            raise AttestationError(
                "this TPM has no certificate for its endorsement key (RSA 2048), so nobody could know it; "
                "ask its maker for one"
            )
        return bytes(certificate), template

    @property
    def _attestation_key(self) -> ESYS_TR:
        """The attestation key: made from the endorsement seed, so it is the same after every boot."""
        from tpm2_pytss import ESYS_TR, TPM2B_PUBLIC

        if self._ak is None:
            attributes = f"{ATTRIBUTES}|userwithauth|sign|restricted"
            template = TPM2B_PUBLIC.parse("ecc256:ecdsa-sha256:null", objectAttributes=attributes)
            with _doing("make an attestation key"):
                self._ak, *_ = self._esys.create_primary(None, template, ESYS_TR.ENDORSEMENT)
        return self._ak

    def ak_public(self) -> bytes:
        """Return the attestation key as TPMT_PUBLIC."""
        with _doing("read its attestation key"):
            public, _, _ = self._esys.read_public(self._attestation_key)
        return bytes(public.publicArea.marshal())

    def activate(self, blob: bytes, encrypted_secret: bytes) -> bytes:
        """Return the secret of a credential for this TPM's AK under its EK (TPM2_ActivateCredential)."""
        from tpm2_pytss import ESYS_TR, TPM2B_ENCRYPTED_SECRET, TPM2B_ID_OBJECT, TSS2_Exception

        try:
            credential, _ = TPM2B_ID_OBJECT.unmarshal(blob)
            secret, _ = TPM2B_ENCRYPTED_SECRET.unmarshal(encrypted_secret)
        except TSS2_Exception:
            raise AttestationError("the credential is malformed") from None
        _, template = self._endorsement()
        with _doing("activate a credential"):
            ek, *_ = self._esys.create_primary(None, template, ESYS_TR.ENDORSEMENT)
            try:
                with self._policy() as policy:
                    self._esys.policy_secret(ESYS_TR.ENDORSEMENT, policy)
                    recovered = self._esys.activate_credential(
                        self._attestation_key, ek, credential, secret, session2=policy
                    )
            finally:
                self._esys.flush_context(ek)
        return bytes(recovered)

    def quote(self, qualifying: bytes) -> Signed:
        """Return what the PCRs hold, signed with ``qualifying`` (at most 64 bytes) by the attestation key."""
        with _doing("quote PCRs"):
            covered = _selection((*BOOT_PCRS, self.pcr))
            attest, signature = self._esys.quote(self._attestation_key, covered, qualifying)
        return Signed(bytes(attest), bytes(signature.marshal()))

    def make_key(self) -> Blob:
        """Make a P-256 ECDH key that works only while the PCR holds what it holds now."""
        from tpm2_pytss import TPM2B_PUBLIC

        template = TPM2B_PUBLIC.parse(
            "ecc256:ecdh",
            objectAttributes=f"{ATTRIBUTES}|decrypt",
            authPolicy=pcr_policy(self.value(), self.pcr),
        )
        return self._create(None, template)

    def seal(self, secret: bytes, *, value: bytes) -> Blob:
        """Return a secret that the TPM gives back only while the PCR holds ``value``."""
        from tpm2_pytss import (
            TPM2_ALG,
            TPM2B_PUBLIC,
            TPM2B_SENSITIVE_CREATE,
            TPM2B_SENSITIVE_DATA,
            TPMS_SENSITIVE_CREATE,
        )

        template = TPM2B_PUBLIC.parse(
            "keyedhash",
            objectAttributes="fixedtpm|fixedparent|noda",
            nameAlg=TPM2_ALG.SHA256,
            authPolicy=pcr_policy(value, self.pcr),
        )
        sensitive = TPM2B_SENSITIVE_CREATE(TPMS_SENSITIVE_CREATE(data=TPM2B_SENSITIVE_DATA(secret)))
        return self._create(sensitive, template)

    def unseal(self, blob: Blob) -> bytes:
        """Return a sealed secret."""
        with self.loaded(blob) as handle, _doing("unseal a secret"), self._policy(pcr=True) as policy:
            return bytes(self._esys.unseal(handle, session1=policy))

    def _create(self, sensitive: object, template: TPM2B_PUBLIC) -> Blob:
        with _doing("make a key"), self._storage() as parent:
            private, public, *_ = self._esys.create(parent, sensitive, template)
        return Blob(bytes(public.marshal()), bytes(private.marshal()))

    @contextmanager
    def loaded(self, blob: Blob) -> Iterator[ESYS_TR]:
        """Load a key while the block runs."""
        from tpm2_pytss import TPM2B_PRIVATE, TPM2B_PUBLIC

        private: TPM2B_PRIVATE = TPM2B_PRIVATE.unmarshal(blob.private)[0]
        public: TPM2B_PUBLIC = TPM2B_PUBLIC.unmarshal(blob.public)[0]
        with _doing("load a key"), self._storage() as parent:
            handle = self._esys.load(parent, private, public)
        try:
            yield handle
        finally:
            self._esys.flush_context(handle)

    def certify(self, key: ESYS_TR, qualifying: bytes) -> Signed:
        """Return what the attestation key says of a loaded key: its name, thus its policy and attributes."""
        from tpm2_pytss import TPM2_ALG, TPMT_SIG_SCHEME

        with _doing("certify a key"):
            attest, signature = self._esys.certify(
                key, self._attestation_key, qualifying, TPMT_SIG_SCHEME(scheme=TPM2_ALG.NULL)
            )
        return Signed(bytes(attest), bytes(signature.marshal()))

    def exchange(self, key: ESYS_TR, enc: bytes) -> bytes:
        """Return the x coordinate (32 bytes) of an encapsulated point times a loaded key (TPM2_ECDH_ZGen)."""
        from tpm2_pytss import TPM2B_ECC_POINT, TPMS_ECC_POINT

        given = TPM2B_ECC_POINT(TPMS_ECC_POINT(x=enc[1:33], y=enc[33:65]))
        with _doing("use its key"), self._policy(pcr=True) as policy:
            shared = self._esys.ecdh_zgen(key, given, session1=policy)
        return bytes(shared.point.x).rjust(32, b"\x00")

    @contextmanager
    def _storage(self) -> Iterator[ESYS_TR]:
        from tpm2_pytss import ESYS_TR, TPM2B_PUBLIC

        template = TPM2B_PUBLIC.parse(
            "ecc256:aes128cfb", objectAttributes=f"{ATTRIBUTES}|userwithauth|restricted|decrypt"
        )
        handle, *_ = self._esys.create_primary(None, template, ESYS_TR.OWNER)
        try:
            yield handle
        finally:
            self._esys.flush_context(handle)

    @contextmanager
    def _policy(self, *, pcr: bool = False) -> Iterator[ESYS_TR]:
        from tpm2_pytss import ESYS_TR, TPM2_ALG, TPM2_SE, TPMT_SYM_DEF

        nothing = TPMT_SYM_DEF(algorithm=TPM2_ALG.NULL)
        handle = self._esys.start_auth_session(
            ESYS_TR.NONE, ESYS_TR.NONE, TPM2_SE.POLICY, nothing, TPM2_ALG.SHA256
        )
        try:
            if pcr:
                self._esys.policy_pcr(handle, None, _selection((self.pcr,)))
            yield handle
        finally:
            self._esys.flush_context(handle)


def point_of(key: bytes) -> bytes:
    """Return the public point (65 bytes, uncompressed) of an ECC key given as TPM2B_PUBLIC."""
    from tpm2_pytss import TPM2B_PUBLIC

    public, _ = TPM2B_PUBLIC.unmarshal(key)
    unique = public.publicArea.unique.ecc
    return b"\x04" + bytes(unique.x).rjust(32, b"\x00") + bytes(unique.y).rjust(32, b"\x00")


def _selection(pcrs: tuple[int, ...]) -> str:
    return "sha256:" + ",".join(map(str, pcrs))


@contextmanager
def _doing(what: str) -> Iterator[None]:
    from tpm2_pytss import TSS2_Exception

    try:
        yield
    except TSS2_Exception as error:
        refused: TSS2_Exception = error
        raise TpmError(what, int(refused.rc)) from None
