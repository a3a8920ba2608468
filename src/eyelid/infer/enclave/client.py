"""The client: appraises the evidence first, and encrypts to the key that it binds; there is no other way."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from pydantic import ValidationError

from eyelid.errors import AttestationError
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.channel import Client
from eyelid.infer.enclave.evidence import NONCE_BYTES, Evidence, Kind
from eyelid.infer.enclave.messages import pack_picture, unpack_answer
from eyelid.infer.enclave.tpm_credential import make_credential
from eyelid.infer.enclave.verify import verify
from eyelid.infer.enclave.worker import Question

if TYPE_CHECKING:
    from eyelid.infer.calling import Caller
    from eyelid.infer.enclave.appraisal import Appraisal
    from eyelid.infer.enclave.messages import Answer
    from eyelid.infer.enclave.policy_file import Policy
    from eyelid.types import Bgr

EVIDENCE_LIMIT = 2**20


class EnclaveClient:
    """Asks one server, as far as its evidence passes a policy.

    The first picture asks for evidence; later ones use the channel that it opened until the key expires.
    """

    def __init__(self, caller: Caller, policy: Policy) -> None:
        self._caller = caller
        self._policy = policy
        self._channel: Client | None = None
        self._expires = 0
        self.appraisal: Appraisal | None = None

    def appraise(self) -> Appraisal:
        """Ask for fresh evidence and return the verdict on it, whichever it is.

        Raises AttestationError where the answer is no evidence, InferenceError where there is none.
        """
        self._channel = None
        challenge, evidence = self._collect()
        self.appraisal = verify(evidence, self._policy, challenge=challenge)
        if self.appraisal.passed and evidence.binding is not None:
            self._channel = Client(self.appraisal.attested_key(), evidence.binding.manifest)
            self._expires = evidence.binding.expires
        return self.appraisal

    def _collect(self) -> tuple[Challenge, Evidence]:
        nonce = os.urandom(NONCE_BYTES)
        evidence = _read(self._caller.get(f"/evidence?nonce={nonce.hex()}", max_bytes=EVIDENCE_LIMIT))
        if evidence.kind is not Kind.TPM or evidence.tpm is None:
            return Challenge(nonce), evidence
        # Another nonce, so that nothing of the first answer, which no credential vouches for, is used.
        nonce = os.urandom(NONCE_BYTES)
        credential = make_credential(evidence.tpm.ek_certificate, evidence.tpm.ak)
        question = Question(nonce=nonce, credential=(credential.blob, credential.encrypted_secret))
        answer = self._caller.post(
            "/evidence",
            question.model_dump_json().encode(),
            max_bytes=EVIDENCE_LIMIT,
        )
        return Challenge(nonce, credential), _read(answer)

    def predict(self, picture: Bgr) -> Answer:
        """Return the answer to a picture, uint8 BGR (height, width, 3).

        Raises AttestationError, and sends nothing, unless the evidence passes all checks.
        """
        if self._channel is None or time.time() > self._expires:
            self.appraise().attested_key()
        if self._channel is None:
            raise AttestationError("the evidence is bound to no key, so nothing can be sent to the server")
        request, open_reply = self._channel.request(pack_picture(picture))
        return unpack_answer(open_reply(self._caller.post("/infer", request)))


def _read(content: bytes) -> Evidence:
    try:
        return Evidence.model_validate_json(content)
    except ValidationError:
        raise AttestationError("the server's answer is no evidence of this version of eyelid") from None
