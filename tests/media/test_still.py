from __future__ import annotations

import errno
import io
import resource
import warnings
import zlib
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, TiffImagePlugin

from eyelid.errors import InputError, OutputError, UnsupportedError
from eyelid.media.still import Decode, StillInfo, StillReader, StillWriter, write_lossless
from tests.media.samples import HEIGHT, STILLS, WIDTH, picture, safe, write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import RawFrame

LOSSY = {name for name in STILLS if name.endswith((".jpg", ".heic"))} | {"lossy.webp"}


def read(path: Path, decode: Decode = Decode.NATIVE) -> tuple[StillInfo, list[RawFrame]]:
    with StillReader(path, decode=decode) as reader:
        return reader.info, list(reader)


def copy(source: Path, output: Path) -> None:
    info, frames = read(source)
    with StillWriter(output, info) as writer:
        for frame in frames:
            writer.write(safe(frame))


def difference(first: RawFrame, second: RawFrame) -> int:
    assert [p.name for p in first.planes] == [p.name for p in second.planes]
    pairs = zip(first.planes, second.planes, strict=True)
    return max(int(np.abs(a.samples.astype(int) - b.samples).max()) for a, b in pairs)


@pytest.mark.parametrize("name", STILLS)
def test_nothing_changed_means_nothing_lost(name: str, tmp_path: Path) -> None:
    source, output = write_sample(name, tmp_path), tmp_path / f"out-{name}"
    copy(source, output)
    info, frames = read(source)
    again, copies = read(output)
    assert (again.width, again.height, again.pages) == (WIDTH, HEIGHT, info.pages) == (46, 34, len(frames))
    assert again.encoding.loop == info.encoding.loop
    assert again.encoding.jpeg == info.encoding.jpeg
    assert [f.time for f in copies] == [f.time for f in frames]
    assert [f.planes[0].samples.dtype for f in copies] == [f.planes[0].samples.dtype for f in frames]
    worst = max(difference(a, b) for a, b in zip(frames, copies, strict=True))
    eight_bit_steps = worst / (frames[0].planes[0].peak // 255)
    assert (
        eight_bit_steps <= {"jpg": 2, "heic": 14, "webp": 14}[name.split(".")[1]]
        if name in LOSSY
        else not worst
    )
    if not name.endswith(".heic"):
        with Image.open(source) as before, Image.open(output) as after:
            promoted = {"float.tiff": "I;16", "int32.tiff": "I;16"}.get(name, before.mode)
            assert after.mode == ("RGBA" if name in {"animated.png", "animated.webp"} else promoted)
            assert after.info.get("duration") == before.info.get("duration")
            if name not in {"rgb16.tiff", "rgba16.tiff"}:
                assert after.info.get("compression") == before.info.get("compression")


@pytest.mark.parametrize("name", STILLS)
def test_black_is_black(name: str, tmp_path: Path) -> None:
    """What is set to each plane's black is opaque black for an independent reader, the rest stays."""
    source, output = write_sample(name, tmp_path), tmp_path / f"out-{name}"
    info, frames = read(source)
    with StillWriter(output, info) as writer:
        for frame in frames:
            for plane in frame.planes:
                plane.samples[
                    8 // plane.step_y : 24 // plane.step_y, 8 // plane.step_x : 24 // plane.step_x
                ] = plane.black
            writer.write(safe(frame))
    opened = pillow_heif.open_heif(output).to_pillow() if name.endswith(".heic") else Image.open(output)
    original = pillow_heif.open_heif(source).to_pillow() if name.endswith(".heic") else Image.open(source)
    with opened, original:
        for page in range(info.pages):
            opened.seek(page)
            original.seek(page)
            wide = opened.mode.startswith("I;16")
            after = np.asarray(opened if wide else opened.convert("RGBA"), int)
            inside = after[10:22, 10:22]
            assert inside[..., :3].max() <= (12 if name in LOSSY else 0)
            assert wide or inside[..., 3].min() >= (250 if name in LOSSY else 255)
            if name not in LOSSY and not wide:
                before = np.asarray(original.convert("RGBA"), int)
                assert np.array_equal(after[25:], before[25:])


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), width=st.integers(1, 37), height=st.integers(1, 37), seed=st.integers(0, 999))
def test_any_picture_survives_lossless_formats(
    mode: str, data: st.DataObject, width: int, height: int, seed: int, tmp_path: Path
) -> None:
    suffixes = {"CMYK": ["tiff"], "1": ["png", "tiff"], "I;16": ["png", "tiff"], "P": ["png", "tiff", "gif"]}
    suffix = data.draw(st.sampled_from(suffixes.get(mode, ["png", "tiff", "webp"])))
    rng = np.random.default_rng(seed)
    if mode == "I;16":
        drawn = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    elif mode in {"1", "P"}:
        drawn = Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).convert(mode)
    else:
        bands = [Image.fromarray(b) for b in rng.integers(0, 256, (len(mode), height, width), dtype=np.uint8)]
        drawn = Image.merge(mode, bands)
    source, output = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    drawn.save(source, lossless=True, exact=True)  # words of WebP, which others do not read
    copy(source, output)
    with Image.open(source) as before, Image.open(output) as after:
        assert (after.mode, after.size) == (before.mode, before.size)
        if before.mode in {"I;16", "CMYK"}:
            assert np.array_equal(np.asarray(before), np.asarray(after))
        else:
            old, new = np.asarray(before.convert("RGBA")), np.asarray(after.convert("RGBA"))
            seen = old[..., 3] > 0
            assert np.array_equal(old[seen], new[seen])
            assert not new[~seen].any()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "odd.jpg", "png", "webp", "tiff"])
def test_orientation_is_applied_and_dropped(orientation: int, suffix: str, tmp_path: Path) -> None:
    width, height = (47, 33) if suffix == "odd.jpg" else (48, 32)
    drawn = Image.fromarray(picture(width, height))
    exif = Image.Exif()
    exif[0x0112] = orientation
    source, output = tmp_path / f"in.{suffix}", tmp_path / f"out.{suffix}"
    drawn.save(source, exif=exif, **({"lossless": True} if suffix == "webp" else {"quality": 97}))
    expected = np.asarray(_transposed(drawn, orientation))
    copy(source, output)
    with Image.open(output) as after:
        assert after.getexif().get(0x0112, 1) == 1
        assert after.size == expected.shape[1::-1]
        error = np.abs(np.asarray(after.convert("RGB"), int) - expected).mean()
    assert error < (4 if suffix.endswith("jpg") else 1e-9)
    info, frames = read(source)
    assert (info.width, info.height) == expected.shape[1::-1] == (frames[0].width, frames[0].height)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("byte_order", [b"II", b"MM"])
@pytest.mark.parametrize("channels", [3, 4])
def test_deep_tiff_of_any_orientation_and_byte_order(
    orientation: int, byte_order: bytes, channels: int, tmp_path: Path
) -> None:
    samples = picture(channels=channels).astype(np.uint16) * 256 + np.arange(WIDTH, dtype=np.uint16)[:, None]
    values = {256: WIDTH, 257: HEIGHT, 258: (16,) * channels, 262: 2, 273: 0, 274: orientation, 277: channels}
    tags = TiffImagePlugin.ImageFileDirectory_v2(prefix=byte_order)
    for tag, value in {**values, 278: HEIGHT, 279: samples.nbytes, 338: 2}.items():
        if tag != 338 or channels == 4:
            tags[tag] = value
    source, output = tmp_path / "in.tiff", tmp_path / "out.tiff"
    with source.open("wb") as stream:
        tags.save(stream)
        stream.write(samples.astype("<u2" if byte_order == b"II" else ">u2").tobytes())
    bands = [_transposed(Image.fromarray(samples[..., i]), orientation) for i in range(channels)]
    copy(source, output)
    for path in (source, output):
        info, frames = read(path)
        assert (info.width, info.height) == bands[0].size
        assert all(
            np.array_equal(p.samples, np.asarray(b)) for p, b in zip(frames[0].planes, bands, strict=True)
        )


def _transposed(image: Image.Image, orientation: int) -> Image.Image:
    how = Image.Transpose
    turn = [None, how.FLIP_LEFT_RIGHT, how.ROTATE_180, how.FLIP_TOP_BOTTOM, how.TRANSPOSE]
    turn += [how.ROTATE_270, how.TRANSVERSE, how.ROTATE_90]
    method = turn[orientation - 1]
    return image if method is None else image.transpose(method)


def test_nothing_hidden_goes_on_and_nothing_visible_escapes_the_detectors(tmp_path: Path) -> None:
    face = picture(20, 16)
    for alpha, shown in [(0, False), (1, True), (255, True)]:
        source, output = tmp_path / f"in{alpha}.png", tmp_path / f"out{alpha}.png"
        samples = np.dstack([face, np.full((16, 20), alpha, np.uint8)])
        Image.fromarray(samples).save(source)
        frame = read(source)[1][0]
        assert np.array_equal(frame.bgr()[..., ::-1], face) is shown
        copy(source, output)
        with Image.open(output) as after:
            colours = np.asarray(after)[..., :3]
            assert np.array_equal(colours, face if shown else np.zeros_like(face))


def test_a_picture_drawn_in_transparency_alone_is_seen(tmp_path: Path) -> None:
    alpha = picture(20, 16, 1)[..., 0]
    source = tmp_path / "in.png"
    Image.fromarray(np.dstack([np.zeros((16, 20, 3), np.uint8), alpha])).save(source)
    assert np.array_equal(read(source)[1][0].bgr()[..., 0], 255 - alpha)


@pytest.mark.parametrize("name", STILLS)
@pytest.mark.parametrize("size", [(WIDTH, HEIGHT), (17, 12), (1, 1), (100, 80)])
def test_detectors_see_the_picture(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    source = write_sample(name, tmp_path)
    frame = read(source)[1][0]
    seen = frame.bgr(*size)
    assert seen.shape == (size[1], size[0], 3)
    assert seen.dtype == np.uint8
    if size == (WIDTH, HEIGHT) and "alpha" not in name and "rgba" not in name and name != "lossless.webp":
        opened = pillow_heif.open_heif(source).to_pillow() if name.endswith(".heic") else Image.open(source)
        with opened:
            if opened.mode.startswith("I;16"):
                expected = (np.asarray(opened) >> 8)[..., None]
            elif opened.mode in {"I", "F"}:
                return  # stretched to 16 bit: no reference
            else:
                expected = np.asarray(opened.convert("RGB"), int)
        assert np.abs(seen[..., ::-1].astype(int) - expected).mean() < 2.5


def test_planes_are_writable_views_that_do_not_overlap(tmp_path: Path) -> None:
    for name in STILLS:
        for frame in read(write_sample(name, tmp_path))[1]:
            for plane in frame.planes:
                assert plane.samples.flags.writeable
                rows, columns = -(-frame.height // plane.step_y), -(-frame.width // plane.step_x)
                assert plane.samples.shape == (rows, columns)
            first = frame.planes[0]
            before = [plane.samples.copy() for plane in frame.planes]
            first.samples[...] = 255 - (before[0] & 255)
            for plane, old in list(zip(frame.planes, before, strict=True))[1:]:
                assert np.array_equal(plane.samples, old)


@pytest.mark.parametrize("name", ["animated.gif", "animated.png", "animated.webp"])
def test_equal_frames_stay_apart(name: str, tmp_path: Path) -> None:
    """Frames must keep their numbers, which locked pixels are bound to, when covering made them equal."""
    source, output = write_sample(name, tmp_path), tmp_path / f"out-{name}"
    info, frames = read(source)
    with StillWriter(output, info) as writer:
        for frame in frames:
            for plane in frame.planes:
                plane.samples[...] = plane.black
            writer.write(safe(frame))
    assert [f.time for f in read(output)[1]] == [Fraction(0), Fraction(1, 10), Fraction(7, 20)]
    with Image.open(output) as after:
        assert after.n_frames == 3  # type: ignore[attr-defined]


def test_frames_with_clear_parts_do_not_show_the_frame_before(tmp_path: Path) -> None:
    frames = []
    for left in (0, 20):
        samples = np.zeros((30, 40, 4), np.uint8)
        samples[:, left : left + 20] = (200, left, 60, 255)
        frames.append(Image.fromarray(samples))
    for name, clear in [("in.gif", 2), ("in.png", 1), ("in.webp", 2)]:
        source, output = tmp_path / name, tmp_path / f"out-{name}"
        frames[0].save(
            source, save_all=True, append_images=frames[1:], duration=100, disposal=clear, lossless=True
        )
        copy(source, output)
        with Image.open(source) as before, Image.open(output) as after:
            for page in range(2):
                before.seek(page)
                after.seek(page)
                expected = np.asarray(before.convert("RGBA"))
                assert np.array_equal(np.asarray(after.convert("RGBA")), expected)
                assert name == "in.webp" or np.array_equal(expected, np.asarray(frames[page]))


def test_gif_of_many_colours_takes_the_nearest(tmp_path: Path) -> None:
    source, output = write_sample("palette.gif", tmp_path), tmp_path / "out.gif"
    info, frames = read(source)
    assert any("palette" in change for change in info.changes)
    drawn = picture(WIDTH, HEIGHT, 3, seed=5)
    for plane, channel in zip(frames[0].planes, np.moveaxis(drawn, -1, 0), strict=False):
        plane.samples[...] = channel
    with StillWriter(output, info) as writer:
        writer.write(safe(frames[0]))
    with Image.open(output) as after:
        assert np.abs(np.asarray(after.convert("RGB"), int) - drawn).mean() < 8


def test_pages_of_tiff_may_differ(tmp_path: Path) -> None:
    source, output = tmp_path / "in.tiff", tmp_path / "out.tiff"
    first, second = Image.new("RGB", (31, 20), "red"), Image.new("1", (9, 50), 1)
    first.save(source, save_all=True, append_images=[second], compression="tiff_adobe_deflate")
    copy(source, output)
    with Image.open(output) as after:
        assert (after.mode, after.size) == ("RGB", (31, 20))
        after.seek(1)
        assert (after.mode, after.size) == ("1", (9, 50))


def test_lossless_writing_keeps_every_sample(tmp_path: Path) -> None:
    for name in STILLS:
        source = write_sample(name, tmp_path)
        _, frames = read(source, Decode.RGB)
        single = len(frames) == 1 and "cmyk" not in name
        output = tmp_path / f"lossless-{name}.{'png' if single else 'tiff'}"
        write_lossless(output, (safe(frame) for frame in frames))
        _, kept = read(output)
        assert max(difference(a, b) for a, b in zip(frames, kept, strict=True)) == 0, name


def test_lossless_writing_refuses_what_it_cannot_keep(tmp_path: Path) -> None:
    for name, output in [("rgb420.jpg", "a.tiff"), ("pages.tiff", "a.png"), ("cmyk.tiff", "a.png")]:
        _, frames = read(write_sample(name, tmp_path))
        with pytest.raises(OutputError, match=r"ends in \.tiff"):
            write_lossless(tmp_path / output, map(safe, frames))


def test_too_many_pixels_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    for name in STILLS:
        path = write_sample(name, tmp_path)
        with pytest.raises(InputError, match="46 x 34 pixels, more than the limit"):
            StillReader(path, max_pixels=WIDTH * HEIGHT - 1)
        StillReader(path, max_pixels=WIDTH * HEIGHT)


def test_a_hundred_megapixels_need_no_permission_of_pillow(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    Image.new("1", (14000, 13000)).save(path)  # 182 million: Image.open refuses
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        info, frames = read(path)
    assert (info.width, info.height) == (14000, 13000) == (frames[0].width, frames[0].height)


def test_bombs_are_named(tmp_path: Path) -> None:
    bomb = io.BytesIO()
    Image.new("L", (1, 1)).save(bomb, "PNG")
    data = bytearray(bomb.getvalue())
    data[16:24] = (60000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path = tmp_path / "bomb.png"
    path.write_bytes(data)
    with pytest.raises(InputError, match="60000 x 60000 pixels, more than the limit of 200000000") as raised:
        StillReader(path)
    assert "max_pixels" not in str(raised.value), "no option of the program, and none of eyelid.anonymize"


def test_video_and_raw_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.jpg"
    path.write_bytes(b"\x1a\x45\xdf\xa3" + bytes(100))
    with pytest.raises(UnsupportedError, match="is a video"):
        StillReader(path)
    dng = tmp_path / "photo.dng"
    Image.new("RGB", (8, 8)).save(dng, "TIFF", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(UnsupportedError, match="camera raw"):
        StillReader(dng)


def test_writer_wants_all_pages_and_no_more(tmp_path: Path) -> None:
    info, frames = read(write_sample("pages.tiff", tmp_path))
    writer = StillWriter(tmp_path / "few.tiff", info)
    writer.write(safe(frames[0]))
    with pytest.raises(OutputError, match="1 of 3 pages"):
        writer.close()
    with StillWriter(tmp_path / "many.tiff", info) as writer:
        for frame in frames:
            writer.write(safe(frame))
        with pytest.raises(OutputError, match="one more came"):
            writer.write(safe(frames[0]))


def test_no_space_left_is_said_by_its_errno(tmp_path: Path) -> None:
    info, frames = read(write_sample("rgb.png", tmp_path))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(OSError, match="too large") as caught, StillWriter(tmp_path / "o.png", info) as w:
            w.write(safe(frames[0]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG


def test_what_an_encoder_cannot_do_is_one_sentence(tmp_path: Path) -> None:
    info, frames = read(write_sample("lossless.webp", tmp_path))
    wide = tuple(replace(p, samples=np.zeros((1, 16384), np.uint8)) for p in frames[0].planes)
    frame = replace(frames[0], planes=wide)
    with (
        pytest.raises(OutputError, match=r"out\.webp cannot be encoded as WEBP"),
        StillWriter(tmp_path / "out.webp", info) as writer,
    ):
        writer.write(safe(frame))


def test_webp_keeps_hidden_black_black(tmp_path: Path) -> None:
    """Without its word for it libwebp fills hidden pixels with colours of their neighbours."""
    samples = np.dstack([picture(16, 64), np.full((64, 16), 255, np.uint8)])
    samples[::2, :, 3] = 0
    source, output = tmp_path / "in.webp", tmp_path / "out.webp"
    Image.fromarray(samples).save(source, lossless=True, exact=True)
    copy(source, output)
    with Image.open(output) as after:
        assert not np.asarray(after.convert("RGBA"))[::2].any()


def test_an_animation_cut_between_two_frames_is_refused(tmp_path: Path) -> None:
    path = write_sample("animated.gif", tmp_path)
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"!\xf9\x04")])
    with pytest.raises(InputError, match="cut short"):
        StillReader(path)


@pytest.mark.parametrize("finished", [True, False])
def test_the_collector_may_close_a_tiff_once_more(finished: bool, tmp_path: Path) -> None:
    """It does, and since Python 3.13 what that raises stands on stderr."""
    info, frames = read(write_sample("pages.tiff", tmp_path))
    writer = StillWriter(tmp_path / "b.tiff", info)
    for frame in frames:
        writer.write(safe(frame))
    if finished:
        writer.close()
    else:
        writer.abandon()
    assert writer._tiff is not None
    writer._tiff.close()
