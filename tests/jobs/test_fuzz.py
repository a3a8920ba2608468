"""Damaged files: each becomes a whole output with its regions covered, or one sentence and no file."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import EyelidError
from eyelid.evidence.verify import verify
from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import FileResult, Outcome, tasks_for
from eyelid.media.still import StillReader
from eyelid.obfuscate.regions import Coverage
from eyelid.types import Shape, Target
from tests.canary import Scene, Truth, frames, save_scene
from tests.media.samples import STILLS, write_sample
from tests.media.test_fuzz_still import damaged

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import RawFrame
    from tests.canary import Box

ENOUGH = 200
MAX_PIXELS = 30_000_000
"""Bombs that declare more are refused by the reader itself; below this all pages are decoded here."""


def middle(frame: RawFrame) -> list[Box]:
    return [(frame.width // 4, frame.height // 4, frame.width * 3 // 4 + 1, frame.height * 3 // 4 + 1)]


@pytest.fixture(scope="module")
def anonymizer() -> Anonymizer:
    settings = Settings(targets=(Target.FACE,), coverage=Coverage(shape=Shape.BOX, margin=0.0))
    return Anonymizer(settings, [Truth(middle)])


def attempt(anonymizer: Anonymizer, source: Path, output: Path) -> FileResult | str:
    """Anonymise a file; return the sentence where it is refused."""
    (task,) = tasks_for([source], output, force=False)
    try:
        return anonymizer.run(task)
    except EyelidError as error:
        return str(error)


def assert_covered(output: Path, tolerance: int) -> int:
    """Check that the middle of every frame is black; return how many frames there are."""
    count = 0
    for frame in frames(output):
        ((x0, y0, x1, y1),) = middle(frame)
        inner = frame.bgr()[y0:y1, x0:x1]
        edge = 0 if tolerance == 0 else min(4, min(inner.shape[:2]) // 3)
        inner = inner[edge : inner.shape[0] - edge, edge : inner.shape[1] - edge]
        assert int(np.max(inner, initial=0)) <= tolerance
        count += 1
    return count


def tolerance(path: Path) -> int:
    """Return how bright a black region may be after lossy coding; its border is left out there."""
    return {".jpg": 40, ".webp": 40, ".heic": 60, ".mp4": 40, ".webm": 40, ".mkv": 40}.get(path.suffix, 0)


def check(anonymizer: Anonymizer, source: Path, content: bytes, output: Path) -> bool:
    """Anonymise a damaged file and judge what comes of it; return whether there was an output."""
    source.write_bytes(content)
    folders = {source.parent, output.parent}
    before = {path for folder in folders for path in folder.iterdir()}
    result = attempt(anonymizer, source, output)
    made = {path for folder in folders for path in folder.iterdir()} - before
    assert source.read_bytes() == content
    if isinstance(result, str):
        assert made == set()
        assert source.name in result
        assert "\n" not in result
        return False
    assert result.outcome is Outcome.DONE
    assert result.evidence is not None
    assert made == {output, result.task.evidence}
    assert verify(output).ok
    assert output.read_bytes() not in content
    assert assert_covered(output, tolerance(source)) == result.evidence.frames.total
    return True


def test_there_are_enough_damaged_files(tmp_path: Path) -> None:
    assert sum(1 for _ in damaged(bytes(range(256)) * 4, seed=0)) * len(STILLS) >= ENOUGH


@pytest.mark.parametrize("name", STILLS)
def test_a_damaged_still_is_covered_or_refused(
    name: str, anonymizer: Anonymizer, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = write_sample(name, tmp_path).read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    assert check(anonymizer, tmp_path / f"whole-{name}", data, out / f"whole-{name}")
    for number, (kind, content) in enumerate(damaged(data, seed=len(name))):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(content)
        if kind == "huge size" and _pixels(path) > MAX_PIXELS:
            path.unlink()
            continue  # a bomb has its own test
        path.unlink()
        check(anonymizer, path, content, out / path.name)
    said = capfd.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err  # libtiff itself speaks on stderr, in words of the format
    assert "Warning" not in said.err


def _pixels(path: Path) -> int:
    try:
        with StillReader(path) as reader:
            return reader.info.width * reader.info.height
    except EyelidError:
        return 0


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".mkv"])
def test_a_damaged_clip_is_covered_or_refused(suffix: str, anonymizer: Anonymizer, tmp_path: Path) -> None:
    data = save_scene(
        tmp_path / f"a{suffix}", Scene(width=96, height=80, hidden=(1,), open=None), 6
    ).read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    assert check(anonymizer, tmp_path / f"whole{suffix}", data, out / f"whole{suffix}")
    chance = random.Random(5)
    refused = 0
    for number in range(16):
        content = bytearray(data)
        if number % 2:
            del content[chance.randrange(20, len(content)) :]
        else:
            for _ in range(6):
                content[chance.randrange(8, len(content))] ^= 1 << chance.randrange(8)
        path = tmp_path / f"{number}{suffix}"
        refused += not check(anonymizer, path, bytes(content), out / path.name)
    assert refused >= 6, "most cut files must be refused"
