"""Messages as bytes: a line of JSON and arrays, each with its length before it; read without pickle."""

from __future__ import annotations

import json
import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_BYTES = 4 << 30
_SIZE = struct.Struct("<Q")


def pack(parts: Sequence[bytes]) -> bytes:
    """Return byte strings as one: each after its length (uint64, little endian)."""
    return b"".join(piece for part in parts for piece in (_SIZE.pack(len(part)), part))


def unpack(message: bytes) -> list[bytes]:
    """Return the byte strings of :func:`pack`; raises ValueError for anything else."""
    parts, position = [], 0
    while position < len(message):
        if position + _SIZE.size > len(message):
            raise ValueError("a message ends in the middle of a length")
        (size,) = _SIZE.unpack_from(message, position)
        position += _SIZE.size
        if size > len(message) - position:
            raise ValueError("a message is shorter than it says")
        parts.append(bytes(message[position : position + size]))
        position += size
    return parts


def encode(head: dict[str, Any], arrays: Sequence[NDArray[np.float32]] = ()) -> bytes:
    """Return a head of JSON and float32 arrays as one message."""
    shapes = [list(array.shape) for array in arrays]
    data = [np.ascontiguousarray(array, np.float32).tobytes() for array in arrays]
    return pack([json.dumps({"head": head, "shapes": shapes}).encode(), *data])


def decode(message: bytes) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """Return the head and the arrays of :func:`encode`; raises ValueError for anything else."""
    parts = unpack(message)
    if not parts:
        raise ValueError("a message is empty")
    opened = json.loads(parts[0])
    head, shapes = opened["head"], opened["shapes"]
    if not isinstance(head, dict) or len(shapes) != len(parts) - 1:
        raise ValueError("a message has another number of arrays than it says")
    arrays = []
    for shape, data in zip(shapes, parts[1:], strict=True):
        if any(not isinstance(size, int) or size < 0 for size in shape) or math.prod(shape) * 4 != len(data):
            raise ValueError("an array has another size than its shape says")
        arrays.append(np.frombuffer(data, np.float32).reshape(shape).copy())
    return head, arrays


def send(channel: socket.socket, head: dict[str, Any], arrays: Sequence[NDArray[np.float32]] = ()) -> None:
    """Send one message over a stream socket."""
    message = encode(head, arrays)
    channel.sendall(_SIZE.pack(len(message)))
    channel.sendall(message)


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
    """Wait for one message; raises EOFError when the other side is gone, ValueError for a malformed one."""
    (size,) = _SIZE.unpack(_exactly(channel, _SIZE.size))
    if size > MAX_BYTES:
        raise ValueError("a message is larger than any that is sent")
    return decode(_exactly(channel, size))


def _exactly(channel: socket.socket, size: int) -> bytes:
    taken = bytearray()
    while len(taken) < size:
        piece = channel.recv(min(size - len(taken), 1 << 20))
        if not piece:
            raise EOFError
        taken += piece
    return bytes(taken)
