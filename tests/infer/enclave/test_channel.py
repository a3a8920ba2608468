"""Channels, keys and messages, without a TPM or a socket."""

from __future__ import annotations

import time

import numpy as np
import pytest

from eyelid.errors import AttestationError, InferenceError, InputError
from eyelid.infer.enclave import channel, hpke
from eyelid.infer.enclave.attester import Attester
from eyelid.infer.enclave.channel import Client, Server
from eyelid.infer.enclave.evidence import Binding, Evidence
from eyelid.infer.enclave.messages import (
    Answer,
    Found,
    pack_answer,
    pack_picture,
    unpack_answer,
    unpack_picture,
)
from tests.infer.enclave import live

PICTURE = live.picture(1, side=64)


def encrypted(client: Client, message: bytes) -> bytes:
    """A request as it comes over the wire."""
    return b"".join(client.request(message)[0])


def test_keys_are_renewed_and_old_ones_refused() -> None:
    class Fixed(Attester):
        def _make_key(self) -> bytes:
            public, self._exchange = hpke.in_memory()
            return public

        def exchange(self, enc: bytes) -> bytes:
            return self._exchange(enc)

        def evidence(self, nonce: bytes, credential: tuple[bytes, bytes] | None) -> Evidence:
            raise NotImplementedError

    attester = Fixed(bytes(32), 100)
    old = attester.binding
    assert (attester.stale, attester.expired) == (False, False)
    server = Server(old.key, bytes(32), attester.exchange)
    request = encrypted(Client(old.key, bytes(32)), b"x")
    assert server.open(request)[0] == b"x"
    attester.renew()
    assert attester.binding.key != old.key
    with pytest.raises(InferenceError, match="not in use any more"):
        Server(attester.binding.key, bytes(32), attester.exchange).open(request)
    attester.binding = Binding(
        manifest=bytes(32), key=old.key, issued=int(time.time()) - 200, expires=int(time.time()) - 100
    )
    assert (attester.stale, attester.expired) == (True, True)


def test_a_channel_answers_in_order_and_is_bound_to_its_workload() -> None:
    public, exchange = hpke.in_memory()
    server, client = Server(public, bytes(32), exchange), Client(public, bytes(32))
    (head, sealed), open_first = client.request(b"first")
    first = head + sealed
    (head, sealed), open_second = client.request(b"second")
    second = head + sealed
    with pytest.raises(AttestationError):
        server.open(second)
    message, seal = server.open(first)
    assert message == b"first"
    message, seal_second = server.open(second)
    assert open_second(seal_second(b"two")) == b"two"
    assert open_first(seal(b"one")) == b"one"
    with pytest.raises(AttestationError):
        open_first(seal_second(b"two"))
    for request in (first, second):
        with pytest.raises(AttestationError, match="answered before"):
            server.open(request)
    with pytest.raises(AttestationError):
        Server(public, b"m" * 32, exchange).open(encrypted(Client(public, bytes(32)), b"x"))


@pytest.mark.parametrize("cut", [0, 5, 12, 20, -1])
def test_messages_that_hold_no_picture_are_refused(cut: int) -> None:
    content = pack_picture(PICTURE)
    assert np.array_equal(unpack_picture(content), PICTURE)
    with pytest.raises(InputError):
        unpack_picture(content[:cut])
    with pytest.raises(InputError):
        unpack_picture(b"XXXX" + content[4:])
    with pytest.raises(InputError):
        unpack_picture(content[:4] + b"\xff" * 8 + content[12:])


def test_the_length_of_an_answer_does_not_tell_how_many_were_found() -> None:
    none = pack_answer(Answer(found=()))
    some = pack_answer(Answer(found=(Found(box=(1.5, 2.5, 300.25, 400.125), score=0.5),) * 20))
    assert len(none) == len(some)
    assert unpack_answer(none).found == ()
    with pytest.raises(InputError):
        unpack_answer(b"{")


def test_a_key_takes_so_many_channels_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel that was forgotten could be replayed."""
    monkeypatch.setattr(channel, "MOST_CHANNELS", 2)
    public, exchange = hpke.in_memory()
    server = Server(public, bytes(32), exchange)
    clients = [Client(public, bytes(32)) for _ in range(3)]
    requests = [encrypted(client, b"x") for client in clients]
    server.open(requests[0])
    garbage = requests[1][:-1] + bytes([requests[1][-1] ^ 1])
    with pytest.raises(AttestationError):
        server.open(garbage)  # takes no place
    server.open(requests[1])
    assert server.full
    with pytest.raises(InferenceError, match="used up"):
        server.open(requests[2])
    assert server.open(encrypted(clients[0], b"y"))[0] == b"y"
