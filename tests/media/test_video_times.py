"""No frame is lost, doubled or moved in time, and the sound stays where it is."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import pytest

from eyelid.errors import InputError
from eyelid.media.video import AudioMode, VideoEncoding, VideoReader, VideoWriter
from eyelid.types import _SEAL, SafeFrame

from . import clips
from .clips import VARIABLE, Clip

if TYPE_CHECKING:
    from pathlib import Path

VP9 = {"deadline": "realtime", "cpu-used": "8"}


def _lengths(path: Path) -> tuple[int | None, int | None]:
    with av.open(str(path)) as container:
        return container.streams.video[0].duration, container.duration


@pytest.mark.parametrize("first", [0, 1001, 12800])
@pytest.mark.parametrize(
    ("suffix", "encoder"),
    [
        (".mp4", "libx264"),
        (".mov", "libx264"),
        (".mkv", "libx265"),
        (".mkv", "libx264"),
        (".webm", "libvpx-vp9"),
    ],
)
def test_variable_frame_rate_and_start_offset_are_kept(
    tmp_path: Path, suffix: str, encoder: str, first: int
) -> None:
    options = {"libx265": {"x265-params": "log-level=none"}, "libvpx-vp9": VP9}.get(encoder, {})
    clip = Clip(encoder, frames=len(VARIABLE), times=[first + t for t in VARIABLE], options=options)
    source = clip.write(tmp_path / f"in{suffix}")
    target = tmp_path / f"out{suffix}"
    clips.copy(source, target)
    assert clips.times(target) == clips.times(source)
    assert len(clips.times(target)) == len(VARIABLE)
    assert _lengths(target) == _lengths(source)
    with VideoReader(source) as reader:
        assert [frame.time for frame in reader] == clips.times(source)


@pytest.mark.parametrize("time_base", [Fraction(1, 90000), Fraction(1001, 30000), Fraction(1, 1000000)])
def test_any_time_base_is_kept_in_mp4(tmp_path: Path, time_base: Fraction) -> None:
    ticks = (
        [7 * i + (i * i) % 3 for i in range(12)]
        if time_base.numerator == 1001
        else [40_003 * i + 11 * (i % 3) for i in range(12)]
    )
    source = Clip(frames=12, times=ticks, time_base=time_base).write(tmp_path / "in.mp4")
    clips.copy(source, tmp_path / "out.mp4")
    assert clips.times(tmp_path / "out.mp4") == [t * time_base for t in ticks]


def test_bframes_are_reordered_to_their_times(tmp_path: Path) -> None:
    options = {"preset": "medium", "bf": "4", "g": "24"}
    source = Clip(frames=30, options=options).write(tmp_path / "in.mp4")
    with av.open(str(source)) as container:
        assert any(p.pts != p.dts for p in container.demux(video=0) if p.size)
    clips.copy(source, tmp_path / "out.mp4")
    assert clips.times(tmp_path / "out.mp4") == [Fraction(i, 25) for i in range(30)]


@pytest.mark.parametrize("encoder", ["mpeg4", "libx264"])
def test_avi_with_gaps_and_bframes_is_kept(tmp_path: Path, encoder: str) -> None:
    ticks = [0, 1, 2, 5, 6, *range(9, 18)]
    unit = Fraction(1, 25)
    gaps = Clip(encoder, frames=14, times=ticks, time_base=unit, options={"bf": "0"}).write(
        tmp_path / "gaps.avi"
    )
    clips.copy(gaps, tmp_path / "out.avi")
    for path in (gaps, tmp_path / "out.avi"):
        with VideoReader(path) as reader:
            assert [frame.time for frame in reader] == [t * unit for t in ticks]
    with av.open(str(tmp_path / "out.avi")) as container:
        kinds = {frame.pict_type for frame in container.decode(video=0)}
        assert av.video.frame.PictureType.B not in kinds  # AVI cannot say when such a frame is shown
    reordered = Clip(encoder, frames=14, time_base=unit, options={"bf": "2"}).write(tmp_path / "b.avi")
    with VideoReader(reordered) as reader:
        assert [frame.time for frame in reader] == [i * unit for i in range(14)]


def test_what_a_container_cannot_hold_is_said(tmp_path: Path) -> None:
    source = Clip(frames=len(VARIABLE), times=VARIABLE, audio="aac").write(tmp_path / "in.mp4")
    writer = clips.copy(source, tmp_path / "out.mkv")
    assert any("kept to 1/1000 s" in change for change in writer.changes)
    assert any("lead-in" in change for change in writer.changes)
    exact, rounded = clips.times(source), clips.times(tmp_path / "out.mkv")
    assert max(abs(a - b) for a, b in zip(exact, rounded, strict=True)) <= Fraction(1, 2000)
    writer = clips.copy(source, tmp_path / "out.avi", VideoEncoding(audio=AudioMode.DROP))
    assert any("times are kept to" in change for change in writer.changes)
    assert len(clips.times(tmp_path / "out.avi")) == len(VARIABLE)


@pytest.mark.parametrize(
    ("suffix", "encoder", "audio"),
    [
        (".mp4", "libx264", "aac"),
        (".mov", "libx264", "pcm_s16le"),
        (".mkv", "libx264", "flac"),
        (".webm", "libvpx-vp9", "libopus"),
        (".avi", "mpeg4", "libmp3lame"),
    ],
)
def test_sound_is_copied_bit_for_bit(tmp_path: Path, suffix: str, encoder: str, audio: str) -> None:
    unit = Fraction(1, 25) if suffix == ".avi" else Fraction(1, 12800)
    options = VP9 if encoder == "libvpx-vp9" else {}
    clip = Clip(encoder, options=options, audio=audio, languages=("eng", "fra"), time_base=unit)
    source = clip.write(tmp_path / f"in{suffix}")
    target = tmp_path / f"out{suffix}"
    clips.copy(source, target)
    assert len(clips.packets(source)) == 2
    assert clips.packets(target) == clips.packets(source)
    if suffix != ".avi":  # holds no languages
        with av.open(str(target)) as container:
            assert [s.language for s in container.streams.audio] == ["eng", "fra"]
    clips.copy(source, target, VideoEncoding(audio=AudioMode.DROP))
    assert clips.packets(target) == []


def test_sound_is_interleaved_with_the_picture(tmp_path: Path) -> None:
    source = Clip(frames=150, audio="aac").write(tmp_path / "in.mp4")
    clips.copy(source, tmp_path / "out.mp4")
    with av.open(str(tmp_path / "out.mp4")) as container:
        places = {s.type: [e.pos for e in s.index_entries] for s in container.streams}
    between = sum(places["video"][0] < pos < places["video"][-1] for pos in places["audio"])
    assert between > 0.8 * len(places["audio"])


def test_a_part_is_read_by_time(tmp_path: Path) -> None:
    source = Clip(frames=60, options={"g": "20", "bf": "2"}).write(tmp_path / "in.mp4")
    with VideoReader(source) as reader:
        everything = list(reader)
        part = list(reader.frames(Fraction(1), Fraction(3, 2)))
        assert [f.time for f in part] == [Fraction(i, 25) for i in range(25, 38)]
        assert [f.index for f in part] == list(range(13))
        for found, known in zip(part, everything[25:], strict=False):
            assert (found.planes[0].samples == known.planes[0].samples).all()
        found_at = reader.read_at(1.99)
        assert found_at is not None
        assert found_at.time == 2
        assert reader.read_at(2.5) is None
        assert [f.time for f in reader] == [f.time for f in everything]  # a second pass


def test_frames_out_of_order_are_refused(tmp_path: Path) -> None:
    source = Clip(frames=4).write(tmp_path / "in.mp4")
    with VideoReader(source) as reader, VideoWriter(tmp_path / "o.mp4", reader, VideoEncoding()) as writer:
        first, second, *_ = [SafeFrame(frame, _SEAL) for frame in reader]
        writer.write(second)
        with pytest.raises(ValueError, match="after a later one"):
            writer.write(first)


def test_times_that_run_backwards_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        written = []
        for index in range(6):
            frame = av.VideoFrame.from_ndarray(clips.picture(index, 64, 48), "rgb24").reformat(
                format="yuvj420p"
            )
            written += stream.encode(frame)
        for index, packet in enumerate([*written, *stream.encode(None)]):
            packet.pts = [10, 11, 12, 3000, 3001, 14][index]
            packet.dts, packet.time_base = index, Fraction(1, 1000)
            container.mux(packet)
    with VideoReader(path) as reader, pytest.raises(InputError, match="run backwards"):
        list(reader)


OPEN_GROUPS = "open-gop=1:keyint=8:min-keyint=8:scenecut=0:b-adapt=0"


@pytest.mark.parametrize(
    ("suffix", "clip"),
    [
        (".mp4", Clip(frames=24, options={"bf": "3", "x264-params": OPEN_GROUPS})),
        (".mkv", Clip(frames=24, options={"bf": "3", "x264-params": OPEN_GROUPS})),
        (".mp4", Clip(frames=24, options={"bf": "3", "g": "8"})),
        (".avi", Clip("mpeg4", frames=24, time_base=Fraction(1, 25), options={"g": "8"})),
    ],
)
def test_the_frames_from_any_time_on_are_those_of_the_whole(suffix: str, clip: Clip, tmp_path: Path) -> None:
    with VideoReader(clip.write(tmp_path / f"a{suffix}")) as reader:
        whole = [(frame.time, frame.planes[0].samples.tobytes()) for frame in reader]
        for number, (time, _) in enumerate(whole):
            part = [(frame.time, frame.planes[0].samples.tobytes()) for frame in reader.frames(time)]
            assert part == whole[number:]
