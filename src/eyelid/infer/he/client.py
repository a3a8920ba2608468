"""The client: it alone holds the secret key, encrypts what it asks, and rounds what it reads."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import blob, seeded, wire
from eyelid.infer.he.contract import Offer, UncalibratedError
from eyelid.infer.he.wire import Kind

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.infer.he.keys import SecretKey

ID_BYTES = 16
T = TypeVar("T", bound=Offer)


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """Encrypted values: ``data`` goes to the server; ``request_id`` and ``rows`` stay, to read the answer."""

    data: bytes
    request_id: bytes
    rows: int


class Client(Generic[T]):
    """Encrypts for one offer of a server and decrypts its answers, with one secret key.

    Raises InferenceError where the key was made for another artefact, or has expired (when encrypting).
    """

    def __init__(self, offer: T, secret: SecretKey) -> None:
        import seal

        header = secret.header
        if header.artefact != offer.artefact or header.demands != offer.demands:
            raise InferenceError(
                f"key {header.key_id} is for artefact {header.artefact[:16]}, the server has "
                f"{offer.artefact[:16]}; give the key that keygen made for it"
            )
        self.offer = offer
        self._secret = secret
        scheme = offer.demands.scheme
        self._encoder = seal.CKKSEncoder(scheme.context)
        self._encryptor = seal.Encryptor(scheme.context, secret.key)
        self._decryptor = seal.Decryptor(scheme.context, secret.key)
        self._residues = blob.secret_residues(secret.key, scheme)
        self._level = tuple(np.frombuffer(blob.parms_id(scheme, offer.request.primes), "<u8").tolist())

    @property
    def key_id(self) -> str:
        """The key's id, which every request names."""
        return self._secret.header.key_id

    def encrypt(self, values: NDArray[np.floating]) -> Request:
        """Encrypt what the offer takes (images (n, c, h, w), or one embedding): each time anew.

        All requests for one offer have the same size. Raises InputError for values that are not finite or do
        not fit, InferenceError if the key has expired.
        """
        self._secret.check_time()
        slots, rows = self.offer.pack(np.ascontiguousarray(values, np.float64))
        return self.encrypt_slots(slots, rows)

    def encrypt_slots(self, slots: NDArray[np.float64], rows: int = 1) -> Request:
        """Encrypt float64 (ciphertexts, slots) as they are."""
        form, scheme = self.offer.request, self.offer.demands.scheme
        if slots.shape != (form.count, scheme.slots):
            raise InputError(f"a request has {form.count} x {scheme.slots} numbers, not {slots.shape}")
        if not np.isfinite(slots).all():
            raise InputError("the values to encrypt are not all finite; check the image")
        parts = []
        for row in slots:
            plain = self._encoder.encode(np.ascontiguousarray(row), form.scale)
            fresh = self._at_level(self._encryptor.encrypt_symmetric(plain))
            parts.append(seeded.reseed(fresh, self._residues, scheme)[0])
        request_id = os.urandom(ID_BYTES)
        return Request(wire.write_request(self.offer, self.key_id, request_id, parts), request_id, rows)

    def decrypt(self, response: bytes, request: Request, *, exact: bool = False) -> NDArray[np.float64]:
        """Return the scores, float64 (rows, scores), of the answer to ``request``.

        They are rounded to multiples of ``offer.rounding``. ``exact`` leaves them as decrypted: CKKS keeps
        its secret only while nobody but the key's holder sees exact decryptions, because their noise tells of
        the key (Li and Micciancio, Eurocrypt 2021: CKKS is not IND-CPA-D secure). Never pass exact scores on.

        Raises InputError for what is no answer, InferenceError for one to another request or key, and where
        the numbers in it are not finite; UncalibratedError where they outgrew those of calibration. What the
        server gets to know must not depend on the last: that would tell it of the key.
        """
        slots = self.decrypt_slots(response, request)
        scores = self.offer.unpack(slots, request.rows)
        outgrown = np.flatnonzero(self.offer.outgrown(slots, scores)).tolist()
        if outgrown:
            raise UncalibratedError(outgrown)
        return scores if exact else np.round(scores / self.offer.rounding) * self.offer.rounding

    def classes(self, response: bytes, request: Request) -> NDArray[np.int64]:
        """Return the index of the greatest score of each row, and nothing else of the decryption."""
        return np.asarray(self.decrypt(response, request, exact=True).argmax(axis=1), np.int64)

    def decrypt_slots(self, response: bytes, request: Request) -> NDArray[np.complex128]:
        """Return the decrypted slots, complex128 (ciphertexts, slots), exact: see :meth:`decrypt`."""
        message = wire.read(response, self.offer, Kind.RESPONSE)
        if message.request_id != request.request_id:
            raise InferenceError("this is the answer to another request; ask again")
        if message.key_id != self.key_id:
            raise InferenceError(f"this answer is under key {message.key_id}, not {self.key_id}; ask again")
        opened = [self._decryptor.decrypt(ciphertext) for ciphertext in message.ciphertexts]
        slots = np.stack([np.asarray(self._encoder.decode_complex(plain)) for plain in opened])
        if not np.isfinite(slots).all():
            raise InferenceError("the answer holds no numbers; the server or the way to it changed it")
        return slots

    def _at_level(self, ciphertext: object) -> object:
        """Drop the primes that the offer does not ask for."""
        import seal

        if self.offer.request.primes < len(self.offer.demands.scheme.moduli) - 1:
            evaluator = seal.Evaluator(self.offer.demands.scheme.context)
            evaluator.mod_switch_to_inplace(ciphertext, self._level)
        return ciphertext
