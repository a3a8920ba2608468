"""What is not covered stays as it was: samples, colours, proportions, orientation."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from eyelid.media.video import LOSSLESS, VideoEncoding, VideoReader, VideoWriter
from eyelid.types import _SEAL, SafeFrame

from . import clips
from .clips import Clip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.types import Samples

FFV1 = {"level": "1"}
MASTERING = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def _samples(path: Path) -> list[list[Samples]]:
    with VideoReader(path) as reader:
        return [[plane.samples.copy() for plane in frame.planes] for frame in reader]


def _first(path: Path) -> av.VideoFrame:
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


def _psnr(one: list[list[Samples]], two: list[list[Samples]]) -> float:
    errors = [np.mean((a[0].astype(float) - b[0]) ** 2) for a, b in zip(one, two, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def _plain(source: Path, target: Path) -> None:
    """Transcode as any program would, with PyAV alone."""
    with av.open(str(source)) as read, av.open(str(target), "w") as written:
        stream = written.add_stream("libx264", rate=25, options={"crf": "23", "preset": "medium"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 12800)
        stream.codec_context.thread_type = av.codec.context.ThreadType.FRAME
        for frame in read.decode(video=0):
            frame.pict_type = 0
            written.mux(stream.encode(frame))
        written.mux(stream.encode(None))


def test_quality_and_size_are_those_of_a_plain_transcode(tmp_path: Path) -> None:
    source = Clip(width=320, height=240, frames=40, options={"crf": "12"}).write(tmp_path / "in.mp4")
    clips.copy(source, tmp_path / "ours.mp4", VideoEncoding(crf=23, preset="medium"))
    _plain(source, tmp_path / "plain.mp4")
    original = _samples(source)
    ours, plain = (
        _psnr(original, _samples(tmp_path / "ours.mp4")),
        _psnr(original, _samples(tmp_path / "plain.mp4")),
    )
    assert ours == pytest.approx(plain, abs=0.1)
    assert (tmp_path / "ours.mp4").stat().st_size < 1.03 * (tmp_path / "plain.mp4").stat().st_size


@pytest.mark.parametrize(
    "pixel_format",
    ["yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv420p10le", "yuv422p12le", "gray",
     "gray10le", "gray16le", "yuv444p16le", "gbrp", "gbrp12le"],
)  # fmt: skip
@pytest.mark.parametrize("size", [(38, 22), (72, 66)])
def test_the_lossless_encoding_keeps_every_sample(
    tmp_path: Path, pixel_format: str, size: tuple[int, int]
) -> None:
    encoder, options, suffix = "ffv1", FFV1, ".mkv"
    if pixel_format.startswith("yuvj"):
        encoder, options = "mjpeg", {}
    elif pixel_format == "gbrp":
        encoder, pixel_format, options, suffix = "png", "rgb24", {}, ".mov"
    elif pixel_format.startswith("gbrp"):
        options = {"level": "3", "slices": "4"}
    clip = Clip(encoder, pixel_format, frames=3, width=size[0], height=size[1], options=options)
    source = clip.write(tmp_path / f"in{suffix}")
    writer = clips.copy(source, tmp_path / "out.mkv", LOSSLESS)
    assert not [change for change in writer.changes if not change.startswith("times")]
    for one, two in zip(_samples(source), _samples(tmp_path / "out.mkv"), strict=True):
        assert all((a == b).all() for a, b in zip(one, two, strict=True))
    full = pixel_format.startswith(("yuvj", "rgb"))
    assert (_first(tmp_path / "out.mkv").color_range == 2) == full


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (2, 3), (31, 17)])
def test_odd_sizes_lose_nothing(tmp_path: Path, size: tuple[int, int]) -> None:
    width, height = size
    source = Clip("ffv1", width=width, height=height, frames=4, options=FFV1).write(tmp_path / "in.mkv")
    clips.copy(source, tmp_path / "exact.mkv", LOSSLESS)
    for one, two in zip(_samples(source), _samples(tmp_path / "exact.mkv"), strict=True):
        assert all((a == b).all() for a, b in zip(one, two, strict=True))
    writer = clips.copy(source, tmp_path / "out.mp4", VideoEncoding(crf=1))
    assert any("edges were repeated" in change for change in writer.changes)
    for one, two in zip(_samples(source), _samples(tmp_path / "out.mp4"), strict=True):
        assert np.abs(one[0].astype(int) - two[0][:height, :width]).max() < 12
    clips.copy(source, tmp_path / "out.webm")
    assert (_first(tmp_path / "out.webm").width, _first(tmp_path / "out.webm").height) == size


@pytest.mark.parametrize("colour", [(1, 1, 1, 1), (5, 6, 5, 2), (9, 16, 9, 1), (9, 18, 9, 1), (2, 2, 2, 0)])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_colour_tags_and_ten_bits_are_kept(
    tmp_path: Path, suffix: str, colour: tuple[int, int, int, int]
) -> None:
    source = Clip(pixel_format="yuv420p10le", colour=colour, frames=3).write(tmp_path / f"in{suffix}")
    writer = clips.copy(source, tmp_path / f"out{suffix}")
    frame = _first(tmp_path / f"out{suffix}")
    assert frame.format.name == "yuv420p10le"
    assert (frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range) == colour
    assert writer.changes == ()
    with VideoReader(source) as reader:
        assert reader.info.bit_depth == 10
        luma, chroma, _ = next(iter(reader)).planes
        full = colour[3] == 2
        assert (luma.peak, luma.black, chroma.black) == (1023, 0 if full else 64, 512)
        assert luma.samples.dtype == np.uint16


@pytest.mark.parametrize("encoder", ["libx264", "libx265"])
def test_the_hdr_screen_is_kept(tmp_path: Path, encoder: str) -> None:
    options = {"x265-params": f"log-level=none:master-display={MASTERING}:max-cll=1000,400"}
    clip = Clip("libx265", "yuv420p10le", frames=3, colour=(9, 16, 9, 1), options=options)
    source = clip.write(tmp_path / "in.mkv")
    clips.copy(source, tmp_path / "out.mkv", VideoEncoding(encoder=encoder))
    with VideoReader(source) as one, VideoReader(tmp_path / "out.mkv") as two:
        kinds = [k for k in one.side_data if k.name in ("MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL")]
        assert len(kinds) == 2
        assert all(one.side_data[k] == two.side_data[k] for k in kinds)
    writer = clips.copy(source, tmp_path / "out.webm")
    assert any("HDR" in change for change in writer.changes)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize("rotation", [0, 90])
def test_pixel_proportions_are_kept(tmp_path: Path, suffix: str, rotation: int) -> None:
    source = Clip(aspect=Fraction(4, 3), rotation=rotation, frames=3).write(tmp_path / f"in{suffix}")
    clips.copy(source, tmp_path / f"out{suffix}")
    with VideoReader(tmp_path / f"out{suffix}") as reader:
        assert reader.info.sample_aspect == (Fraction(3, 4) if rotation else Fraction(4, 3))


def _upright(picture: NDArray[Any], rotation: int, *, mirrored: bool) -> NDArray[Any]:
    turned = np.rot90(picture, rotation // 90)
    return turned[:, ::-1] if mirrored else turned


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv420p10le", "yuv444p"])
def test_rotation_is_applied_to_the_samples(
    tmp_path: Path, rotation: int, mirrored: bool, pixel_format: str
) -> None:
    clip = Clip(pixel_format=pixel_format, frames=3, rotation=rotation, mirrored=mirrored)
    source = clip.write(tmp_path / "in.mp4")
    with av.open(str(source)) as container:
        stored = next(container.decode(video=0)).to_ndarray(format="gray")
    with VideoReader(source) as reader:
        frame = next(iter(reader))
        luma = (frame.planes[0].samples >> (reader.info.bit_depth - 8)).astype(np.uint8)
        expected = _upright(stored, rotation, mirrored=mirrored)
        assert luma.shape == expected.shape
        assert np.corrcoef(luma.ravel(), expected.ravel())[0, 1] > 0.999
        assert (reader.info.changes == ()) == (rotation == 0 and not mirrored)
        assert frame.bgr().shape == (*expected.shape, 3)
    clips.copy(source, tmp_path / "out.mp4")
    shown = _first(tmp_path / "out.mp4")
    assert shown.rotation == 0
    assert (shown.height, shown.width) == expected.shape


def test_turned_samples_are_exactly_the_stored_ones(tmp_path: Path) -> None:
    source = Clip(frames=3, rotation=90).write(tmp_path / "in.mp4")
    with av.open(str(source)) as container:
        stored = next(container.decode(video=0)).to_ndarray()  # 4:2:0 planes below each other
    frame = _samples(source)[0]
    assert (frame[0] == np.rot90(stored[:48])).all()
    assert (frame[1] == np.rot90(stored[48:60].reshape(24, 32))).all()


def test_fields_stay_fields(tmp_path: Path) -> None:
    for suffix in (".mp4", ".mkv"):
        source = Clip(interlaced=True, frames=6).write(tmp_path / f"in{suffix}")
        writer = clips.copy(source, tmp_path / f"out{suffix}")
        assert _first(tmp_path / f"out{suffix}").interlaced_frame
        assert writer.changes == ()
    writer = clips.copy(source, tmp_path / "out.webm")
    assert any("interlaced" in change for change in writer.changes)


@pytest.mark.parametrize(
    ("encoder", "pixel_format", "suffix", "planar", "words"),
    [
        ("png", "rgba", ".mov", "gbrp", "transparency"),
        ("png", "rgb24", ".mov", "gbrp", "rgb24 was converted to gbrp"),
        ("rawvideo", "yuyv422", ".avi", "yuv422p", "yuyv422 was converted to yuv422p"),
        ("ffv1", "yuva420p", ".mkv", "yuv420p", "transparency"),
        ("ffv1", "bgra", ".mkv", "gbrp", "transparency"),
        ("png", "gray16be", ".mov", "gray16le", "gray16be"),
    ],
)
def test_other_pixel_formats_are_converted_aloud(
    tmp_path: Path, encoder: str, pixel_format: str, suffix: str, planar: str, words: str
) -> None:
    clip = Clip(encoder, pixel_format, frames=3, options={}, time_base=Fraction(1, 25))
    source = clip.write(tmp_path / f"in{suffix}")
    with av.open(str(source)) as container:
        wanted = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    with VideoReader(source) as reader:
        assert words in " ".join(reader.info.changes)
        assert reader.blank.format.name == planar
        drawn = next(iter(reader)).bgr()[:, :, ::-1]
        assert np.abs(drawn - wanted).mean() < 2
    clips.copy(source, tmp_path / f"out{suffix}", VideoEncoding(crf=1))
    with VideoReader(tmp_path / f"out{suffix}") as reader:
        assert np.abs(next(iter(reader)).bgr()[:, :, ::-1] - wanted).mean() < 6


def test_painting_a_frame_never_touches_another(tmp_path: Path) -> None:
    options = {"g": "250", "bf": "3", "refs": "4", "preset": "medium"}
    for encoder, suffix, wishes in (
        ("libx264", ".mp4", options),
        ("libvpx-vp9", ".webm", {"cpu-used": "8"}),
        ("mpeg4", ".avi", {"g": "250", "bf": "0"}),
        ("libx265", ".mkv", {"x265-params": "log-level=none:keyint=250"}),
    ):
        unit = Fraction(1, 25) if suffix == ".avi" else Fraction(1, 12800)
        source = Clip(encoder, frames=40, options=wishes, time_base=unit).write(tmp_path / f"in{suffix}")
        clean = _samples(source)
        held = []
        with VideoReader(source) as reader:
            for frame, wanted in zip(reader, clean, strict=True):
                for plane, samples in zip(frame.planes, wanted, strict=True):
                    assert (plane.samples == samples).all()
                    plane.samples[: plane.samples.shape[0] // 2] = plane.black
                held.append(frame)
            for frame, wanted in zip(held, clean, strict=True):
                half = frame.height // 2
                assert (frame.planes[0].samples[half:] == wanted[0][half:]).all()
                assert (frame.planes[0].samples[:half] == frame.planes[0].black).all()


def test_painted_frames_are_what_is_encoded(tmp_path: Path) -> None:
    source = Clip(frames=20, options={"g": "250", "bf": "3"}).write(tmp_path / "in.mp4")
    wish = VideoEncoding(crf=10)
    with VideoReader(source) as reader, VideoWriter(tmp_path / "out.mp4", reader, wish) as writer:
        for frame in reader:
            for plane in frame.planes:
                plane.samples[: plane.samples.shape[0] // 2] = plane.black
            assert frame.bgr()[: frame.height // 2 - 2].max() < 8
            writer.write(SafeFrame(frame, _SEAL))
    for luma, _, _ in _samples(tmp_path / "out.mp4"):
        assert np.abs(luma[:20].astype(int) - 16).max() < 6
