"""Encrypted requests and replies: each request is opened once, each reply is under a key of its own.

A request is: the first 8 bytes of SHA-256 of the server's key, the encapsulated key, the number of the
message in its channel (8 bytes), the ciphertext. A reply is encrypted under a key that both ends export for
that number, with the request's head and tag as associated data, so that no reply stands for another.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from eyelid.errors import AttestationError, InferenceError
from eyelid.infer.enclave import hpke
from eyelid.infer.enclave.messages import info

if TYPE_CHECKING:
    from collections.abc import Callable

KEY_ID_BYTES: Final = 8
MOST_CHANNELS: Final = 100_000
"""How many channels are remembered for one key, so that none is replayed; then a new key is due."""
_NONCE: Final = bytes(12)
"""Every reply has its own key, so its nonce need not change."""


def key_id(key: bytes) -> bytes:
    """Return the short name of a server's key."""
    return hashlib.sha256(key).digest()[:KEY_ID_BYTES]


class Client:
    """The client's end of one channel, to a key that evidence vouches for."""

    def __init__(self, key: bytes, manifest: bytes) -> None:
        self._head = key_id(key)
        self._enc, self._context = hpke.sender(key, info(manifest, key))

    def request(self, message: bytes) -> tuple[tuple[bytes, bytes], Callable[[bytes], bytes]]:
        """Return an encrypted request (head, ciphertext), and what decrypts its reply.

        The latter raises AttestationError for any other reply.
        """
        number = self._context.sequence.to_bytes(8, "big")
        head = self._head + self._enc + number
        sealed = self._context.seal(message, head)
        reply_key = self._context.export(b"reply" + number)
        said = head + sealed[-hpke.TAG_BYTES :]

        def open_reply(reply: bytes) -> bytes:
            try:
                return AESGCM(reply_key).decrypt(_NONCE, reply, said)
            except InvalidTag:
                raise AttestationError(
                    "the reply was altered, or is not the attested workload's; it is refused"
                ) from None

        return (head, sealed), open_reply


class Server:
    """The workload's end of all channels to one key."""

    def __init__(self, key: bytes, manifest: bytes, exchange: hpke.Exchange) -> None:
        self._key = key
        self._info = info(manifest, key)
        self._exchange = exchange
        self._enc_bytes = hpke.LENGTHS[hpke.kem_of(key)]
        self._channels: dict[bytes, hpke.Context] = {}

    @property
    def full(self) -> bool:
        """Whether no channel can be added, for each must be remembered."""
        return len(self._channels) >= MOST_CHANNELS

    def open(self, request: bytes) -> tuple[bytes, Callable[[bytes], bytes]]:
        """Return the message of a request, and what encrypts the reply to it.

        Raises InferenceError for a request to another key, AttestationError for one that was altered, or that
        was opened before.
        """
        head = request[: KEY_ID_BYTES + self._enc_bytes + 8]
        if head[:KEY_ID_BYTES] != key_id(self._key):
            raise InferenceError(
                "the request is for a key that is not in use any more; ask for evidence again"
            )
        enc, number = head[KEY_ID_BYTES:-8], int.from_bytes(head[-8:], "big")
        known = self._channels.get(enc)
        if known is None and self.full:
            raise InferenceError("the server's key is used up; ask for evidence again")
        if number != (known.sequence if known else 0):
            raise AttestationError("the request was answered before, or is out of its order; it is refused")
        context = known or hpke.receiver(enc, self._key, self._info, self._exchange)
        message = context.open(memoryview(request)[len(head) :], head)
        self._channels[enc] = context
        reply_key = context.export(b"reply" + head[-8:])
        said = head + request[-hpke.TAG_BYTES :]
        return message, lambda reply: AESGCM(reply_key).encrypt(_NONCE, reply, said)
