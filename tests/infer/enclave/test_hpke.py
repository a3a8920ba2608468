"""HPKE: against the implementation of ``cryptography``, and what a changed bit does."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    derive_private_key,
    generate_private_key,
)
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


def test_it_agrees_with_the_vectors_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9180, A.1.1 and A.3.1: for AES-128, which changes the suite's name and the key's length alone."""
    monkeypatch.setattr(hpke, "AES_256_GCM", 1)
    info = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
    of_x25519 = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8")
    )
    context = hpke.receiver(
        bytes.fromhex("37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"),
        of_x25519.public_key().public_bytes_raw(),
        info,
        lambda enc: of_x25519.exchange(X25519PublicKey.from_public_bytes(enc)),
    )
    assert context.base_nonce.hex() == "56d890e5accaaf011cff4b7d"
    assert context.exporter.hex() == "45ff1c2e220db587171952c0592d5f5ebe103f1561a2614e38f2ffd47e99e3f8"
    assert context.export(b"").hex() == "3853fe2b4035195a573ffc53856e77058e15d9ea064de3e59f4961d0095250ee"
    number = int("f3ce7fdae57e1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2", 16)
    of_p256 = derive_private_key(number, SECP256R1())
    context = hpke.receiver(
        bytes.fromhex(
            "04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac9"
            "8536d7b61a1af4b78e5b7f951c0900be863c403ce65c9bfcb9382657222d18c4"
        ),
        of_p256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        info,
        lambda enc: of_p256.exchange(ECDH(), hpke.point(enc)),
    )
    assert context.base_nonce.hex() == "4e0bc5018beba4bf004cca59"
    assert context.exporter.hex() == "14ad94af484a7ad3ef40e9f3be99ecc6fa9036df9d4920548424df127ee0d99f"
    assert context.export(b"").hex() == "5e9bc3d236e1911d95e65b576a8a86d478fb827e8bdfe77b741b289890490d4d"


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
