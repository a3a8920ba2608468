"""What client and workload say to each other inside the encryption: a picture, and an answer to it."""

from __future__ import annotations

import hashlib
import struct
from typing import TYPE_CHECKING, Annotated, Final

import numpy as np
from pydantic import Field, ValidationError

from eyelid.errors import InputError
from eyelid.infer.enclave.evidence import LABEL, Record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.types import Bgr

HEADER: Final = struct.Struct(">4sII")
MAGIC: Final = b"BGR8"
MOST_PIXELS: Final = 64_000_000
ANSWER_BLOCK: Final = 4096
"""Answers are padded to a multiple of so many bytes: their length does not tell how much was found."""


class Tensor(Record):
    """One output of a network: float32, little-endian, in C order."""

    name: str
    shape: tuple[int, ...]
    data: bytes

    def array(self) -> NDArray[np.float32]:
        """Return the values; raises InputError where they do not fill the shape."""
        try:
            return np.frombuffer(self.data, "<f4").reshape(self.shape).astype(np.float32)
        except ValueError:
            raise InputError(f"the answer's output {self.name} does not fill its shape") from None


class Found(Record):
    """One thing that a detector found: its box x0 y0 x1 y1 in pixels, and a score in 0..1."""

    box: tuple[float, float, float, float]
    score: Annotated[float, Field(ge=0, le=1)]


class Answer(Record):
    """What a workload makes of one picture: the outputs of a network, or what a detector found."""

    outputs: tuple[Tensor, ...] = ()
    found: tuple[Found, ...] | None = None


def info(manifest: bytes, key: bytes) -> bytes:
    """Return what HPKE binds a channel to: this protocol, the workload and its key."""
    return LABEL + b" infer" + manifest + hashlib.sha256(key).digest()


def pack_picture(picture: Bgr) -> bytes:
    """Return a picture, uint8 BGR (height, width, 3), as bytes: its size and samples, nothing else."""
    height, width = picture.shape[:2]
    return b"".join((HEADER.pack(MAGIC, height, width), np.ascontiguousarray(picture, np.uint8).data))


def unpack_picture(content: bytes) -> Bgr:
    """Return the picture in a message; raises InputError where it is none."""
    if len(content) < HEADER.size:
        raise InputError("the message holds no picture")
    magic, height, width = HEADER.unpack_from(content)
    if magic != MAGIC or not 0 < height * width <= MOST_PIXELS:
        raise InputError(f"the message holds no picture of at most {MOST_PIXELS:,} pixels")
    if len(content) != HEADER.size + height * width * 3:
        raise InputError("the message is shorter or longer than its picture")
    return np.frombuffer(content, np.uint8, offset=HEADER.size).reshape(height, width, 3)


def pack_answer(answer: Answer) -> bytes:
    """Return an answer as padded JSON."""
    content = answer.model_dump_json().encode()
    return content.ljust(-(-len(content) // ANSWER_BLOCK) * ANSWER_BLOCK)


def unpack_answer(content: bytes) -> Answer:
    """Return the answer in a message; raises InputError where it is none."""
    try:
        return Answer.model_validate_json(content)
    except ValidationError:
        raise InputError("the answer is not of this version of eyelid") from None
