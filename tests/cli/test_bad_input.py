"""Whatever is given: one sentence that says what to do, an exit code, no file, the input untouched."""

from __future__ import annotations

import resource
import signal
import struct
import zlib
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from PIL import Image

from eyelid.jobs.anonymizer import Anonymizer
from eyelid.jobs.batch import attempt
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import Outcome, Task
from tests.canary import Scene, pictures, save_scene, save_still

from .program import SPOT, names, run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .program import Here

SCENE = Scene()


def png_of(width: int, height: int, *, filled: bool) -> bytes:
    """Return a black PNG of one bit a pixel; without its pixels where not ``filled``."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    squeezed = zlib.compressobj(1)
    row = bytes(1 + (width + 7) // 8)
    rows = height if filled else 1
    data = b"".join([*(squeezed.compress(row) for _ in range(rows)), squeezed.flush()])
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def without_frames(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()


def sound_alone(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        assert isinstance(stream, av.AudioStream)
        for number in range(10):
            frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
            frame.sample_rate, frame.pts = 48000, number * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def half(path: Path) -> None:
    whole = save_scene(path.with_name("whole" + path.suffix), SCENE, 8)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    whole.unlink()


def half_still(path: Path) -> None:
    save_still(path, SCENE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.jpg": (lambda path: path.touch(), "empty"),
    "empty.mp4": (lambda path: path.touch(), "empty"),
    "text.jpg": (lambda path: path.write_text("no picture " * 99), ""),
    "text.mp4": (lambda path: path.write_text("no video " * 99), ""),
    "zeros.png": (lambda path: path.write_bytes(bytes(5000)), ""),
    "noise.mp4": (lambda path: path.write_bytes(np.random.default_rng(1).bytes(5000)), ""),
    "half.jpg": (half_still, ""),
    "half.png": (half_still, ""),
    "half.mp4": (half, ""),
    "half.webm": (half, ""),
    "no_frames.mp4": (without_frames, ""),
    "sound.mp4": (sound_alone, ""),
    "bomb.png": (lambda path: path.write_bytes(png_of(60_000, 60_000, filled=False)), "pixels"),
    "archive.zip": (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(200)), ""),
    "page.pdf": (lambda path: path.write_bytes(b"%PDF-1.7\n" + bytes(200)), ""),
    "drawing.svg": (lambda path: path.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>"), ""),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_sentence_and_no_output(name: str, here: Here, tmp_path: Path) -> None:
    write, word = BAD[name]
    path = tmp_path / name
    write(path)
    before = path.read_bytes()
    done = here("anonymize", path, *SPOT)
    assert done.code == 1
    assert done.out == ""
    assert name in done.sentence
    assert word in done.sentence
    assert path.read_bytes() == before
    assert names(tmp_path) == {name}


@pytest.mark.parametrize("command", ["anonymize", "detect"])
def test_a_missing_file(command: str, here: Here, tmp_path: Path) -> None:
    done = here(command, tmp_path / "none.mp4", *SPOT)
    assert done.code == 1
    assert "none.mp4 does not exist; check" in done.sentence
    assert names(tmp_path) == set()


def test_an_unreadable_file(here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may read anything, so the refusal is played where files are opened."""
    from pathlib import Path as RealPath

    path = save_still(tmp_path / "a.png", SCENE)
    real = RealPath.open

    def refuse(self: Path, *arguments: object, **options: object) -> object:
        if self == path:
            raise PermissionError(13, "Permission denied", str(self))
        return real(self, *arguments, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(RealPath, "open", refuse)
    done = here("anonymize", path, *SPOT)
    assert done.code == 1
    assert "a.png may not be read; check its permissions" in done.sentence
    assert names(tmp_path) == {"a.png"}


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 7), (3, 1), (17, 31), (255, 3)])
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".gif", ".mp4", ".mkv"])
def test_odd_sizes_work(suffix: str, width: int, height: int, here: Here, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix in {".mp4", ".mkv"}:
        encoder, options = ("libx264rgb", {}) if suffix == ".mp4" else ("ffv1", {"level": "1"})
        with av.open(str(path), "w") as container:
            stream = container.add_stream(encoder, rate=25, options=options)
            assert isinstance(stream, VideoStream)
            stream.width, stream.height = width, height
            stream.pix_fmt = "rgb24" if suffix == ".mp4" else "yuv420p"
            for _ in range(3):
                frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), 99, np.uint8), "rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        Image.new("RGB", (width, height), (9, 99, 200)).save(path)
    done = here("anonymize", path, *SPOT)
    assert done.code == 0, done.err
    (output,) = (tmp_path / name for name in names(tmp_path) if ".anon" in name and "evidence" not in name)
    made = pictures(output)
    assert len(made) == len(pictures(path))
    assert made[0].shape[0] in {height, height + 1}


def test_a_hundred_megapixels_work(here: Here, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(png_of(10_000, 10_000, filled=True))
    done = here("anonymize", path, *SPOT[:2], "--detector", "tests.cli.test_bad_input:corner:face")
    assert done.code == 0, done.err
    assert done.err == ""
    width, height = struct.unpack(">II", (tmp_path / "large.anon.png").read_bytes()[16:24])
    assert (width, height) == (10_000, 10_000)


def corner(_: object) -> object:
    from tests.canary import Spotted

    return Spotted([(0, 0, 50, 50)])


def test_an_output_that_exists_is_kept_without_force(here: Here, tmp_path: Path) -> None:
    path = save_still(tmp_path / "a.png", SCENE)
    (tmp_path / "a.anon.png").write_bytes(b"precious")
    done = here("anonymize", path, *SPOT)
    assert done.code == 1
    assert "--force" in done.sentence
    assert (tmp_path / "a.anon.png").read_bytes() == b"precious"
    assert names(tmp_path) == {"a.png", "a.anon.png"}
    assert here("anonymize", path, *SPOT, "--force").code == 0
    assert len(pictures(tmp_path / "a.anon.png")) == 1


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
def test_the_input_is_never_the_output(link: str | None, here: Here, tmp_path: Path) -> None:
    path = save_still(tmp_path / "a.png", SCENE)
    before = path.read_bytes()
    output = path if link is None else tmp_path / "b.png"
    if link == "symbolic":
        output.symlink_to(path)
    elif link == "hard":
        output.hardlink_to(path)
    done = here("anonymize", path, "-o", output, *SPOT, "--force")
    assert done.code == 1
    assert "input itself" in done.sentence
    assert path.read_bytes() == before


def test_evidence_goes_beside_what_is_there_already(here: Here, tmp_path: Path) -> None:
    """The job chooses this name by itself, and it may meet files of the user, the input even."""
    path = save_still(tmp_path / "a.png", SCENE)
    source = path.rename(tmp_path / "b.evidence.json")
    before = source.read_bytes()
    assert here("anonymize", source, "-o", tmp_path / "b.png", *SPOT).code == 0
    assert source.read_bytes() == before
    assert names(tmp_path) == {"b.evidence.json", "b.png", "b.png.evidence.json"}
    assert here("verify", tmp_path / "b.png").code == 0


@pytest.mark.parametrize("together", [True, False])
def test_outputs_that_differ_by_suffix_have_each_their_evidence(
    together: bool, here: Here, tmp_path: Path
) -> None:
    sources = [save_still(tmp_path / f"a.{suffix}", SCENE) for suffix in ("png", "jpg", "gif")]
    for given in [sources] if together else [[source] for source in sources]:
        assert here("anonymize", *given, *SPOT).code == 0
    for source in sources:
        assert here("verify", tmp_path / f"a.anon{source.suffix}").code == 0
        assert here("anonymize", source, *SPOT, "--force").code == 0
    for source in sources:
        assert here("verify", tmp_path / f"a.anon{source.suffix}").code == 0
    assert len(names(tmp_path)) == 9


def test_two_sources_never_become_one_output(here: Here, tmp_path: Path) -> None:
    for name in ("one", "two", "out"):
        (tmp_path / name).mkdir()
    first, second = (
        save_still(tmp_path / "one" / "a.png", SCENE),
        save_still(tmp_path / "two" / "a.png", SCENE),
    )
    done = here("anonymize", first, second, "-o", tmp_path / "out", *SPOT, "--force")
    assert done.code == 2
    assert "2 sources would become" in done.sentence
    assert names(tmp_path) == {"one/a.png", "two/a.png"}


def test_a_sidecar_never_replaces_the_input(here: Here, tmp_path: Path) -> None:
    assert here("keygen", tmp_path / "k").code == 0
    source = save_still(tmp_path / "a.png", SCENE).rename(tmp_path / "b.png.lock")
    before = source.read_bytes()
    options = ("--method", "lock", "--key", tmp_path / "k", "--force")
    done = here("anonymize", source, "-o", tmp_path / "b.png", *SPOT, *options)
    assert done.code == 1
    assert "input itself" in done.sentence
    assert source.read_bytes() == before
    assert names(tmp_path) == {"k", "b.png.lock"}


def test_detections_never_replace_the_input(here: Here, tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    before = source.read_bytes()
    done = here("detect", source, "-o", source, *SPOT, "--force")
    assert done.code == 1
    assert "input itself" in done.sentence
    assert source.read_bytes() == before


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("none/b.png", "does not exist; create it"),
        ("a.png/b.png", "a.png"),
        ("x" * 300 + ".png", "too long"),
    ],
)
def test_places_that_cannot_take_an_output(output: str, words: str, here: Here, tmp_path: Path) -> None:
    path = save_still(tmp_path / "a.png", SCENE)
    done = here("anonymize", path, "-o", tmp_path / output, *SPOT)
    assert done.code == 1
    assert words in done.sentence
    assert names(tmp_path) == {"a.png"}


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".mp4", ".webm", ".gif"])
@pytest.mark.parametrize("space", [0, 600, 2000])
def test_no_space_left(suffix: str, space: int, tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk."""
    given, out = tmp_path / "in", tmp_path / "out"
    given.mkdir()
    out.mkdir()
    if suffix in {".mp4", ".webm"}:
        path = save_scene(given / f"a{suffix}", SCENE, 20)
    else:
        path = save_still(given / f"a{suffix}", SCENE)
    before = path.read_bytes()

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (space, space))

    done = run("anonymize", path, "-o", out / path.name, *SPOT, limit=limit)
    assert done.code == 1
    assert "space" in done.sentence
    assert str(out / path.name) in done.sentence
    assert names(out) == set()
    assert path.read_bytes() == before


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "target": (("--targets", "nose"), "face"),
    "no target": (("--targets", ","), "targets"),
    "method": (("--method", "smear"), "solid"),
    "method's parameter": (("--method", "pixelate:0"), "cells"),
    "unknown parameter": (("--method", "solid:9"), "solid"),
    "lock without a key": (("--method", "lock"), "key"),
    "quality": (("--quality", "best"), "balanced"),
    "shape": (("--shape", "star"), "ellipse"),
    "negative margin": (("--margin", "-0.1"), "margin"),
    "endless margin": (("--margin", "inf"), "margin"),
    "margin that is no number": (("--margin", "wide"), "margin"),
    "on-lost": (("--on-lost", "panic"), "hold"),
    "audio": (("--audio", "louder"), "drop"),
    "crf": (("--crf", "99"), "crf"),
    "device": (("--device", "tpu"), "cpu"),
    "threads": (("--threads", "0"), "threads"),
    "workers": (("--workers", "0"), "workers"),
    "unknown option": (("--nonsense",), "nonsense"),
    "detector": (("--detector", "x.onnx:nose"), "face"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_exit_code_2(name: str, here: Here, tmp_path: Path) -> None:
    options, word = WRONG[name]
    path = save_still(tmp_path / "a.png", SCENE)
    done = here("anonymize", path, *options)
    assert done.code == 2
    assert word in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
    assert names(tmp_path) == {"a.png"}


@pytest.mark.parametrize(
    "arguments",
    [("anonymize",), ("nonsense",), ("unlock", "a"), ("detect", "a.png", "--format", "xml"), ("verify",)],
)
def test_incomplete_commands_are_exit_code_2(arguments: tuple[str, ...], here: Here) -> None:
    done = here(*arguments)
    assert done.code == 2
    assert done.err


def test_several_files_need_a_folder_for_their_output(here: Here, tmp_path: Path) -> None:
    first, second = save_still(tmp_path / "a.png", SCENE), save_still(tmp_path / "b.png", SCENE)
    assert here("anonymize", first, second, "-o", tmp_path / "c.png", *SPOT).code == 2
    (tmp_path / "sub").mkdir()
    assert here("anonymize", first, tmp_path / "sub", *SPOT).code == 2
    assert names(tmp_path) == {"a.png", "b.png"}


def test_one_bad_file_of_several_does_not_stop_the_others(here: Here, tmp_path: Path) -> None:
    good = save_still(tmp_path / "good.png", SCENE)
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:200])
    done = here("anonymize", bad, good, *SPOT)
    assert done.code == 1
    assert "bad.png" in done.sentence
    assert names(tmp_path) == {"good.png", "bad.png", "good.anon.png", "good.anon.evidence.json"}


@pytest.mark.parametrize(
    "where", ["eyelid.jobs.anonymizer.cover", "eyelid.cli.report.tasks_for", "eyelid.jobs.run.in_turn"]
)
def test_an_unexpected_error_is_one_sentence_without_its_message(
    where: str, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr(where, fail)
    path = save_still(tmp_path / "a.png", SCENE)
    done = here("anonymize", path, *SPOT)
    assert done.code == 1
    assert "ZeroDivisionError" in done.sentence
    assert "SECRET" not in done.err + done.out
    assert names(tmp_path) == {"a.png"}


def test_for_debugging_the_error_of_a_file_comes_out_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Anonymizer, "run", fail)
    anonymizer, task = Anonymizer(Settings()), Task(tmp_path / "a", tmp_path / "b", tmp_path / "c", "a")
    assert attempt(anonymizer, task).outcome is Outcome.FAILED
    monkeypatch.setenv("EYELID_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        attempt(anonymizer, task)
