"""What the program says: results on stdout, complaints on stderr, JSON lines, one line to trust."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

import eyelid
from eyelid.obfuscate.registry import NAMES
from eyelid.types import Quality, Target
from tests.canary import HIDDEN, Scene, correlation, pictures, save_scene, save_still

from .program import SPOT, names, run

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Here

SCENE = Scene(open=None)


def test_help_names_every_choice(here: Here) -> None:
    done = here("anonymize", "--help")
    assert done.code == 0
    assert done.err == ""
    for word in (*Target, *NAMES, *Quality, "hold", "cover-frame", "keep", "drop", "--force", "--json"):
        assert word in done.out
    overview = here("--help")
    for command in ("anonymize", "detect", "models", "unlock", "verify", "keygen"):
        assert command in overview.out
        assert here(command, "--help").code == 0


def test_the_version(here: Here) -> None:
    assert here("--version").out == f"eyelid {eyelid.__version__}\n"


def test_one_line_to_trust(here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 8)
    done = here("anonymize", source, *SPOT)
    assert done.code == 0
    assert done.err == ""
    assert done.out.count("\n") == 1
    for part in ("covered", "8 frames", "held", "dropped", "NOT covered", "a.anon.evidence.json"):
        assert part in done.out


def test_json_lines_are_events(here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 8)
    done = here("anonymize", source, *SPOT, "--json")
    assert done.err == ""
    *progress, result = done.events
    assert progress
    assert {event["event"] for event in progress} == {"progress"}
    assert all(event["file"] == str(source) and event["unit"] == "frames" for event in progress)
    assert progress[-1]["done"] == progress[-1]["total"] == 8
    assert result["event"] == "result"
    assert result["outcome"] == "done"
    assert result["output"] == str(tmp_path / "a.anon.mp4")
    assert result["message"] is None
    assert json.loads((tmp_path / "a.anon.evidence.json").read_text())["frames"]["total"] == 8
    assert result["evidence"] == str(tmp_path / "a.anon.evidence.json")


def test_json_of_a_failure(here: Here, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    done = here("anonymize", tmp_path / "a.png", *SPOT, "--json")
    assert done.code == 1
    (result,) = done.events
    assert result["outcome"] in {"failed", "unsupported"}
    assert "a.png" in result["message"]
    assert result["output"] is None
    assert result["evidence"] is None


def test_progress_never_goes_to_stdout() -> None:
    from rich.console import Console

    from eyelid.cli.output import Display

    display = Display(as_json=False, quiet=False)
    console = display._bars.console
    assert isinstance(console, Console)
    assert console.stderr


@pytest.mark.parametrize("form", ["coco", "mot"])
def test_detect_writes_a_file_and_says_so(form: str, here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 6)
    done = here("detect", source, "--format", form, *SPOT)
    assert done.code == 0
    suffix = ".coco.json" if form == "coco" else ".mot.csv"
    assert names(tmp_path) == {"a.mp4", f"a{suffix}"}
    assert "6 frames" in done.out
    assert done.err == ""
    again = here("detect", source, "--format", form, *SPOT)
    assert again.code == 1
    assert "--force" in again.sentence


def test_from_detect_to_anonymize(here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 6)
    assert here("detect", source, *SPOT).code == 0
    listed = tmp_path / "a.coco.json"
    done = here("anonymize", source, "--targets", "face", "--detections", listed, "--method", "blur")
    assert done.code == 0
    for picture in pictures(tmp_path / "a.anon.mp4"):
        assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        save_still(folder / name, SCENE)
    assert here("detect", folder, *SPOT, "-o", tmp_path / "f.json").code == 0
    done = here("anonymize", folder, "--targets", "face", "--detections", tmp_path / "f.json")
    assert done.code == 0
    for name in ("a.png", "b.png"):
        (picture,) = pictures(tmp_path / "in.anon" / name)
        assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)
        assert int(picture.max()) > 50


def test_lock_unlock_verify_and_sign(here: Here, tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    assert here("keygen", tmp_path / "k").code == 0
    assert here("keygen", tmp_path / "k").code == 1
    assert here("keygen", tmp_path / "sign.pem", "--sign").code == 0
    (public,) = (tmp_path / name for name in names(tmp_path) if name.startswith("sign") and "pub" in name)
    options = ("--method", "lock", "--key", tmp_path / "k", "--sign", tmp_path / "sign.pem")
    assert here("anonymize", source, *SPOT, *options).code == 0
    output = tmp_path / "a.anon.png"
    assert here("verify", output, "--trust", public).code == 0
    assert here("unlock", output, "--key", tmp_path / "k").code == 0
    assert pictures(tmp_path / "a.unlocked.png")[0].tolist() == pictures(source)[0].tolist()
    assert here("keygen", tmp_path / "l").code == 0
    done = here("unlock", output, "--key", tmp_path / "l", "--force")
    assert done.code == 1
    assert "wrong key" in done.sentence
    output.write_bytes(output.read_bytes()[:-1] + b"x")
    done = here("verify", output)
    assert done.code == 1
    assert "NOT the file" in done.out
    for secret in ((tmp_path / "k").read_bytes().strip(), (tmp_path / "sign.pem").read_bytes()[30:70]):
        assert secret not in (tmp_path / "a.anon.evidence.json").read_bytes()


def test_models_are_shown_with_source_licence_and_checksum(here: Here) -> None:
    events = here("models", "--json").events
    assert len(events) >= 4
    for card in events:
        assert re.fullmatch(r"[0-9a-f]{64}", card["sha256"])
        assert card["licence"]
        assert card["source"]
    shown = here("models")
    assert all(card["name"] in shown.out for card in events)


def test_a_preview(here: Here, tmp_path: Path) -> None:
    source = save_scene(tmp_path / "a.mp4", SCENE, 30)
    done = here("anonymize", source, *SPOT, "--preview")
    assert done.code == 0, done.err
    assert "the full run takes about" in done.out
    assert names(tmp_path) == {"a.mp4", "a.preview.mp4"}


def test_the_shipped_networks_through_the_program(tmp_path: Path) -> None:
    """Once with nothing replaced: the installed program, all six targets."""
    from .program import ROOT

    portrait = ROOT / "docs" / "images" / "astronaut.jpg"
    done = run("anonymize", portrait, "-o", tmp_path / "a.jpg", "--targets", ",".join(Target))
    assert done.code == 0, done.err
    assert done.err == ""
    assert "covered 1 face" in done.out
    assert eyelid.verify(tmp_path / "a.jpg").ok


def test_a_closed_pipe_is_no_traceback(tmp_path: Path) -> None:
    import subprocess

    from .program import PROGRAM, ROOT

    source = save_scene(tmp_path / "a.mp4", SCENE, 8)
    process = subprocess.Popen(
        [*PROGRAM, "anonymize", str(source), *SPOT, "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=120)
    assert "Traceback" not in said
    assert ".partial" not in str(names(tmp_path))
