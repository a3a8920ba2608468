"""What cannot be read or written as asked for: the sentence names the option or file, and what to choose."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_type_hints

import pytest

from eyelid.cli.app import app
from tests.canary import Scene, save_scene, save_still
from tests.media.samples import damaged_tiff

from .program import SPOT, names, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    import typer
    from typer.models import ParameterInfo

    from .program import Here

SCENE = Scene()

ENCODERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "no such encoder": (("--encoder", "nonsense"), ("'nonsense'", "--encoder", "libx264")),
    "an encoder of sound": (("--encoder", "aac"), ("aac", "--encoder", "libx264")),
    "no such preset": (("--preset", "nonsense"), ("--preset nonsense", "ultrafast", "veryfast", "placebo")),
    "no such preset of another": (
        ("--encoder", "libx265", "--preset", "nonsense"),
        ("--preset nonsense", "libx265", "veryfast"),
    ),
    "a preset that is a number": (
        ("--encoder", "libsvtav1", "--preset", "fast"),
        ("--preset fast", "libsvtav1", "from -2 to 13"),
    ),
    "a number out of bounds": (
        ("--encoder", "libvpx-vp9", "--preset", "9"),
        ("--preset 9", "libvpx-vp9", "from -8 to 8"),
    ),
    "a quality out of bounds": (("--crf", "52"), ("--crf 52", "libx264", "0 to 51")),
    "no presets": (("--encoder", "mpeg4", "--preset", "fast"), ("mpeg4", "leave out --preset")),
    "no constant quality": (("--encoder", "mpeg4", "--crf", "9"), ("mpeg4", "leave out --crf")),
    "a container that cannot hold it": (("--encoder", "prores_ks"), (".mp4", "prores_ks", "--encoder")),
    "settings that it refuses": (("--encoder", "mjpeg"), (".mp4", "mjpeg", "--encoder")),
    "hardware that is not there": (("--encoder", "h264_qsv"), ("h264_qsv", "--encoder")),
}


@pytest.mark.parametrize("name", ENCODERS)
def test_encoding_that_cannot_be_had_names_the_option(name: str, here: Here, tmp_path: Path) -> None:
    options, words = ENCODERS[name]
    path = save_scene(tmp_path / "a.mp4", SCENE, 3)
    done = here("anonymize", path, *SPOT, *options)
    assert done.code == 2
    for word in words:
        assert word in done.sentence
    for internal in ("params", "a53cc", "row-mt", "deadline"):
        assert internal not in done.sentence
    assert names(tmp_path) == {"a.mp4"}


@pytest.mark.parametrize(
    ("source", "output", "words"),
    [
        ("a.png", "b.jpg", "would hold a PNG, as"),
        ("a.jpg", "b.png", "would hold a JPEG, as"),
        ("a.png", "b", "ends in .png"),
        ("a.png", "b.mp4", "ends in .png"),
        ("a.mp4", "b", ".mkv"),
        ("a.mp4", "b.png", ".mkv"),
    ],
)
def test_an_output_named_as_another_format_is_wrong_usage(
    source: str, output: str, words: str, here: Here, tmp_path: Path
) -> None:
    (save_scene(tmp_path / source, SCENE, 3) if source == "a.mp4" else save_still(tmp_path / source, SCENE))
    done = here("anonymize", tmp_path / source, "-o", tmp_path / output, *SPOT)
    assert done.code == 2
    assert str(tmp_path / output) in done.sentence
    assert words in done.sentence
    assert ".partial" not in done.sentence
    assert names(tmp_path) == {source}


def test_a_video_with_a_foreign_suffix_does_not_stop_its_folder(here: Here, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save_still(folder / "z.png", SCENE)
    save_scene(folder / "a.mp4", SCENE, 3).rename(folder / "a.3gp")
    done = here("anonymize", folder, "-o", out, *SPOT)
    assert done.code == 0
    assert "a.3gp" in done.sentence
    assert ".mp4" in done.sentence
    assert "1 done, 1 unsupported" in done.out
    assert names(out) == {"z.png", "z.png.evidence.json"}
    done = here("anonymize", folder / "a.3gp", *SPOT)
    assert done.code == 1
    assert here("anonymize", folder / "a.3gp", "-o", tmp_path / "b.mp4", *SPOT).code == 0


@pytest.mark.parametrize("source", ["a.png", "a.mp4"])
def test_a_place_that_takes_no_new_files(source: str, here: Here, tmp_path: Path) -> None:
    """In /proc even root creates nothing; the system says that the file is not there."""
    path = tmp_path / source
    (save_scene(path, SCENE, 3) if source == "a.mp4" else save_still(path, SCENE))
    output = Path("/proc") / f"x{path.suffix}"
    done = here("anonymize", path, "-o", output, *SPOT)
    assert done.code == 1
    assert str(output) in done.sentence
    assert "choose another" in done.sentence
    assert "partial" not in done.sentence
    assert "rrno" not in done.sentence


def test_libraries_do_not_speak_for_themselves(tmp_path: Path) -> None:
    """What libtiff and x264 write on stderr by themselves has no place between our sentences."""
    done = run("anonymize", damaged_tiff(tmp_path / "a.tiff"), *SPOT)
    assert done.code == 1
    assert "a.tiff is damaged" in done.sentence
    done = run("anonymize", save_scene(tmp_path / "a.mp4", SCENE, 3), *SPOT, "--preset", "nonsense")
    assert done.code == 2
    assert done.sentence


def path_parameters(group: typer.Typer) -> Iterator[tuple[str, ParameterInfo]]:
    for command in group.registered_commands:
        assert command.callback is not None
        for name, hint in get_type_hints(command.callback, include_extras=True).items():
            if "Path" in str(getattr(hint, "__origin__", "")):
                yield f"{command.callback.__module__}.{name}", hint.__metadata__[0]
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from path_parameters(inner.typer_instance)


def test_an_unreadable_file_is_not_called_wrong_usage() -> None:
    """Root may read anything, so this looks at what the parser would refuse before we can say what to do."""
    found = dict(path_parameters(app))
    assert len(found) > 30
    assert [name for name, parameter in found.items() if parameter.readable] == []
