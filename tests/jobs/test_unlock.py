"""Locked pixels come back exactly for the holder of the key, and for nobody else."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image, ImageSequence

import eyelid
from eyelid.errors import LockError, OutputError
from eyelid.media.still import Decode, StillReader
from eyelid.media.video import VideoReader
from eyelid.obfuscate.keys import generate_key
from eyelid.types import Quality, Target
from tests.canary import HIDDEN, SHOWN, Scene, Truth, correlation, pictures, save_scene, save_still
from tests.media.clips import VARIABLE, Clip, times
from tests.media.samples import STILLS, write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.jobs.tasks import FileResult
    from eyelid.types import RawFrame
    from tests.canary import Box

SCENE = Scene()


def middle(frame: RawFrame) -> list[Box]:
    return [(frame.width // 4, frame.height // 4, frame.width * 3 // 4, frame.height * 3 // 4)]


def lock(source: Path, detector: Truth) -> FileResult:
    key = source.with_name("my.key")
    if not key.exists():
        generate_key(key)
    return eyelid.anonymize(source, targets=["face"], method=f"lock:{key}", detectors=[detector])


def planes(path: Path, box: slice = slice(None)) -> list[np.ndarray]:
    with VideoReader(path) as reader:
        return [plane.samples[box].copy() for frame in reader for plane in frame.planes]


def regions_of(path: Path, still: bool) -> list[np.ndarray]:
    """Return the samples inside the truth boxes, as the file decodes."""
    found = []
    with StillReader(path, decode=Decode.RGB) if still else VideoReader(path) as reader:
        for frame in reader:
            for x0, y0, x1, y1 in SCENE.boxes(frame.index):
                for plane in frame.planes:
                    x, y = plane.step_x, plane.step_y
                    found.append(plane.samples[y0 // y : y1 // y, x0 // x : x1 // x].copy())
    return found


@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.gif", "a.webp", "a.tiff", "a.mp4", "a.webm"])
def test_exact_pixels_come_back(file: str, tmp_path: Path) -> None:
    still = not file.endswith(("mp4", "webm"))
    if still:
        source = save_still(tmp_path / file, SCENE, 3 if file.endswith((".gif", ".webp")) else 1)
    else:
        source = save_scene(tmp_path / file, SCENE, 8)
    result = lock(source, SCENE.detector())
    for picture in pictures(result.output):
        assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)
    restored = eyelid.unlock(result.output, tmp_path / "my.key")
    before, after = regions_of(source, still), regions_of(restored, still)
    assert len(before) == len(after) > 0
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    if not still:
        assert times(restored) == times(source)


def test_a_jpeg_comes_back_as_pillow_decodes_it(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.jpg", SCENE)
    result = lock(source, SCENE.detector())
    restored = eyelid.unlock(result.output, tmp_path / "my.key")
    assert restored.suffix == ".png"
    before, after = (np.asarray(Image.open(path).convert("RGB")) for path in (source, restored))
    for x0, y0, x1, y1 in SCENE.boxes(0):
        assert np.array_equal(before[y0:y1, x0:x1], after[y0:y1, x0:x1])


def test_a_gif_comes_back_as_pillow_decodes_it(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.gif", SCENE, 3)
    restored = eyelid.unlock(lock(source, SCENE.detector()).output, tmp_path / "my.key")
    with Image.open(source) as given, Image.open(restored) as made:
        for index, (a, b) in enumerate(
            zip(ImageSequence.Iterator(given), ImageSequence.Iterator(made), strict=True)
        ):
            before, after = np.asarray(a.convert("RGB")), np.asarray(b.convert("RGB"))
            for x0, y0, x1, y1 in SCENE.boxes(index):
                assert np.array_equal(before[y0:y1, x0:x1], after[y0:y1, x0:x1])


@pytest.mark.parametrize("name", ["rgb16.png", "rgba16.png", "grey16.png", "rgb16.tiff", "grey16.tiff"])
def test_sixteen_bits_come_back(name: str, tmp_path: Path) -> None:
    source = write_sample(name, tmp_path)
    restored = eyelid.unlock(lock(source, Truth(middle)).output, tmp_path / "my.key")
    before, after = (cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (source, restored))
    assert before is not None
    assert after is not None
    assert after.dtype == np.uint16
    assert np.array_equal(before, after)


@pytest.mark.parametrize("name", STILLS)
def test_every_kind_of_still_comes_back(name: str, tmp_path: Path) -> None:
    source = write_sample(name, tmp_path)
    restored = eyelid.unlock(lock(source, Truth(middle)).output, tmp_path / "my.key")
    with StillReader(source, decode=Decode.RGB) as given, StillReader(restored, decode=Decode.RGB) as made:
        for a, b in zip(given, made, strict=True):
            ((x0, y0, x1, y1),) = middle(a)
            depth = 1 + (max(p.peak for p in a.planes) > 255), 1 + (max(p.peak for p in b.planes) > 255)
            assert depth[0] == depth[1]
            assert np.array_equal(a.bgr()[y0:y1, x0:x1], b.bgr()[y0:y1, x0:x1])


@pytest.mark.parametrize(
    "clip",
    [
        Clip(pixel_format="yuv420p10le", frames=8),
        Clip(pixel_format="yuv444p", frames=8),
        Clip(frames=8, rotation=90),
        Clip(frames=len(VARIABLE), times=VARIABLE, audio="aac"),
    ],
    ids=["10 bit", "4:4:4", "turned", "variable rate"],
)
def test_clips_of_any_kind_come_back(clip: Clip, tmp_path: Path) -> None:
    source = clip.write(tmp_path / "a.mp4")
    result = lock(source, Truth(lambda frame: [(-99, -99, frame.width + 99, frame.height + 99)]))
    restored = eyelid.unlock(result.output, tmp_path / "my.key")
    before, after = planes(source), planes(restored)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    moved = [abs(a - b) for a, b in zip(times(restored), times(source), strict=True)]
    assert max(moved) <= Fraction(1, 2000)  # Matroska counts in milliseconds


@pytest.mark.parametrize("file", ["a.png", "a.mp4"])
def test_without_the_right_key_nothing_comes_back(file: str, tmp_path: Path) -> None:
    source = save_still(tmp_path / file, SCENE) if file == "a.png" else save_scene(tmp_path / file, SCENE, 5)
    result = lock(source, SCENE.detector())
    generate_key(tmp_path / "other.key")
    sidecar = result.output.with_name(result.output.name + ".lock")
    content = sidecar.read_bytes()
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(LockError, match="wrong key"):
        eyelid.unlock(result.output, tmp_path / "other.key")
    with pytest.raises(LockError):
        eyelid.unlock(result.output, tmp_path / "none.key")
    sidecar.write_bytes(content[:-9])
    with pytest.raises(LockError):
        eyelid.unlock(result.output, tmp_path / "my.key")
    sidecar.write_bytes(content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :])
    with pytest.raises(LockError):
        eyelid.unlock(result.output, tmp_path / "my.key")
    sidecar.unlink()
    with pytest.raises(LockError, match="missing"):
        eyelid.unlock(result.output, tmp_path / "my.key")
    assert {path.name for path in tmp_path.iterdir()} == before - {sidecar.name}


def test_an_unlocked_copy_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    result = lock(source, SCENE.detector())
    with pytest.raises(OutputError, match="input itself"):
        eyelid.unlock(result.output, tmp_path / "my.key", result.output, force=True)
    eyelid.unlock(result.output, tmp_path / "my.key")
    with pytest.raises(OutputError, match="exists already"):
        eyelid.unlock(result.output, tmp_path / "my.key")
    assert correlation(pictures(tmp_path / "a.unlocked.png")[0], 1) > SHOWN
    assert result.evidence is not None
    assert result.evidence.counts[0].target is Target.FACE
    assert result.evidence.settings.quality is Quality.BALANCED
