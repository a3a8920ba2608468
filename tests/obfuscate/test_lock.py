from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelid.errors import LockError, OutputError
from eyelid.obfuscate.keys import generate_key, read_key
from eyelid.obfuscate.lock import Lock, LockObfuscator
from eyelid.obfuscate.lock_format import LockReader, LockWriter
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.solid import SolidObfuscator
from eyelid.types import Detections, GuaranteeKind, Plane, RawFrame, Shape
from tests.full_disk import full_disk
from tests.obfuscate.frames import MODES, Mode, assert_destroyed, boxes, copies, detections, make, sizes

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
HEADER, HEAD = 57, 12
FACES = detections((5, 4, 15, 18), (12, 10, 28, 25))


def lock(folder: Path, frames: list[tuple[RawFrame, Detections]], key: bytes = KEY) -> tuple[Path, Path]:
    """Cover frames, and return the locked pixels and the (pretended) anonymised file."""
    sidecar, output = folder / "street.anon.lock", folder / "street.anon.mp4"
    obfuscator = LockObfuscator(LockWriter(sidecar, key))
    for frame, found in frames:
        obfuscator.apply(frame, found)
    output.write_bytes(b"the anonymised file")
    obfuscator.finish(output)
    return sidecar, output


def covered_again(frame: RawFrame, found: Detections) -> RawFrame:
    """Return what a decoder of a lossless anonymised file would give."""
    SolidObfuscator().apply(frame, found)
    return frame


def records(data: bytes) -> list[bytes]:
    parts, offset = [], HEADER
    while offset < len(data):
        size = HEAD + struct.unpack(">QI", data[offset : offset + HEAD])[1]
        parts.append(data[offset : offset + size])
        offset += size
    return parts


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(MODES), sizes, st.lists(boxes, max_size=3))
def test_the_key_brings_back_every_sample(
    tmp_path: Path, mode: Mode, size: tuple[int, int], found: list[tuple[float, float, float, float]]
) -> None:
    seen = detections(*found)
    sidecar, output = lock(tmp_path, [(make(mode, *size, seed=i, index=i), seen) for i in (0, 1, 5)])
    with LockReader(sidecar, KEY, output) as reader:
        for i in (5, 0, 1):
            dark = covered_again(make(mode, *size, seed=i, index=i), seen)
            light = reader.restore(dark)
            original = copies(make(mode, *size, seed=i, index=i))
            assert all(np.array_equal(a, b.samples) for a, b in zip(original, light.planes, strict=True))


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(MODES), sizes, st.lists(boxes, max_size=3))
def test_without_the_key_nothing_survives(
    tmp_path: Path, mode: Mode, size: tuple[int, int], found: list[tuple[float, float, float, float]]
) -> None:
    built: list[LockObfuscator] = []

    def build() -> LockObfuscator:
        built.append(LockObfuscator(LockWriter(tmp_path / "x.lock", KEY), Coverage(shape=Shape.BOX)))
        return built[-1]

    try:
        assert_destroyed(build, mode, *size, detections(*found))
    finally:
        for obfuscator in built:
            obfuscator.close()


def test_a_frame_covered_whole_comes_back_whole(tmp_path: Path) -> None:
    sidecar, output = lock(tmp_path, [(make("420", 31, 17), detections((0, 0, float("nan"), 1)))])
    dark = make("420", 31, 17)
    for plane in dark.planes:
        plane.samples[...] = plane.black
    with LockReader(sidecar, KEY, output) as reader:
        light = reader.restore(dark)
    original = copies(make("420", 31, 17))
    assert all(np.array_equal(a, b.samples) for a, b in zip(original, light.planes, strict=True))


def test_a_wrong_key_restores_nothing(tmp_path: Path) -> None:
    sidecar, output = lock(tmp_path, [(make("L8", 30, 30), FACES)])
    with pytest.raises(LockError, match="wrong key"):
        LockReader(sidecar, OTHER_KEY, output)


def restored(sidecar: Path, output: Path, frames: int = 2) -> None:
    """Restore every frame; whatever fails must leave the frame as it was."""
    with LockReader(sidecar, KEY, output) as reader:
        for i in range(frames):
            dark = covered_again(make("420", 30, 30, seed=i, index=i), FACES)
            before = copies(dark)
            try:
                reader.restore(dark)
            except LockError:
                assert all(np.array_equal(a, p.samples) for a, p in zip(before, dark.planes, strict=True))
                raise


@pytest.fixture
def two_frames(tmp_path: Path) -> tuple[Path, Path]:
    return lock(tmp_path, [(make("420", 30, 30, seed=i, index=i), FACES) for i in range(2)])


def test_every_altered_byte_is_noticed(two_frames: tuple[Path, Path]) -> None:
    sidecar, output = two_frames
    data = sidecar.read_bytes()
    restored(sidecar, output)
    places = {*range(HEADER + 3 * HEAD), *range(0, len(data), 37), *range(len(data) - 80, len(data))}
    for place in places:
        sidecar.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(LockError):
            restored(sidecar, output)


def test_every_shortened_or_lengthened_file_is_noticed(two_frames: tuple[Path, Path]) -> None:
    sidecar, output = two_frames
    data = sidecar.read_bytes()
    for end in {0, 1, 8, HEADER, len(data) - 1, *range(0, len(data), 41)}:
        sidecar.write_bytes(data[:end])
        with pytest.raises(LockError):
            restored(sidecar, output)
    for extra in (b"\0", records(data)[-1]):
        sidecar.write_bytes(data + extra)
        with pytest.raises(LockError):
            restored(sidecar, output)


def test_swapped_dropped_and_repeated_records_are_noticed(two_frames: tuple[Path, Path]) -> None:
    sidecar, output = two_frames
    data = sidecar.read_bytes()
    parts = records(data)
    assert len(parts) == 2 * 2 * 3 + 1
    for i in range(len(parts) - 1):
        swapped = parts.copy()
        swapped[i], swapped[i - 1] = swapped[i - 1], swapped[i]
        for wrong in (swapped, parts[:i] + parts[i + 1 :], [*parts[: i + 1], *parts[i:]]):
            sidecar.write_bytes(data[:HEADER] + b"".join(wrong))
            with pytest.raises(LockError):
                restored(sidecar, output)


def test_records_of_another_file_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    sidecar, output = lock(tmp_path / "a", [(make("420", 30, 30), FACES)])
    other, _ = lock(tmp_path / "b", [(make("420", 30, 30), FACES)])
    mixed = records(other.read_bytes())[:1] + records(sidecar.read_bytes())[1:]
    sidecar.write_bytes(sidecar.read_bytes()[:HEADER] + b"".join(mixed))
    with pytest.raises(LockError):
        restored(sidecar, output, frames=1)


def test_another_or_changed_output_is_noticed(two_frames: tuple[Path, Path]) -> None:
    sidecar, output = two_frames
    output.write_bytes(b"an edited file")
    with pytest.raises(LockError, match="does not belong"):
        LockReader(sidecar, KEY, output)


def test_frames_of_another_size_are_refused_unchanged(two_frames: tuple[Path, Path]) -> None:
    sidecar, output = two_frames
    with LockReader(sidecar, KEY, output) as reader:
        for wrong in (make("420", 20, 20), make("420p10", 30, 30), make("L8", 30, 30)):
            before = copies(wrong)
            with pytest.raises(LockError, match="another size"):
                reader.restore(wrong)
            assert all(np.array_equal(a, p.samples) for a, p in zip(before, wrong.planes, strict=True))


def test_a_file_that_was_never_finished_is_refused(tmp_path: Path) -> None:
    obfuscator = LockObfuscator(LockWriter(tmp_path / "x.lock", KEY))
    obfuscator.apply(make("L8", 20, 20), FACES)
    obfuscator.close()
    with pytest.raises(LockError, match="not complete"):
        LockReader(tmp_path / "x.lock", KEY, tmp_path / "x.lock")


def test_the_size_tells_nothing_about_the_content_and_the_content_is_not_there(tmp_path: Path) -> None:
    lengths = set()
    for value in range(3):
        frame = make("L8", 40, 40)
        if value < 2:
            frame.planes[0].samples[...] = value * 77
        clear = frame.planes[0].samples[10:20, 10:20].tobytes()
        sidecar, _ = lock(tmp_path, [(frame, detections((5, 5, 35, 35)))])
        data = sidecar.read_bytes()
        lengths.add(len(data))
        assert clear[:64] not in data
        assert KEY not in data
        assert len(set(data)) > 200, "more than a thousand random bytes hold nearly every value"
    assert len(lengths) == 1


def test_two_files_of_the_same_frames_share_no_ciphertext(tmp_path: Path) -> None:
    first = lock(tmp_path, [(make("L8", 30, 30), FACES)])[0].read_bytes()
    second = lock(tmp_path, [(make("L8", 30, 30), FACES)])[0].read_bytes()
    pairs = zip(records(first), records(second), strict=True)
    assert all(a[HEAD : HEAD + 16] != b[HEAD : HEAD + 16] for a, b in pairs)


def test_frames_come_in_order(tmp_path: Path) -> None:
    obfuscator = LockObfuscator(LockWriter(tmp_path / "x.lock", KEY))
    obfuscator.apply(make("L8", 20, 20, index=3), FACES)
    frame = make("L8", 20, 20, index=3)
    before = copies(frame)
    with pytest.raises(ValueError, match="order"):
        obfuscator.apply(frame, FACES)
    assert np.array_equal(before[0], frame.planes[0].samples), "covered without being locked"
    obfuscator.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    writer = LockWriter(Path("/dev/full"), KEY)
    big = np.zeros((3000, 3000), np.uint8)
    frame = RawFrame(3000, 3000, (Plane("L", big, 0),), lambda _w, _h: np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(OutputError, match="free some space"):
        LockObfuscator(writer).cover_frame(frame)
    with pytest.raises(OSError, match="space"):
        writer.close()


def test_missing_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(LockError, match="cannot be read"):
        LockReader(tmp_path / "none.lock", KEY, tmp_path / "none")
    (tmp_path / "x").write_bytes(b"x" * 500)
    with pytest.raises(LockError, match="not a file of locked pixels"):
        LockReader(tmp_path / "x", KEY, tmp_path / "x")
    with pytest.raises(OutputError, match="locked pixels"):
        LockWriter(tmp_path / "no" / "such.lock", KEY)


def test_a_key_file_is_private_new_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "my.key"
    generate_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    first = read_key(path)
    assert len(first) == 32
    with pytest.raises(OutputError, match="exists"):
        generate_key(path)
    assert read_key(path) == first
    generate_key(tmp_path / "other.key")
    assert read_key(tmp_path / "other.key") != first
    obfuscator = Lock(key=path).build(Coverage(), tmp_path / "x.lock")
    assert obfuscator.guarantee.kind is GuaranteeKind.CRYPTOGRAPHIC
    obfuscator.close()


def test_a_full_disk_leaves_no_part_of_a_key(tmp_path: Path) -> None:
    with full_disk(20), pytest.raises(OutputError, match="another place"):
        generate_key(tmp_path / "my.key")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"short", b"!" * 44, b"QUJD", b"A" * 2000, b"\xff" * 44])
def test_what_is_not_a_key_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "my.key"
    path.write_bytes(content)
    with pytest.raises(LockError, match="is not an eyelid key") as error:
        read_key(path)
    assert not content or content.decode("latin1") not in str(error.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"none\.key cannot be read"):
        read_key(tmp_path / "none.key")
    with pytest.raises(OutputError, match="another place"):
        generate_key(tmp_path / "no" / "my.key")
