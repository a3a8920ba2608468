"""HPKE: against the implementation of ``cryptography``, and what a changed bit does."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import AttestationError
from eyelid.infer.enclave import hpke

INFO = b"info of the channel"


def p256() -> tuple[bytes, hpke.Exchange]:
    private = generate_private_key(SECP256R1())
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return public, lambda enc: private.exchange(ECDH(), hpke.point(enc))


KEYS = pytest.mark.parametrize("key", [p256, hpke.in_memory], ids=["p256", "x25519"])


def test_it_agrees_with_cryptography_on_p256() -> None:
    suite = Suite(KEM.P256, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    private = generate_private_key(SECP256R1())
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    theirs = suite.encrypt(b"picture", private.public_key(), INFO)
    context = hpke.receiver(theirs[:65], public, INFO, lambda enc: private.exchange(ECDH(), hpke.point(enc)))
    assert context.open(theirs[65:], b"") == b"picture"
    enc, ours = hpke.sender(public, INFO)
    assert suite.decrypt(enc + ours.seal(b"picture", b""), private, INFO) == b"picture"


def test_it_agrees_with_cryptography_on_x25519() -> None:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    theirs = suite.encrypt(b"picture", private.public_key(), INFO)
    context = hpke.receiver(
        theirs[:32], public, INFO, lambda enc: private.exchange(X25519PublicKey.from_public_bytes(enc))
    )
    assert context.open(theirs[32:], b"") == b"picture"
    enc, ours = hpke.sender(public, INFO)
    assert suite.decrypt(enc + ours.seal(b"picture", b""), private, INFO) == b"picture"


@KEYS
def test_messages_keep_their_order_and_both_ends_export_the_same(
    key: Callable[[], tuple[bytes, hpke.Exchange]],
) -> None:
    public, exchange = key()
    enc, here = hpke.sender(public, INFO)
    there = hpke.receiver(enc, public, INFO, exchange)
    first, second = here.seal(b"same", b"aad"), here.seal(b"same", b"aad")
    assert first != second
    with pytest.raises(AttestationError, match="altered"):
        there.open(second, b"aad")
    assert there.open(first, b"aad") == there.open(second, b"aad") == b"same"
    with pytest.raises(AttestationError):
        there.open(first, b"aad")
    assert here.export(b"reply") == there.export(b"reply") != here.export(b"other")
    assert len(here.export(b"long", 100)) == 100


@KEYS
def test_another_key_info_or_aad_opens_nothing(key: Callable[[], tuple[bytes, hpke.Exchange]]) -> None:
    public, exchange = key()
    other, other_exchange = key()
    enc, here = hpke.sender(public, INFO)
    sealed = here.seal(b"picture", b"aad")
    for context, aad in (
        (hpke.receiver(enc, public, b"changed", exchange), b"aad"),
        (hpke.receiver(enc, public, INFO, exchange), b"changed"),
        (hpke.receiver(enc, other, INFO, other_exchange), b"aad"),
        (hpke.receiver(enc, other, INFO, exchange), b"aad"),
    ):
        with pytest.raises(AttestationError):
            context.open(sealed, aad)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_refused(data: st.DataObject) -> None:
    public, exchange = hpke.in_memory()
    enc, here = hpke.sender(public, INFO)
    message = bytearray(enc + here.seal(b"picture", b""))
    place = data.draw(st.integers(0, len(message) * 8 - 1))
    message[place // 8] ^= 1 << place % 8
    with pytest.raises(AttestationError):
        hpke.receiver(bytes(message[:32]), public, INFO, exchange).open(bytes(message[32:]), b"")


@pytest.mark.parametrize("enc", [b"", bytes(32), bytes(65), b"\x04" + bytes(64), b"\x02" + bytes(32)])
@KEYS
def test_bad_points_are_refused(key: Callable[[], tuple[bytes, hpke.Exchange]], enc: bytes) -> None:
    public, exchange = key()
    with pytest.raises(AttestationError):
        hpke.receiver(enc, public, INFO, exchange)


def test_a_key_of_a_strange_length_is_refused() -> None:
    with pytest.raises(AttestationError, match="neither"):
        hpke.sender(bytes(33), INFO)
