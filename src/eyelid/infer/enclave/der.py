"""Reads DER, as far as certificates of AMD need it: their serial number 0 is no longer read elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_IDENTIFIER: Final = 0x06
SEQUENCE: Final = 0x30
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, its content, and all of its bytes with tag and length."""

    tag: int
    content: bytes
    encoded: bytes

    def expect(self, *tags: int) -> Element:
        """Return the element itself; raises ValueError where its tag is another."""
        if self.tag not in tags:
            raise ValueError(f"found DER tag {self.tag:#04x}")
        return self

    def children(self) -> Iterator[Element]:
        """Yield the elements inside; raises ValueError where the content is not a run of elements."""
        rest = self.content
        while rest:
            element, rest = split(rest)
            yield element


def split(data: bytes) -> tuple[Element, bytes]:
    """Return the first element and what follows it; raises ValueError where it is not DER or cut off."""
    if len(data) < 2 or data[0] & 0x1F == 0x1F:
        raise ValueError("DER is cut off, or has a long tag")
    size, start = data[1], 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4 or len(data) < 2 + count:
            raise ValueError("a DER length is out of range")
        size, start = int.from_bytes(data[2 : 2 + count], "big"), 2 + count
        if size < 0x80 or size >> (8 * (count - 1)) == 0:
            raise ValueError("a DER length is not the shortest")
    end = start + size
    if len(data) < end:
        raise ValueError("DER is cut off")
    return Element(data[0], data[start:end], data[:end]), data[end:]


def only(data: bytes) -> Element:
    """Return the one element that the bytes hold; raises ValueError where anything follows it."""
    element, rest = split(data)
    if rest:
        raise ValueError("bytes follow the DER")
    return element


def unsigned(element: Element) -> int:
    """Return an INTEGER that is not negative."""
    content = element.expect(INTEGER).content
    if not content or content[0] & 0x80:
        raise ValueError("a DER integer is empty or negative")
    return int.from_bytes(content, "big")


def bits(element: Element) -> bytes:
    """Return a BIT STRING of whole bytes."""
    content = element.expect(BIT_STRING).content
    if not content or content[0]:
        raise ValueError("a DER bit string has no whole bytes")
    return content[1:]


def time(element: Element) -> datetime:
    """Return a UTCTime or GeneralizedTime, which certificates write in UTC to the second."""
    text = element.expect(UTC_TIME, GENERALIZED_TIME).content.decode("ascii")
    if element.tag == UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    if len(text) != 15 or not text[:14].isdigit() or text[14] != "Z":
        raise ValueError("a DER time is malformed")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def oid(element: Element) -> str:
    """Return an OBJECT IDENTIFIER in dotted form."""
    content = element.expect(OBJECT_IDENTIFIER).content
    if not content or content[-1] & 0x80:
        raise ValueError("a DER object identifier is cut off")
    arcs, value = [], 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(str(arc) for arc in (first, arcs[0] - 40 * first, *arcs[1:]))
