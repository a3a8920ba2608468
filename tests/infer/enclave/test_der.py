"""DER: what the library writes is read the same, and nothing else is read."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from eyelid.infer.enclave import der
from eyelid.infer.enclave.chain import load, load_some
from eyelid.infer.enclave.vcek import parse_vcek
from tests.infer.enclave.forge import amd
from tests.infer.enclave.forge.pki import BEGIN, END, issue, p256


def walk(element: der.Element) -> int:
    """Return how many elements there are, going down wherever an element is built of others."""
    if not element.tag & 0x20:
        return 1
    return 1 + sum(walk(child) for child in element.children())


def test_a_certificate_is_read_to_its_last_byte() -> None:
    data = issue("someone", p256()).der
    element = der.only(data)
    assert element.encoded == data
    assert walk(element) > 20
    assert b"".join(child.encoded for child in element.children()) == element.content


@given(st.binary(max_size=300))
def test_garbage_raises_value_error_alone(data: bytes) -> None:
    for read in (parse_vcek, load):
        with pytest.raises(ValueError):  # noqa: PT011  # whatever it says: any other exception fails
            read(data)
    with suppress(ValueError):
        der.only(data)
    assert load_some([data]) == []


@given(position=st.integers(0, 4000), change=st.integers(1, 255))
def test_a_changed_vcek_is_malformed_or_not_signed(position: int, change: int) -> None:
    _, ask = amd.authorities()
    data = bytearray(VCEK)
    data[position % len(data)] ^= change
    try:
        changed = parse_vcek(bytes(data))
    except ValueError:
        return
    assert not changed.is_issued_by(ask.certificate)


VCEK = amd.vcek(amd.authorities()[1], b"\x01" * 64, amd.TCB).der


def test_a_vcek_says_what_its_chip_is() -> None:
    ark, ask = amd.authorities()
    vcek = parse_vcek(VCEK)
    assert vcek.is_issued_by(ask.certificate)
    assert not vcek.is_issued_by(ark.certificate)
    assert not vcek.is_issued_by(issue("SEV-Milan", p256()).certificate)
    assert not vcek.is_issued_by(issue("SEV-Genoa", ask.key, ark).certificate)
    assert (vcek.not_before, vcek.not_after) == (BEGIN, END)
    assert (vcek.product, vcek.chip, vcek.tcb) == ("Milan-B0", b"\x01" * 64, amd.TCB)


@pytest.mark.parametrize(
    ("tag", "text", "time"),
    [
        (der.UTC_TIME, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (der.UTC_TIME, b"500101000000Z", datetime(1950, 1, 1, tzinfo=UTC)),
        (der.GENERALIZED_TIME, b"99991231235959Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_times(tag: int, text: bytes, time: datetime) -> None:
    assert der.time(der.Element(tag, text, b"")) == time


@pytest.mark.parametrize("text", [b"4912312359Z", b"491331235959Z", b"491231235959+", b"\xff", b""])
def test_times_that_are_none(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the library's own words
        der.time(der.Element(der.UTC_TIME, text, b""))


def test_identifiers_are_those_of_the_library() -> None:
    for dotted in ("1.2.840.113549.1.1.10", "2.23.133.8.1", "1.3.6.1.4.1.3704.1.3.8", "0.9.2342"):
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(dotted), b"x")
        certificate = issue("someone", p256(), extensions=[(value, False)])
        signed, *_ = der.only(certificate.der).children()
        (listed,) = list(signed.children())[-1].children()
        assert dotted in [der.oid(next(iter(part.children()))) for part in listed.children()]


@pytest.mark.parametrize(
    "data",
    [
        b"\x30",
        b"\x30\x80\x00\x00",
        b"\x30\x81\x05aaaaa",
        b"\x30\x82\x00\x85" + bytes(133),
        b"\x1f\x01\x00",
        b"\x04\x02a",
    ],
)
def test_lengths_are_the_shortest_and_definite(data: bytes) -> None:
    with pytest.raises(ValueError, match="DER"):
        der.only(data)


def test_numbers_are_not_negative() -> None:
    assert der.unsigned(der.only(b"\x02\x02\x00\xff")) == 255
    for data in (b"\x02\x01\xff", b"\x02\x00", b"\x04\x01\x01"):
        with pytest.raises(ValueError, match="DER"):
            der.unsigned(der.only(data))
