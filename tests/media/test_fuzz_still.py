"""Damaged stills: every one is read whole or refused in one sentence; never a crash, never half a picture."""

from __future__ import annotations

import random
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import EyelidError, InputError
from eyelid.media.still import StillReader, StillWriter
from tests.media.samples import STILLS, safe, write_sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

DAMAGES_A_FILE = 8


def damaged(data: bytes, seed: int) -> Iterator[tuple[str, bytes]]:
    """Yield damaged versions of a file, always the same for the same seed."""
    chance = random.Random(seed)
    for part in (0.1, 0.5, 0.9):
        yield f"cut at {part}", data[: int(len(data) * part)]
    flipped = bytearray(data)
    for _ in range(12):
        flipped[chance.randrange(16, len(data))] ^= 1 << chance.randrange(8)
    yield "flipped bits", bytes(flipped)
    header = bytearray(data)
    for _ in range(4):
        header[chance.randrange(12, min(len(data), 80))] = chance.choice([0, 1, 127, 128, 255])
    yield "edited header", bytes(header)
    middle = len(data) // 2
    yield "zeroed middle", data[: middle - 20] + bytes(40) + data[middle + 20 :]
    yield "lost middle", data[: middle - 30] + data[middle:]
    yield "huge size", _huge(data)


def _huge(data: bytes) -> bytes:
    """Declare 65,000 pixels a side where the format says its size, with checksums put right."""
    if data.startswith(b"\x89PNG"):
        head = data[12:16] + struct.pack(">II", 65000, 65000) + data[24:29]
        return data[:12] + head + struct.pack(">I", zlib.crc32(head)) + data[33:]
    if data.startswith(b"\xff\xd8"):
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        return data[: at + 5] + struct.pack(">HH", 65000, 65000) + data[at + 9 :]
    if data.startswith(b"GIF"):
        return data[:6] + struct.pack("<HH", 65000, 65000) + data[10:]
    for old in (struct.pack("<I", 46), struct.pack(">I", 46), struct.pack("<H", 46), struct.pack(">H", 46)):
        data = data.replace(old, (65000).to_bytes(len(old), "little" if old[0] else "big"), 2)
    return data


def samples(path: Path) -> list[NDArray[np.uint8] | NDArray[np.uint16]]:
    return [plane.samples for frame in StillReader(path) for plane in frame.planes]


def refusal(path: Path, output: Path) -> str:
    """Copy a still; return why it was refused, or nothing."""
    try:
        with StillReader(path, max_pixels=10**7) as reader:
            frames = list(reader)
        with StillWriter(output, reader.info) as writer:
            for frame in frames:
                frame.bgr(16, 16)
                writer.write(safe(frame))
    except EyelidError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", STILLS)
def test_damage_ends_in_one_sentence_or_in_a_whole_copy(
    name: str, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    data = write_sample(name, tmp_path).read_bytes()
    cases = list(damaged(data, seed=len(name)))
    assert len(cases) == DAMAGES_A_FILE
    for number, (_, content) in enumerate(cases):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        sentence = refusal(path, tmp_path / f"out-{name}")
        assert sentence == "" or (str(path) in sentence and "\n" not in sentence)
    assert not recwarn.list


@pytest.mark.parametrize("name", STILLS)
def test_a_file_cut_short_is_refused_unless_all_pixels_are_there(name: str, tmp_path: Path) -> None:
    path = write_sample(name, tmp_path)
    data, whole = path.read_bytes(), samples(path)
    cuts = {len(data) * k // 23 for k in range(1, 23)} | {len(data) - k for k in (1, 2, 3, 5, 9, 20)}
    refused = 0
    for cut in sorted(cuts):
        path.write_bytes(data[:cut])
        try:
            rest = samples(path)
        except InputError:
            refused += 1
        else:
            assert len(data) - cut <= 3
            assert len(rest) == len(whole)
            assert all(np.array_equal(a, b) for a, b in zip(rest, whole, strict=True))
    assert refused >= 22


def test_there_are_enough_damaged_files() -> None:
    assert len(STILLS) * DAMAGES_A_FILE >= 120


_READ = """
import sys
from pathlib import Path
from eyelid.media.still import StillReader
list(StillReader(Path(sys.argv[1])))
"""


def test_damage_writes_no_python_warning_to_stderr(tmp_path: Path) -> None:
    path = write_sample("rgb.tiff", tmp_path)
    path.write_bytes(path.read_bytes()[:-30] + bytes(30))
    command = [sys.executable, "-c", _READ, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Warning" not in done.stderr
