"""What was inside a truth box is nowhere afterwards: not in the output, beside it, or in what is said."""

from __future__ import annotations

import io
import logging
import shutil
import tempfile
from typing import TYPE_CHECKING

import pytest
from PIL import Image

import eyelid
from eyelid.errors import EyelidError
from eyelid.obfuscate.keys import generate_key
from tests.canary import (
    HIDDEN,
    LOSSLESS,
    SHOWN,
    Scene,
    Watch,
    correlation,
    needles,
    pictures,
    save_scene,
    save_still,
)

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.jobs.progress import Progress

METHODS = ("solid", "pixelate", "blur", "lock")
COUNT = 12
SCENE = Scene()


def write(path: Path, scene: Scene) -> Path:
    if path.suffix in {".mp4", ".webm", ".mkv", ".mov"}:
        return save_scene(path, scene, COUNT)
    return save_still(path, scene, COUNT if path.suffix in {".gif", ".webp"} else 1)


def method(name: str, folder: Path) -> str:
    """Spell a method; lock gets a new key outside of the folders that are watched."""
    if name != "lock":
        return name
    key = folder / "my.key"
    if not key.exists():
        generate_key(key)
    return f"lock:{key}"


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("file", ["a.jpg", "a.png", "a.gif", "a.webp", "a.tiff", "a.mp4", "a.webm"])
def test_nothing_of_a_canary_is_anywhere(
    file: str,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    given, out, temp, here = (tmp_path / part for part in ("in", "out", "temp", "cwd"))
    for folder in (given, out, temp, here):
        folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.chdir(here)
    caplog.set_level(logging.DEBUG)
    source = write(given / file, SCENE)
    wanted = needles(source, SCENE)
    watch = Watch([given, out, temp, here], wanted, spare=[source])
    shutil.copy(source, before := tmp_path / f"before-{file}")

    def listen(_: Progress) -> None:
        watch.look()

    result = eyelid.anonymize(
        source,
        out / file,
        targets=["face"],
        method=method(name, tmp_path),
        detectors=[SCENE.detector()],
        listener=listen,
    )
    watch.look()
    said = capfd.readouterr()
    watch.search("stdout", said.out.encode())
    watch.search("stderr", said.err.encode())
    watch.search("log", caplog.text.encode())
    assert watch.found == []
    assert watch.looks > len(pictures(source))
    assert any(".partial" in seen for seen in watch.names), "the search never saw the half-written output"
    assert source.read_bytes() == before.read_bytes()
    assert list(temp.iterdir()) == list(here.iterdir()) == []
    beside = {f"{file}.lock"} if name == "lock" else set()
    assert {path.name for path in out.iterdir()} == {file, "a.evidence.json"} | beside

    shown, hidden = pictures(source), pictures(result.output)
    assert len(shown) == len(hidden)
    for raw, safe in zip(shown, hidden, strict=True):
        assert safe.shape == raw.shape
        for seed in SCENE.hidden:
            assert correlation(raw, seed) > SHOWN
            assert correlation(safe, seed) < HIDDEN
        assert SCENE.open is not None
        assert correlation(safe, SCENE.open) > SHOWN


def test_the_search_finds_a_canary_in_any_spelling(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    watch = Watch([tmp_path], needles(source, SCENE), spare=[source])
    watch.look()
    assert watch.found == []
    bitmap = io.BytesIO()
    Image.open(source).save(bitmap, "PPM")
    raw = bitmap.getvalue()
    for name, content in [("ppm", raw), ("hex", raw.hex().encode()), ("log", repr(raw).encode())]:
        watch.search(name, content)
    assert watch.found == ["ppm", "hex"]


@pytest.mark.parametrize("name", ["solid", "pixelate", "blur"])
@pytest.mark.parametrize("file", ["a.png", "a.mp4"])
def test_the_output_does_not_depend_on_what_is_hidden(file: str, name: str, tmp_path: Path) -> None:
    """Two inputs that agree outside the truth boxes become the same bytes: nothing gets through."""
    made = []
    for number, seeds in enumerate([(1, 2), (3, 4)]):
        folder = tmp_path / str(number)
        folder.mkdir()
        scene = Scene(hidden=seeds)
        if file.endswith(".mp4"):
            source = save_scene(folder / file, scene, COUNT, options=LOSSLESS)
        else:
            source = save_still(folder / file, scene)
        result = eyelid.anonymize(source, targets=["face"], method=name, detectors=[scene.detector()])
        made.append((source.read_bytes(), result.output.read_bytes()))
    assert made[0][0] != made[1][0]
    assert made[0][1] == made[1][1]


def test_what_a_failing_detector_says_is_nowhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """An exception may quote what the detector read: its message goes nowhere."""
    caplog.set_level(logging.DEBUG)
    source = save_scene(tmp_path / "a.mp4", SCENE, 4)
    detector = SCENE.detector()

    def fail(_: object) -> list[object]:
        raise EyelidError("the plate reads SECRET-4711")

    detector.detect = fail  # type: ignore[method-assign,assignment]
    result = eyelid.anonymize(source, targets=["face"], detectors=[detector])
    said = capfd.readouterr()
    told = result.task.evidence.read_text() + said.out + said.err + caplog.text
    assert "SECRET" not in told
    assert "EyelidError" in told
