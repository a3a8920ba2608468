"""Zip files of named parts, read whole within bounds: what a file says of its own sizes is not believed."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from eyelid.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_GAIN: Final = 2**30
"""Bytes by which parts may be larger than their file: the weights of networks that take hours to evaluate."""
DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    LookupError,
    ValueError,  # pydantic's and numpy's, too
    TypeError,
    OverflowError,
    MemoryError,
    RuntimeError,  # a damaged file may say that it is encrypted, or packed in a way that nobody knows
    OSError,
    EOFError,
)
"""What reading a damaged zip file of JSON and numpy arrays raises."""
_NPY: Final = re.compile(
    rb"\x93NUMPY\x01\0(..)"
    rb"{'descr': '(<[fi][48])', 'fortran_order': False, 'shape': \((\d+,|[\d, ]+\d)\), } *\n",
    re.DOTALL,
)


def unpack(data: bytes) -> dict[str, bytes]:
    """Return the parts of a zip file by their names.

    Raises one of DAMAGE where it is damaged, and InputError where its parts are beyond all bounds.
    """
    most = len(data) + MOST_GAIN
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        claimed = sum(member.file_size for member in members)
        if claimed > most:
            raise InputError(
                f"the file has {len(data):,} bytes and unpacks to {claimed:,}, more than any artefact; "
                "don't use it, and ask where it comes from"
            )
        for member in members:
            if member.filename in parts:
                raise zipfile.BadZipFile("two parts of one name")
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile("packed in another way")
            with archive.open(member) as part:
                # Not read(): that unpacks what there is before it looks at what there should be.
                parts[member.filename] = part.read(member.file_size)
            if len(parts[member.filename]) != member.file_size:
                raise zipfile.BadZipFile("a part is cut off")
    return parts


def array(data: bytes, kind: type[np.generic]) -> NDArray[Any]:
    """Return the array, read-only, that ``numpy.save`` wrote; raises ValueError unless it is of ``kind``.

    In contrast to numpy's own reader it evaluates no header and allocates nothing that one promises.
    """
    head = _NPY.match(data)
    if head is None or head.end() != 10 + int.from_bytes(head[1], "little"):
        raise ValueError("no array of numbers")
    if head[2].decode() != np.dtype(kind).str:
        raise ValueError("an array of another kind")
    shape = tuple(map(int, head[3].removesuffix(b",").split(b",")))
    return np.frombuffer(data, kind, math.prod(shape), head.end()).reshape(shape)
