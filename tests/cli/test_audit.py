"""``eyelid audit``, with attacks that are made up: what it says, writes, and refuses with nothing written."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import eyelid
from eyelid.attack.cloak_retrained import CloakRetrained
from eyelid.audit import run as attacks
from eyelid.audit.file import read
from eyelid.audit.model import Skipped, Standing
from eyelid.audit.verdict import RETRAINED
from eyelid.errors import InputError, OutputError
from eyelid.evidence.signing import generate_signing_key
from eyelid.jobs.progress import Progress
from tests.audit.samples import audited

from .program import Here, names

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.audit.run import Audited, AuditSettings
    from eyelid.jobs.progress import ProgressListener


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """An output and its original, whose audit is made up: it exposes."""
    output, original = tmp_path / "street.anon.mp4", tmp_path / "street.mp4"
    output.write_bytes(b"output")
    original.write_bytes(b"original")

    def attack(output: Path, original: Path, settings: AuditSettings, listener: ProgressListener) -> Audited:
        listener(Progress(output, 10, 10, "frames"))
        listener(Progress(output, 6, 6, "attacks"))
        return audited(Standing.EXPOSED)

    monkeypatch.setattr(attacks, "audit", attack)
    return output, original


FILMS = {"street.mp4", "street.anon.mp4"}
REPORTS = {"street.audit.json", "street.audit.html"}


def test_it_says_the_verdict_and_writes_both_files(here: Here, films: tuple[Path, Path]) -> None:
    output, original = films
    done = here("audit", output, "--original", original)
    assert (done.code, done.err) == (0, "")
    made = audited(Standing.EXPOSED).audit
    verdict, why, report, record = done.out.splitlines()
    assert verdict == f"Exposed: {made.verdict.sentence}"
    assert why == f"Why: {made.verdict.reason}"
    assert report == f"Report: {output.with_name('street.audit.html')}"
    assert record == f"Record: {output.with_name('street.audit.json')}"
    assert names(output.parent) == FILMS | REPORTS
    assert read(output.with_name("street.audit.json")).verdict == made.verdict


@pytest.mark.parametrize("attack", [RETRAINED, CloakRetrained.name])
def test_it_says_that_nobody_could_learn_and_leaves_the_rest_to_the_report(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, attack: str
) -> None:
    made = audited(Standing.EXPOSED)
    skipped = (*made.audit.skipped, Skipped(attack=attack, reason="one picture is too few"))
    lacking = replace(made, audit=made.audit.model_copy(update={"skipped": skipped}))
    monkeypatch.setattr(attacks, "audit", lambda *_: lacking)
    said = here("audit", films[0], "--original", films[1]).out.splitlines()
    assert said[2] == f"Not run: {attack}: one picture is too few."
    assert len(said) == 5
    assert read(films[0].with_name("street.audit.json")).skipped == skipped


def test_a_terminal_shows_the_table_and_the_verdict_in_red(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    output, original = films
    done = here("audit", output, "--original", original, "--quiet")
    for result in audited(Standing.EXPOSED).audit.attacks:
        assert result.attack in done.out
    assert "rank-1 92 % (87 to 97 %)" in done.out
    assert "4.17 %" in done.out
    assert "\x1b[1;31mExposed\x1b[0m" in done.out


def test_on_eighty_columns_no_name_of_an_attack_is_broken(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    output, original = films
    shown = here("audit", output, "--original", original, "--quiet").out
    for word in {word for row in audited(Standing.EXPOSED).audit.attacks for word in row.attack.split()}:
        assert word in shown


def test_programs_read_lines_of_json(here: Here, films: tuple[Path, Path]) -> None:
    output, original = films
    done = here("audit", output, "--original", original, "--json", "-o", output.with_name("march"))
    *progress, result = done.events
    assert [line["unit"] for line in progress] == ["frames", "attacks"]
    assert (result["event"], result["standing"]) == ("result", "exposed")
    assert result["json"].endswith("march.audit.json")
    assert result["visible"][0]["place"] == {"frame": 312, "x0": 600, "y0": 80, "x1": 640, "y1": 132}
    assert names(output.parent) == FILMS | {"march.audit.json", "march.audit.html"}


def test_without_an_original_it_says_why_it_needs_one(here: Here, films: tuple[Path, Path]) -> None:
    done = here("audit", films[0])
    assert done.code == 2
    assert done.sentence.startswith("--original is missing: ")
    assert names(films[0].parent) == FILMS


@pytest.mark.parametrize("taken", sorted(REPORTS))
def test_what_exists_is_not_replaced_unless_forced(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    output, original = films
    output.with_name(taken).write_text("kept")
    done = here("audit", output, "--original", original)
    assert done.code == 1
    assert "--force" in done.sentence
    assert names(output.parent) == FILMS | {taken}
    assert output.with_name(taken).read_text() == "kept"
    assert here("audit", output, "--original", original, "--force").code == 0
    assert output.with_name(taken).read_text() != "kept"


@pytest.mark.parametrize("broken", ["write", "_publish"])
def test_both_files_or_none(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    output, original = films

    def fail(*_: object, **__: object) -> None:
        raise OutputError("no space left; free some space")

    if broken == "write":
        monkeypatch.setattr("eyelid.audit.save.write", fail)
    else:
        from eyelid.media import atomic

        publish = atomic._publish

        def publish_json_alone(partial: Path, final: Path, mode: int, *, force: bool) -> None:
            publish(partial, final, mode, force=force) if final.suffix == ".json" else fail()

        monkeypatch.setattr(atomic, "_publish", publish_json_alone)
    done = here("audit", output, "--original", original)
    assert done.code == 1
    assert "no space left" in done.sentence
    assert names(output.parent) == FILMS


def test_what_fails_under_way_leaves_nothing(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise InputError("street.mp4 cannot be read; name another file")

    monkeypatch.setattr(attacks, "audit", fail)
    done = here("audit", films[0], "--original", films[1])
    assert (done.code, done.sentence) == (1, "street.mp4 cannot be read; name another file")
    assert names(films[0].parent) == FILMS


def test_a_missing_package_is_one_sentence(
    here: Here, films: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eyelid.models.extras.find_spec", lambda _: None)
    done = here("audit", films[0], "--original", films[1])
    assert done.code == 2
    assert "pip install 'eyelid[audit]'" in done.sentence


def test_a_wrong_device_is_refused(here: Here, films: tuple[Path, Path]) -> None:
    done = here("audit", films[0], "--original", films[1], "--device", "abacus")
    assert done.code == 2
    assert "device" in done.sentence


def test_originals_are_in_the_report_only_on_request(here: Here, films: tuple[Path, Path]) -> None:
    output, original = films
    here("audit", output, "--original", original)
    page = output.with_name("street.audit.html")
    assert "This page holds originals" not in page.read_text()
    here("audit", output, "--original", original, "--force", "--show-original")
    assert "This page holds originals" in page.read_text()


def test_python_speaks_the_same_words(films: tuple[Path, Path], tmp_path: Path) -> None:
    output, original = films
    seen: list[Progress] = []
    key = generate_signing_key(tmp_path / "officer.pem")
    result = eyelid.audit(output, original, tmp_path / "other", sign=key.private, listener=seen.append)
    assert result.audit.verdict.standing is Standing.EXPOSED
    assert read(result.json).signature
    assert result.html == tmp_path / "other.audit.html"
    assert [progress.unit for progress in seen] == ["frames", "attacks"]


@pytest.mark.parametrize("first", ["import eyelid", "import eyelid; from eyelid.audit.model import Audit"])
def test_the_room_can_be_called_and_still_be_imported_from(first: str) -> None:
    code = f"{first}; assert callable(eyelid.audit); import eyelid.audit.model as m; m.Audit"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_verify_checks_an_audit_too(here: Here, films: tuple[Path, Path]) -> None:
    output, original = films
    here("audit", output, "--original", original)
    done = here("verify", output.with_name("street.audit.json"))
    assert done.code == 1
    assert "is NOT the file" in done.out  # the audit that was made up speaks of another file
    done = here("verify", output.with_name("street.audit.json"), "--json")
    assert done.events[0]["audit"].endswith("street.audit.json")
