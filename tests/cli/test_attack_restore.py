"""The commands of the restoring attacks: one line of result, or one sentence of refusal."""

import json
from pathlib import Path

import cv2
import pytest
import typer
from typer.testing import CliRunner

from eyelid.cli import attack_restore
from eyelid.errors import EyelidError, UsageError
from tests.attack.faces import invented

app = typer.Typer()
app.command("restore")(attack_restore.restore)
app.command("deblur")(attack_restore.deblur)
app.command("keyed-blur")(attack_restore.keyed_blur)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people with three pictures each."""
    folder = tmp_path_factory.mktemp("faces")
    faces = invented(people=6, each=3, height=32, width=28)
    for i, (picture, person) in enumerate(zip(faces.pictures, faces.people, strict=True)):
        (folder / f"p{person}").mkdir(exist_ok=True)
        cv2.imwrite(str(folder / f"p{person}" / f"{i}.png"), picture)
    return folder


@pytest.mark.parametrize(
    ("arguments", "beginning"),
    [
        (
            ["deblur", "--blur", "opencv:7"],
            "deblur against opencv:7 (knows the method): rank-1 of the restored",
        ),
        (["deblur", "--blur", "pillow:1.5"], "deblur against pillow:1.5 "),
        (["deblur", "--blur", "opencv:7", "--blind"], "deblur against opencv:7, width unknown "),
        (["keyed-blur", "--side", "5", "--pairs", "0"], "keyed-blur against a secret filter of 5 pixels "),
        (["keyed-blur", "--side", "5"], "keyed-blur against a secret filter of 5 pixels (knows the method)"),
        (["restore", "--methods", "pixelate:8"], "restore against pixelate:8 (retrained): rank-1"),
    ],
)
def test_each_attack_prints_its_line(data: Path, arguments: list[str], beginning: str) -> None:
    run = CliRunner().invoke(app, [*arguments, "--data", str(data)])
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith(beginning)
    assert "chance 0.333" in run.stdout
    assert "PSNR" in run.stdout


@pytest.mark.parametrize("quiet", [False, True])
def test_a_terminal_shows_how_far_it_is_unless_it_shall_not(
    data: Path, quiet: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    command = ["deblur", "--blur", "opencv:5", "--data", str(data), *(["--quiet"] if quiet else [])]
    run = CliRunner().invoke(app, command)
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith("deblur against opencv:5")
    assert ("opencv:5" in run.stderr) != quiet


def test_programs_get_json(data: Path) -> None:
    run = CliRunner().invoke(app, ["deblur", "--blur", "opencv:5", "--data", str(data), "--json"])
    event = json.loads(run.stdout)
    assert event["against"] == "opencv:5"
    assert event["interval"][0] <= event["success"] <= event["interval"][1]


@pytest.mark.parametrize("blur", ["median:3", "opencv:0", "pillow:nan", "pillow:x", "opencv:2.5", ""])
def test_a_filter_that_does_not_exist_is_one_sentence(data: Path, blur: str) -> None:
    run = CliRunner().invoke(app, ["deblur", "--blur", blur, "--data", str(data)])
    assert isinstance(run.exception, UsageError)
    assert "\n" not in str(run.exception)


def test_no_pictures_are_one_sentence(tmp_path: Path) -> None:
    run = CliRunner().invoke(app, ["restore", "--data", str(tmp_path / "none")])
    assert isinstance(run.exception, EyelidError)
