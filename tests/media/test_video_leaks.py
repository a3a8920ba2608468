"""Nothing of the source but pictures and sound reaches the output, and what is left behind is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import pytest

from eyelid.media.video import VideoEncoding, VideoReader

from . import clips
from .clips import CANARY, Clip

if TYPE_CHECKING:
    from pathlib import Path

_NEEDLES = (CANARY.encode(), CANARY.encode("utf-16-le"), b"2021-03-04", b"+48.8577", b"source-name")


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("target_suffix", [".mp4", ".mov", ".mkv"])
def test_no_metadata_passes(tmp_path: Path, suffix: str, target_suffix: str) -> None:
    clip = Clip(audio="aac", languages=("eng", "deu"), secrets=True)
    source = clip.write(tmp_path / f"source-name{suffix}")
    assert CANARY.encode() in source.read_bytes()
    target = tmp_path / f"out{target_suffix}"
    clips.copy(source, target)
    data = target.read_bytes()
    assert not [needle for needle in _NEEDLES if needle in data]
    with av.open(str(target)) as container:
        assert [s.type for s in container.streams] == ["video", "audio", "audio"]
        assert container.chapters() == []
        assert set(container.metadata) <= {"major_brand", "minor_version", "compatible_brands", "encoder"}
        for stream in container.streams:
            assert set(stream.metadata) <= {"language", "handler_name", "vendor_id", "DURATION"}
            assert stream.metadata.get("handler_name", "VideoHandler") in ("VideoHandler", "SoundHandler")


@pytest.mark.parametrize(
    ("suffix", "names"),
    [
        (
            ".mp4",
            {"title", "subtitles", "chapters", "timecode", "GPS position", "cover art", "creation time"},
        ),
        (".mov", {"title", "subtitles", "chapters", "timecode", "GPS position", "camera make and model"}),
        (".mkv", {"title", "subtitles", "chapters", "attachments", "GPS position", "author", "comment"}),
    ],
)
def test_what_is_dropped_is_named_without_its_value(tmp_path: Path, suffix: str, names: set[str]) -> None:
    source = Clip(audio="aac", secrets=True).write(tmp_path / f"in{suffix}")
    with VideoReader(source) as reader:
        assert names <= set(reader.info.dropped)
        assert CANARY not in repr((reader.info.dropped, reader.info.changes))


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_captions_and_messages_inside_the_picture_are_dropped(tmp_path: Path, encoder: str) -> None:
    plain = Clip(frames=12).write(tmp_path / "plain.mp4")
    source = clips.with_messages(plain, tmp_path / "source.mp4")
    pairs = b"".join(b"\xfc" + CANARY.encode()[i : i + 2] for i in range(0, 18, 2))
    assert CANARY.encode() in source.read_bytes()
    assert pairs in source.read_bytes()
    with VideoReader(source) as reader:
        assert {"closed captions", "user data inside the video stream"} <= set(reader.info.dropped)
    clips.copy(source, tmp_path / "out.mp4", VideoEncoding(encoder=encoder))
    data = (tmp_path / "out.mp4").read_bytes()
    assert CANARY.encode() not in data
    assert pairs not in data
    assert b"GA94" not in data


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        source = Clip(audio="aac").write(tmp_path / f"in{suffix}")
        for name in ("a", "b"):
            clips.copy(source, tmp_path / f"{name}{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


def test_a_cover_is_not_taken_for_the_video(tmp_path: Path) -> None:
    source = Clip(secrets=True).write(tmp_path / "in.mp4")
    with VideoReader(source) as reader:
        assert (reader.info.width, reader.info.height) == (64, 48)
        assert "cover art" in reader.info.dropped
        assert sum(1 for _ in reader) == 24
