"""Ended at any moment, by any signal: a whole output or none, the input untouched, nothing raw left."""

from __future__ import annotations

import hashlib
import random
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

import eyelid
from eyelid.evidence.verify import Verification
from tests.canary import HIDDEN, Scene, Watch, correlation, needles, pictures, save_scene, save_still

from .program import SPOT, names, run, signal_all, start

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

KILLS = 20
MOST_KILLS = 200
"""Where the machine gets faster or slower meanwhile, it takes more to meet a half-written output."""
PARTIAL = re.compile(r"(.*/)?\.[^/]+\.[0-9a-f]{8}\.partial\.[a-z0-9]+")
SCENE = Scene(width=320, height=240, open=None)
FRAMES = 60
LONG = 600
"""Frames that take seconds: whoever saw the output begin to be written stops it before its end."""
FOLDER = {"a.jpg", "b.png", "c/d.gif", "c/e.mp4", "f.png"}


def digest(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names(folder)}


def assert_whole(output: Path, source: Path) -> None:
    """Check that an output is complete, hides everything and is the one its evidence speaks of."""
    made = pictures(output)
    assert len(made) == len(pictures(source))
    for picture in made[:: max(1, len(made) // 4)]:
        assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)
    verification = eyelid.verify(output)
    assert verification.ok
    assert isinstance(verification, Verification)
    assert verification.evidence.frames.total == len(made)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_scene(tmp_path_factory.mktemp("clip") / "a.mp4", SCENE, FRAMES)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_scene(tmp_path_factory.mktemp("film") / "a.mp4", SCENE, LONG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("folder")
    (made / "c").mkdir()
    for name in FOLDER:
        if name.endswith(".mp4"):
            save_scene(made / name, SCENE, FRAMES // 2)
        else:
            save_still(made / name, SCENE, 4 if name.endswith(".gif") else 1)
    return made


def seconds(*arguments: str | Path) -> float:
    """Return how long a whole run takes."""
    began = time.monotonic()
    assert run(*arguments).code == 0
    return time.monotonic() - began


def until_partial(out: Path, process: subprocess.Popen[str]) -> bool:
    """Wait until the output is being written; False where the run ended before."""
    while process.poll() is None:
        if any(PARTIAL.fullmatch(name) for name in names(out)):
            return True
        time.sleep(0.002)
    return False


def kill_at(moment: float, out: Path, process: subprocess.Popen[str], *, writing: bool) -> None:
    """Send SIGKILL after ``moment`` seconds, counted from the first sign of an output where ``writing``."""
    if writing:
        until_partial(out, process)
    time.sleep(moment)
    process.kill()
    process.communicate()


def test_a_clip_killed_at_random_moments(clip: Path, tmp_path: Path) -> None:
    chance = random.Random(11)
    out = tmp_path / "out"
    out.mkdir()
    arguments: tuple[str | Path, ...] = ("anonymize", clip, "-o", out / "a.mp4", *SPOT)
    whole = seconds(*arguments)
    assert_whole(out / "a.mp4", clip)
    before = digest(clip.parent)
    watch = Watch([out], needles(clip, SCENE), spare=[])
    halves = 0
    for number in range(MOST_KILLS):
        if number >= KILLS and halves >= 3:
            break
        for path in out.iterdir():
            if not PARTIAL.fullmatch(path.name):
                path.unlink()
        writing = number % 2 == 1
        kill_at(chance.uniform(0, whole * (0.4 if writing else 1.1)), out, start(*arguments), writing=writing)
        left = {name for name in names(out) if not PARTIAL.fullmatch(name)}
        assert left in (set(), {"a.evidence.json"}, {"a.mp4", "a.evidence.json"})
        halves += left != {"a.mp4", "a.evidence.json"} and any(PARTIAL.fullmatch(name) for name in names(out))
        if "a.mp4" in left:
            assert_whole(out / "a.mp4", clip)
        watch.look()
    assert halves >= 3, "hardly any kill met a half-written output: the test proves nothing"
    assert watch.found == []
    assert digest(clip.parent) == before
    assert run(*arguments, "--force").code == 0
    assert names(out) == {"a.mp4", "a.evidence.json"}
    assert_whole(out / "a.mp4", clip)


def killed_folder_runs(folder: Path, tmp_path: Path, kills: int, *options: str) -> None:
    chance = random.Random(13)
    out = tmp_path / "out"
    arguments: tuple[str | Path, ...] = ("anonymize", folder, "-o", out, *SPOT, *options)
    whole = seconds(*arguments)
    before = digest(folder)
    expected = digest(out)
    for number in range(kills):
        if number % 3 == 0:
            shutil.rmtree(out, ignore_errors=True)
        out.mkdir(exist_ok=True)
        process = start(*arguments, session=True)
        if number % 2:
            until_partial(out, process)
        time.sleep(chance.uniform(0, whole * 0.7))
        if process.poll() is None:
            signal_all(process, signal.SIGKILL)
        process.communicate()
        for name in names(out):
            if PARTIAL.fullmatch(name) or name.endswith(".evidence.json"):
                continue
            assert name in FOLDER
            assert_whole(out / name, folder / name)
    last = run(*arguments)
    assert last.code == 0, last.err
    assert digest(folder) == before
    assert names(out) == {f"{name}{end}" for name in FOLDER for end in ("", ".evidence.json")}
    assert {name: value for name, value in digest(out).items() if name in FOLDER} == {
        name: value for name, value in expected.items() if name in FOLDER
    }


def test_a_folder_killed_at_random_moments_is_finished_by_the_next_run(folder: Path, tmp_path: Path) -> None:
    killed_folder_runs(folder, tmp_path, 6)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_folder_killed_at_many_random_moments(folder: Path, tmp_path: Path, workers: str) -> None:
    killed_folder_runs(folder, tmp_path, KILLS, "--workers", workers)


def interrupted(
    arguments: tuple[str | Path, ...], out: Path, number: signal.Signals, send: Callable[..., None]
) -> tuple[int, str]:
    """Send a signal while an output is being written; return the exit code and what stderr says."""
    process = start(*arguments, session=True)
    assert until_partial(out, process)
    send(process, number)
    _, err = process.communicate(timeout=120)
    return process.returncode, err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_leaves_nothing_and_says_so(film: Path, tmp_path: Path, number: signal.Signals) -> None:
    arguments: tuple[str | Path, ...] = ("anonymize", film, "-o", tmp_path / "a.mp4", *SPOT)
    code, err = interrupted(arguments, tmp_path, number, signal_all)
    assert code == 128 + number
    assert err.startswith("eyelid: stopped; ")
    assert err.count("\n") == 1
    assert names(tmp_path) == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stopped_folder_run_leaves_only_whole_files(
    folder: Path, film: Path, tmp_path: Path, number: signal.Signals, workers: str
) -> None:
    out, long = tmp_path / "out", tmp_path / "long"
    out.mkdir()
    shutil.copytree(folder, long)
    shutil.copy(film, long / "c" / "e.mp4")
    arguments: tuple[str | Path, ...] = ("anonymize", long, "-o", out, *SPOT, "--workers", workers)
    code, err = interrupted(arguments, out, number, signal_all)
    assert code == 128 + number
    assert err.startswith("eyelid: stopped; ")
    assert err.count("\n") == 1, err
    left = names(out)
    made = {name for name in left if not name.endswith(".evidence.json")}
    assert made < FOLDER
    assert left == {f"{name}{end}" for name in made for end in ("", ".evidence.json")}
    for name in made:
        assert_whole(out / name, long / name)
