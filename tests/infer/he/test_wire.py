"""No byte of a message changes unnoticed; what a forger can write in its place is refused or only noise."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InputError
from eyelid.infer.he import wire
from eyelid.infer.he.wire import Kind

if TYPE_CHECKING:
    from tests.infer.he.conftest import Shop

FRONT = struct.Struct("<4sBBBx16s32s16sIIId")
FIELDS = (
    "magic",
    "version",
    "kind",
    "sent",
    "key",
    "artefact",
    "request",
    "count",
    "primes",
    "degree",
    "scale",
)


def signed(whole: bytes) -> bytes:
    """Return a message with a right hash, as whoever forges one would write it."""
    return whole[:-32] + hashlib.sha256(whole[:-32]).digest()


def with_field(data: bytes, name: str, value: object) -> bytes:
    fields = list(FRONT.unpack_from(data))
    fields[FIELDS.index(name)] = value
    return signed(FRONT.pack(*fields) + data[FRONT.size :])


@pytest.fixture(scope="module")
def request_data(shop: Shop) -> bytes:
    return shop.client.encrypt(shop.vectors[3]).data


def test_what_is_written_is_read(shop: Shop, request_data: bytes) -> None:
    message = wire.read(request_data, shop.offer, Kind.REQUEST)
    assert message.key_id == shop.client.key_id == wire.key_id_of(request_data)
    assert len(message.ciphertexts) == 1
    assert len(request_data) == wire.size(shop.offer.demands.scheme, shop.offer.request, Kind.REQUEST)
    assert len(request_data) < 30_000


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_change_is_noticed(shop: Shop, request_data: bytes, data: st.DataObject) -> None:
    whole = bytearray(request_data)
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, FRONT.size))
    match data.draw(st.sampled_from(("flip", "cut", "insert", "append"))):
        case "flip":
            whole[place] ^= data.draw(st.integers(1, 255))
        case "cut":
            del whole[place:]
        case "insert":
            whole[place:place] = data.draw(st.binary(min_size=1, max_size=100))
        case _:
            whole += bytes(1000)
    with pytest.raises(InputError):
        wire.read(bytes(whole), shop.offer, Kind.REQUEST)


@settings(max_examples=50)
@given(st.binary(max_size=400))
def test_anything_else_is_no_message(shop: Shop, junk: bytes) -> None:
    with pytest.raises(InputError):
        wire.read(junk, shop.offer, Kind.REQUEST)
    with pytest.raises(InputError):
        wire.read(b"EYHE" + junk, shop.offer, Kind.REQUEST)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("magic", b"EYXX", "no message"),
        ("version", 2, "version 2"),
        ("kind", 2, "no request"),
        ("sent", 2, "no request"),
        ("artefact", bytes(32), "for artefact 0000"),
        ("count", 0, "form"),
        ("count", 2**32 - 1, "form"),
        ("primes", 2, "form"),
        ("degree", 2**31, "form"),
        ("scale", float("nan"), "scale"),
        ("scale", float("inf"), "scale"),
        ("scale", -1.0, "scale"),
        ("scale", 2.0**40, "scale"),
    ],
)
def test_forged_headers_with_a_right_hash_are_refused(
    shop: Shop, request_data: bytes, field: str, value: object, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        wire.read(with_field(request_data, field, value), shop.offer, Kind.REQUEST)


def test_numbers_that_are_no_residues_are_refused_before_seal_sees_them(
    shop: Shop, request_data: bytes
) -> None:
    start = FRONT.size + 64
    forged = signed(request_data[:start] + b"\xff" * (len(request_data) - start - 32) + bytes(32))
    with pytest.raises(InputError, match="none of its ring"):
        wire.read(forged, shop.offer, Kind.REQUEST)


def test_a_forged_ciphertext_that_is_in_form_is_only_noise(shop: Shop, request_data: bytes) -> None:
    start = FRONT.size
    seed = np.random.default_rng(0).bytes(64)
    forged = signed(request_data[:start] + seed + request_data[start + 64 :])
    response = shop.server.run(forged)
    request = shop.client.encrypt(shop.vectors[3])
    fields = FRONT.unpack_from(forged)
    scores = shop.client.decrypt(response, type(request)(forged, fields[6], 1), exact=True)
    assert np.abs(scores).max() > 2  # no cosine similarity


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), 0.0, -1.0, 2.0**200])
def test_a_response_with_a_scale_that_cannot_be_is_refused(
    shop: Shop, request_data: bytes, scale: float
) -> None:
    response = shop.server.run(request_data)
    wire.read(response, shop.offer, Kind.RESPONSE)
    with pytest.raises(InputError, match="none can be"):
        wire.read(with_field(response, "scale", scale), shop.offer, Kind.RESPONSE)


def test_a_request_is_no_response(shop: Shop, request_data: bytes) -> None:
    with pytest.raises(InputError, match="no response"):
        wire.read(request_data, shop.offer, Kind.RESPONSE)
    with pytest.raises(InputError, match="no request"):
        wire.read(shop.server.run(request_data), shop.offer, Kind.REQUEST)
