"""Tables of an MP4 that are damaged never make it a shorter video in silence; sound ones are not doubted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from eyelid.errors import InputError
from eyelid.media.video import VideoReader

from . import clips
from .clips import Clip
from .test_video_damage import judge, read

if TYPE_CHECKING:
    from pathlib import Path


def remux(source: Path, target: Path, options: dict[str, str], *, skip: int = 0, shift: int = 0) -> Path:
    """Copy the packets but the first few to another MP4, their times moved by so many ticks."""
    with (
        av.open(str(source)) as read,
        av.open(str(target), "w", container_options=options) as written,
    ):
        picture = read.streams.video[0]
        stream = written.add_stream_from_template(picture, opaque=True)
        for number, packet in enumerate(read.demux(picture)):
            if packet.size and number >= skip:
                assert packet.pts is not None
                assert packet.dts is not None
                packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, stream
                written.mux(packet)
    return target


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("mp4")
    whole = Clip(frames=30, audio="aac", options={"bf": "2", "g": "10"}).write(folder / "whole.mp4")
    front = remux(whole, folder / "front.mp4", {"movflags": "faststart"})
    return {path.name: path for path in (whole, front)}


@pytest.mark.parametrize("name", ["whole.mp4", "front.mp4"])
def test_damaged_tables_of_mp4_never_shorten_it_in_silence(
    mp4: dict[str, Path], tmp_path: Path, name: str
) -> None:
    data = mp4[name].read_bytes()
    start, end = _box(data, b"moov")
    for seed in range(300):
        draw = np.random.default_rng(seed)
        changed = bytearray(data)
        for place in draw.integers(start, end - 16, int(draw.integers(1, 8))):
            if draw.integers(0, 2):
                changed[place] ^= 1 << int(draw.integers(0, 8))
            else:
                changed[place : place + 8] = draw.bytes(8) if draw.integers(0, 2) else bytes(8)
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(changed)
        judge(broken, least=30)


def _box(data: bytes | bytearray, *names: bytes) -> tuple[int, int]:
    """Return where a box of MP4 begins and ends, the first of each name inside the one before."""
    start, end = 0, len(data)
    for name in names:
        start = data.index(name, start, end) - 4
        end = start + int.from_bytes(data[start : start + 4], "big")
    return start, end


def _with_entry(data: bytes, table: bytes, place: int, value: int) -> bytes:
    """Change 32 bits of a table of the first track, ``place`` bytes after its head of 12."""
    changed = bytearray(data)
    start = _box(data, b"moov", b"trak", table)[0] + 12 + place
    changed[start : start + 4] = value.to_bytes(4, "big", signed=value < 0)
    return bytes(changed)


@pytest.mark.parametrize("name", ["whole.mp4", "front.mp4"])
def test_frames_that_a_broken_table_hides_are_told(mp4: dict[str, Path], tmp_path: Path, name: str) -> None:
    data = mp4[name].read_bytes()
    broken = tmp_path / "broken.mp4"
    first = _box(data, b"moov", b"trak", b"ctts")[0] + 16
    entries = int.from_bytes(data[first - 4 : first], "big")
    hidden = int.from_bytes(data[first + 8 * (entries - 1) :][:4], "big")
    broken.write_bytes(_with_entry(data, b"ctts", 4 + 8 * (entries - 1) + 4, -100_000_000))
    with VideoReader(broken) as reader:
        assert sum(1 for _ in reader) == 30 - hidden
        (warning,) = reader.info.warnings
    assert warning.startswith(f"{hidden} frame")
    assert "trimmed, or is damaged" in warning
    broken.write_bytes(_with_entry(data, b"stsz", 8 + 4 * 29, 0))  # the last frame is empty
    with VideoReader(broken) as reader:
        assert sum(1 for _ in reader) == 29 == reader.frames_estimate
        assert reader.info.warnings[0].startswith("1 frame that the input lists is empty")
    broken.write_bytes(_with_entry(data, b"stsz", 8 + 4 * 12, 0x7FFFFFFF))
    with pytest.raises(InputError, match="where all its frames lie"):
        read(broken)


def test_one_frame_too_many_in_the_table_of_times_is_told_and_more_are_damage(
    mp4: dict[str, Path], tmp_path: Path
) -> None:
    data = mp4["front.mp4"].read_bytes()
    start = _box(data, b"moov", b"trak", b"stts")[0] + 16
    assert data[start - 4 : start] == (1).to_bytes(4, "big")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(_with_entry(data, b"stts", 4, 31))
    with VideoReader(broken) as reader:
        assert sum(1 for _ in reader) == 30
        assert reader.info.warnings[0].startswith("1 frame that the input lists")
    broken.write_bytes(_with_entry(data, b"stts", 4, 32))
    with pytest.raises(InputError, match="where all its frames lie"):
        read(broken)


@pytest.mark.parametrize("name", ["whole.mp4", "front.mp4"])
def test_a_first_frame_that_does_not_decode_is_no_start_amid_a_group(
    mp4: dict[str, Path], tmp_path: Path, name: str
) -> None:
    data = bytearray(mp4[name].read_bytes())
    with av.open(str(mp4[name])) as container:
        first = container.streams.video[0].index_entries[0]
        place, size = first.pos, first.size
    data[place : place + size] = np.random.default_rng(3).bytes(size)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with pytest.raises(InputError, match="damaged after"):
        read(broken)


OPEN_GROUPS = "open-gop=1:keyint=10:min-keyint=10:scenecut=0"


@pytest.mark.parametrize(
    "clip",
    [
        Clip(frames=14, times=clips.VARIABLE, options={"bf": "2"}),
        Clip(frames=30, options={"bf": "3", "x264-params": OPEN_GROUPS}),
        Clip(frames=30, options={"bf": "3", "x264-params": "b-pyramid=normal:keyint=30"}),
        Clip("mpeg4", frames=30, options={"bf": "2"}),
        Clip(frames=1),
    ],
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"movflags": "faststart"},
        {"movflags": "frag_keyframe+empty_moov"},
        {"movflags": "frag_keyframe"},
        {"movflags": "frag_every_frame+empty_moov+default_base_moof+global_sidx"},
        {"movflags": "negative_cts_offsets"},
        {"use_editlist": "0"},
    ],
)
def test_a_sound_mp4_is_neither_refused_nor_doubted(
    clip: Clip, options: dict[str, str], tmp_path: Path
) -> None:
    source = clip.write(tmp_path / "a.mp4")
    for shift in (0, 5000):
        copy = remux(source, tmp_path / "b.mp4", options, shift=shift)
        with VideoReader(copy) as reader:
            assert sum(1 for _ in reader) == clip.frames
            assert reader.info.warnings == ()


def test_sound_that_is_longer_than_the_picture_is_no_damage(tmp_path: Path) -> None:
    path = Clip(frames=5, audio="aac").write(tmp_path / "a.mp4")
    target = tmp_path / "b.mp4"
    with av.open(str(path)) as read, av.open(str(target), "w") as written:
        streams = {s.index: written.add_stream_from_template(s, opaque=True) for s in read.streams}
        for packet in read.demux():
            if packet.size:
                packet.stream = streams[packet.stream.index]
                written.mux(packet)
                if packet.stream.type == "audio":
                    last = packet
        step = 1024
        for _ in range(200):
            later = av.Packet(bytes(last))
            assert last.pts is not None
            later.pts = later.dts = last.pts + step
            later.duration, later.time_base, later.stream = 1024, last.time_base, last.stream
            step += 1024
            written.mux(later)
    with VideoReader(target) as reader:
        assert sum(1 for _ in reader) == 5
        assert reader.info.warnings == ()


def test_a_trimmed_mp4_is_read_and_said_to_be_trimmed(tmp_path: Path) -> None:
    source = Clip(frames=30, options={"bf": "2", "g": "10"}).write(tmp_path / "a.mp4")
    trimmed = remux(source, tmp_path / "b.mp4", {"avoid_negative_ts": "0"}, shift=-3000)
    with VideoReader(trimmed) as reader:
        shown = sum(1 for _ in reader)
        assert 20 < shown < 30
        assert reader.info.warnings[0].startswith(f"{30 - shown} frames that the input lists")


def test_an_mp4_that_begins_amid_a_group_is_read_from_its_first_key_frame(tmp_path: Path) -> None:
    source = Clip(frames=30, options={"bf": "0", "x264-params": "keyint=10:min-keyint=10:scenecut=0"})
    path = remux(source.write(tmp_path / "a.mp4"), tmp_path / "b.mp4", {}, skip=4)
    assert read(path) == 20
