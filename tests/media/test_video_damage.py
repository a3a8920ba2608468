"""A file that is not whole ends in one clear error, never in a shorter video."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from eyelid.errors import EyelidError, InputError, OutputError, UnsupportedError, UsageError
from eyelid.media.video import VideoEncoding, VideoReader, VideoWriter
from eyelid.media.video_size import declared_size

from . import clips
from .clips import Clip

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    ".mp4": Clip(frames=30, audio="aac", options={"bf": "2", "g": "10"}),
    ".mkv": Clip(frames=30, audio="aac", options={"bf": "2", "g": "10"}),
    ".avi": Clip("mpeg4", frames=30, time_base=Fraction(1, 25), options={"g": "10"}),
    ".webm": Clip("libvpx-vp9", frames=30, options={"deadline": "realtime", "cpu-used": "8"}),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("whole")
    made = {suffix: clip.write(folder / f"whole{suffix}") for suffix, clip in KINDS.items()}
    with av.open(str(made[".mp4"])) as read:
        target = folder / "front.mp4"
        with av.open(str(target), "w", container_options={"movflags": "faststart"}) as written:
            streams = {s.index: written.add_stream_from_template(s, opaque=True) for s in read.streams}
            for packet in read.demux():
                if packet.size:
                    packet.stream = streams[packet.stream.index]
                    written.mux(packet)
    return made | {".front": target}


def read(path: Path) -> int:
    with VideoReader(path) as reader:
        return sum(1 for _ in reader)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm", ".front"])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.9, 0.98])
def test_a_truncated_file_is_an_error(
    whole: dict[str, Path], tmp_path: Path, suffix: str, share: float
) -> None:
    data = whole[suffix].read_bytes()
    assert read(whole[suffix]) == 30
    assert declared_size(whole[suffix]) == len(data)
    cut = tmp_path / f"cut{whole[suffix].suffix}"
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match=r"cut\.\w+ "):
        read(cut)


@pytest.mark.parametrize("seed", range(60))
def test_damage_never_ends_in_anything_but_our_errors(
    whole: dict[str, Path], tmp_path: Path, seed: int, capfd: pytest.CaptureFixture[str]
) -> None:
    draw = np.random.default_rng(seed)
    source = whole[list(whole)[seed % len(whole)]]
    data = bytearray(source.read_bytes())
    for _ in range(int(draw.integers(1, 40))):
        place = int(draw.integers(0, len(data)))
        match int(draw.integers(0, 3)):
            case 0:
                data[place] ^= 1 << int(draw.integers(0, 8))
            case 1:
                data[place : place + 16] = draw.bytes(16)
            case _:
                data[place : place + 8] = bytes(8)
    broken = tmp_path / f"broken{source.suffix}"
    broken.write_bytes(data)
    judge(broken, least=30 if source.suffix == ".mp4" else 29)  # a block may be made one of another track
    assert capfd.readouterr().err == ""


def judge(broken: Path, least: int) -> None:
    """Check that a damaged file of 30 frames is refused, read whole, or said to lack what it lacks."""
    try:
        with VideoReader(broken) as reader:
            frames, warnings = sum(1 for _ in reader), reader.info.warnings
    except EyelidError as error:
        assert str(broken) in str(error)  # noqa: PT017  # any of the three is right
        return
    lacking = 30 - frames
    assert frames >= least or [warning for warning in warnings if warning.startswith(f"{lacking} frame")]


def test_a_damaged_middle_is_told_with_its_time(whole: dict[str, Path], tmp_path: Path) -> None:
    with av.open(str(whole[".front"])) as container:
        entry = container.streams.video[0].index_entries[15]
        place, size = entry.pos, entry.size
    data = bytearray(whole[".front"].read_bytes())
    data[place : place + size] = bytes(size)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(data)
    with pytest.raises(InputError, match=r"damaged after 0\.\d\d s"):
        read(broken)


def _blocks(path: Path) -> list[int]:
    """Where the content of each block of the picture begins, whose first byte is its track in Matroska."""
    with av.open(str(path)) as container:
        found = container.demux(container.streams.video[0])
        return [packet.pos for packet in found if packet.size and packet.pos is not None]


@pytest.mark.parametrize("suffix", [".mkv", ".webm"])
@pytest.mark.parametrize("lost", [1, 5, 20])
def test_a_block_of_no_track_is_told_each_time(
    whole: dict[str, Path], tmp_path: Path, suffix: str, lost: int
) -> None:
    """FFmpeg then leaves out the rest of the cluster, and logs the same line for the next such file once."""
    data = bytearray(whole[suffix].read_bytes())
    data[_blocks(whole[suffix])[lost]] = 0x80 | 9
    for name in ("one", "two"):
        broken = tmp_path / f"{name}{suffix}"
        broken.write_bytes(data)
        with pytest.raises(InputError, match="damaged inside"):
            read(broken)


@pytest.mark.parametrize("lost", [2, 15, 28])
def test_a_block_that_another_track_took_is_a_pause(
    whole: dict[str, Path], tmp_path: Path, lost: int
) -> None:
    data = bytearray(whole[".mkv"].read_bytes())
    data[_blocks(whole[".mkv"])[lost]] ^= 0b11  # from track 1, the picture, to 2, the sound
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(data)
    try:
        with VideoReader(broken) as reader:
            (warning,) = reader.info.warnings
    except InputError:
        return  # a frame that others need
    assert warning.startswith("1 frame is missing from a steady rate")
    with VideoReader(whole[".mkv"]) as reader:
        assert reader.info.warnings == ()


@pytest.mark.parametrize("lost", [1, 10, 28])
def test_a_lost_chunk_of_avi_is_told(whole: dict[str, Path], tmp_path: Path, lost: int) -> None:
    data = bytearray(whole[".avi"].read_bytes())
    place = data.rindex(b"00dc", 0, _blocks(whole[".avi"])[lost] + 4)
    data[place : place + 4] = b"JUNK"
    broken = tmp_path / "broken.avi"
    broken.write_bytes(data)
    with pytest.raises(InputError, match="damaged"):
        read(broken)


def test_empty_chunks_of_avi_are_no_damage(tmp_path: Path) -> None:
    """They stand for frames that are to be shown longer."""
    times = [0, 1, 2, 5, 6, 9, 10, 11]
    clip = Clip("mpeg4", frames=8, time_base=Fraction(1, 25), times=times, options={"g": "4"})
    assert read(clip.write(tmp_path / "a.avi")) == 8


def test_missing_empty_folder_text_and_sound_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a file"):
        VideoReader(tmp_path / "none.mp4")
    with pytest.raises(InputError, match="is not a file"):
        VideoReader(tmp_path)
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(InputError, match="is empty"):
        VideoReader(tmp_path / "empty.mp4")
    (tmp_path / "text.mp4").write_text("no video at all\n" * 100)
    with pytest.raises(InputError, match="damaged or not a video"):
        VideoReader(tmp_path / "text.mp4")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        sound = Clip(audio="aac")._add_audio(container, "eng")
        Clip()._sing(container, sound)
    with pytest.raises(UnsupportedError, match="no video stream"):
        VideoReader(tmp_path / "sound.mp4")


def test_playlists_and_addresses_are_not_followed(tmp_path: Path, whole: dict[str, Path]) -> None:
    playlist = tmp_path / "list.mp4"
    playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{whole['.mp4']}\n#EXT-X-ENDLIST\n")
    with pytest.raises(InputError):
        VideoReader(playlist)
    (tmp_path / "part.mp4").write_bytes(whole[".mp4"].read_bytes())
    playlist.write_text("ffconcat version 1.0\nfile part.mp4\n")
    with pytest.raises(InputError):
        VideoReader(playlist)


def test_a_colon_in_the_name_is_no_protocol(tmp_path: Path, whole: dict[str, Path]) -> None:
    odd = tmp_path / "http:a b%20c.mp4"
    odd.write_bytes(whole[".mp4"].read_bytes())
    clips.copy(odd, tmp_path / "concat:out.mp4")
    assert clips.times(tmp_path / "concat:out.mp4") == clips.times(odd)


def test_a_change_of_size_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "in.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for index, (width, height) in enumerate([(64, 48), (64, 48), (32, 32)]):
            context = av.CodecContext.create("mjpeg", "w")
            assert isinstance(context, av.VideoCodecContext)
            context.width, context.height, context.pix_fmt = width, height, "yuvj420p"
            context.time_base = Fraction(1, 25)
            frame = av.VideoFrame.from_ndarray(clips.picture(index, width, height), "rgb24")
            for packet in [*context.encode(frame.reformat(format="yuvj420p")), *context.encode(None)]:
                packet.pts = packet.dts = index
                packet.time_base, packet.stream = Fraction(1, 25), stream
                container.mux(packet)
    with VideoReader(path) as reader, pytest.raises(UnsupportedError, match="changes its picture size"):
        list(reader)


def test_wishes_that_cannot_be_had_are_explained(tmp_path: Path, whole: dict[str, Path]) -> None:
    with VideoReader(whole[".mp4"]) as reader:
        for name, encoding, error, text in (
            ("out.mp4", VideoEncoding(encoder="nonsense"), UsageError, "no encoder 'nonsense'"),
            ("out.mp4", VideoEncoding(encoder="aac"), UsageError, "does not encode video"),
            ("out.webm", VideoEncoding(encoder="libx264"), UsageError, "cannot hold what libx264 writes"),
            ("out.mp4", VideoEncoding(preset="warp"), UsageError, "preset warp"),
            ("out.mp4", VideoEncoding(encoder="mpeg4", crf=3), UsageError, "no constant quality"),
            ("out.mp4", VideoEncoding(encoder="mpeg4", preset="slow"), UsageError, "no presets"),
            ("out.xyz", VideoEncoding(), UsageError, "no video container"),
            ("out.webm", VideoEncoding(), OutputError, "--audio drop"),
            ("none/out.mp4", VideoEncoding(), OutputError, "cannot be written"),
        ):
            with pytest.raises(error, match=text):
                VideoWriter(tmp_path / name, reader, encoding)


def test_a_full_disk_is_an_output_error(whole: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "full.mkv").symlink_to("/dev/full")
    with pytest.raises(OutputError, match="No space left"):
        clips.copy(whole[".mkv"], tmp_path / "full.mkv")
