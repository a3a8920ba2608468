"""Folders: the same tree, nothing copied through, and a next run goes on where the last one ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

import eyelid
from eyelid.evidence.file import read
from eyelid.jobs.settings import Settings
from eyelid.jobs.tasks import Outcome
from eyelid.types import Target
from tests.canary import HIDDEN, Scene, Spotted, correlation, pictures, save_scene, save_still, spot

from .program import ROOT, SPOT, names, run

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import Bgr

    from .program import Here

SCENE = Scene(open=None)
MEDIA = {"a.jpg", "a.png", "deep/er/b.gif", "deep/c.mp4", "deep/d e.png"}
OTHER = {"notes.txt", "deep/table.csv", ".hidden", "deep/page.pdf"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "photos"
    for name in sorted(MEDIA):
        path = made / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".mp4"):
            save_scene(path, SCENE, 8)
        else:
            save_still(path, SCENE, 3 if name.endswith(".gif") else 1)
    for name in OTHER:
        (made / name).write_text(f"private words in {name}")
    return made


def expected(media: set[str]) -> set[str]:
    return {f"{name}{end}" for name in media for end in ("", ".evidence.json")}


def bytes_of(folder: Path, wanted: set[str] = MEDIA) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in wanted}


def assert_safe(out: Path, wanted: set[str] = MEDIA) -> None:
    for name in wanted:
        for picture in pictures(out / name):
            assert all(correlation(picture, seed) < HIDDEN for seed in SCENE.hidden)
        assert eyelid.verify(out / name).ok


def test_the_tree_is_kept_and_nothing_else_is_copied(folder: Path, here: Here, tmp_path: Path) -> None:
    done = here("anonymize", folder, *SPOT)
    out = tmp_path / "photos.anon"
    assert done.code == 0, done.err
    assert names(out) == expected(MEDIA)
    assert_safe(out)
    told = done.err.splitlines()
    assert len(told) == len(OTHER)
    assert all(any(str(folder / name) in line for line in told) for name in OTHER)
    assert "private words" not in done.err + done.out
    assert "5 done" in done.out.splitlines()[-1]
    assert f"{len(OTHER)} unsupported" in done.out.splitlines()[-1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_one_bad_file_does_not_stop_the_folder(
    workers: str, folder: Path, here: Here, tmp_path: Path
) -> None:
    (folder / "deep" / "bad.png").write_bytes((folder / "a.png").read_bytes()[:300])
    (folder / "empty.jpg").touch()
    done = here("anonymize", folder, "-o", tmp_path / "out", *SPOT, "--workers", workers)
    assert done.code == 1
    assert names(tmp_path / "out") == expected(MEDIA)
    assert_safe(tmp_path / "out")
    assert sum("bad.png" in line or "empty.jpg" in line for line in done.err.splitlines()) == 2
    assert "2 failed" in done.out.splitlines()[-1]


def test_the_bad_files_of_a_folder_are_told_at_its_end(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a thousand good files nobody finds the one that failed."""
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").touch()
    (photos / "b.txt").write_text("private words")
    for name in ("c.png", "d.png"):
        save_still(photos / name, SCENE)
    told: list[str] = []
    monkeypatch.setattr("eyelid.cli.report.say", told.append)
    monkeypatch.setattr("eyelid.cli.report.complain", told.append)
    assert here("anonymize", photos, *SPOT, "--workers", "1").code == 1
    assert [
        next(word for word in ("a.png", "b.txt", "c.png", "d.png", "2 done") if word in line) for line in told
    ] == [
        "c.png",
        "d.png",
        "b.txt",
        "a.png",
        "2 done",
    ]


def test_two_workers_make_the_same_bytes_as_one(folder: Path, here: Here, tmp_path: Path) -> None:
    for workers in ("1", "2"):
        done = here("anonymize", folder, "-o", tmp_path / workers, *SPOT, "--workers", workers)
        assert done.code == 0
    assert bytes_of(tmp_path / "1") == bytes_of(tmp_path / "2")
    assert names(tmp_path / "1") == names(tmp_path / "2")


def test_a_second_run_goes_on_where_the_first_ended(folder: Path, here: Here, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert here("anonymize", folder, "-o", out, *SPOT).code == 0
    before = {name: (out / name).stat().st_mtime_ns for name in names(out)}
    (out / "a.png").unlink()
    (out / "deep" / "c.mp4.evidence.json").unlink()
    (out / "deep" / "c.mp4").unlink()
    save_still(folder / "new.png", SCENE)
    done = here("anonymize", folder, "-o", out, *SPOT)
    assert done.code == 0
    assert "3 done" in done.out.splitlines()[-1]
    assert "3 already done" in done.out.splitlines()[-1]
    assert names(out) == expected(MEDIA | {"new.png"})
    kept = {"a.jpg", "deep/er/b.gif", "deep/d e.png"}
    assert all((out / name).stat().st_mtime_ns == before[name] for name in kept)
    assert_safe(out, MEDIA | {"new.png"})


CHANGES: dict[str, tuple[str, ...]] = {
    "method": ("--method", "pixelate"),
    "margin": ("--margin", "0.5"),
    "shape": ("--shape", "box"),
    "quality": ("--quality", "fast"),
    "more targets": ("--targets", "face,text", "--detector", "tests.cli.test_folder:find_none:text"),
    "another detector": ("--detector", "tests.cli.test_folder:find_none:face"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_settings_are_no_reason_to_leave_an_old_output(name: str, here: Here, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save_still(folder / "a.png", SCENE)
    assert here("anonymize", folder, "-o", out, *SPOT).code == 0
    before = bytes_of(out, names(out))
    done = here("anonymize", folder, "-o", out, *SPOT, *CHANGES[name])
    assert done.code == 1
    assert "--force" in done.sentence
    assert bytes_of(out, names(out)) == before
    assert here("anonymize", folder, "-o", out, *SPOT, *CHANGES[name], "--force").code == 0
    assert bytes_of(out, names(out)) != before


def find_none(_: Bgr) -> Spotted:
    return Spotted([])


def test_a_face_that_was_kept_is_not_left_visible_by_a_run_that_keeps_nobody(
    here: Here, tmp_path: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    portrait = ROOT / "docs" / "images" / "astronaut.jpg"
    shutil.copy(portrait, folder / "a.jpg")
    assert here("anonymize", folder, "-o", out, "--targets", "face", "--keep", portrait).code == 0
    assert read(out / "a.jpg.evidence.json").kept is not None
    done = here("anonymize", folder, "-o", out, "--targets", "face")
    assert done.code == 1
    assert "--force" in done.sentence


@pytest.mark.parametrize("what", ["input", "output", "evidence", "no evidence"])
def test_an_output_that_is_not_the_one_of_its_evidence_is_not_done(
    what: str, here: Here, tmp_path: Path
) -> None:
    """A raw file that somebody put under the name of an output is never taken for one."""
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    path = save_still(folder / "a.png", SCENE)
    assert here("anonymize", folder, "-o", out, *SPOT).code == 0
    if what == "input":
        save_still(path, Scene(hidden=(5, 6)))
    elif what == "output":
        shutil.copy(path, out / "a.png")
    elif what == "evidence":
        content = json.loads((out / "a.png.evidence.json").read_text())
        content["settings"]["targets"] = ["face", "plate"]
        (out / "a.png.evidence.json").write_text(json.dumps(content))
    else:
        (out / "a.png.evidence.json").unlink()
    done = here("anonymize", folder, "-o", out, *SPOT)
    assert done.code == 1
    assert "a.png exists, but was not made from this input by these settings" in done.sentence


def test_a_folder_that_lies_in_its_output_or_around_it_is_refused(here: Here, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    save_still(folder / "a.png", SCENE)
    for output in (folder, folder / "sub", folder / "new", tmp_path):
        done = here("anonymize", folder, "-o", output, *SPOT)
        assert done.code == 1
        assert "choose an output folder elsewhere" in done.sentence
    (tmp_path / "link").symlink_to(folder)
    assert here("anonymize", folder, "-o", tmp_path / "link", *SPOT).code == 1
    assert names(folder) == {"a.png"}


def test_links_out_of_the_folder(here: Here, tmp_path: Path) -> None:
    """A linked folder is not entered; a linked file is read, and its output is a file of its own."""
    folder, outside, out = tmp_path / "in", tmp_path / "outside", tmp_path / "out"
    folder.mkdir()
    outside.mkdir()
    path = save_still(outside / "a.png", SCENE)
    before = path.read_bytes()
    (folder / "linked").symlink_to(outside)
    (folder / "b.png").symlink_to(path)
    (folder / "dead.png").symlink_to(tmp_path / "none")
    done = here("anonymize", folder, "-o", out, *SPOT)
    assert done.code == 1
    assert "dead.png" in done.sentence
    assert names(out) == expected({"b.png"})
    assert not (out / "b.png").is_symlink()
    assert path.read_bytes() == before


def test_an_empty_folder(here: Here, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = here("anonymize", tmp_path / "in", *SPOT)
    assert done.code == 0
    assert "no file" in done.out


def deadly(picture: Bgr) -> Spotted:
    """Kill the process on a picture of one colour; where a file ``once`` lies there, only the first time."""
    if int(picture.max()) - int(picture.min()) < 3:
        once = os.environ.get("EYELID_TEST_ONCE")
        if once is None or os.path.exists(once):  # noqa: PTH110
            if once:
                os.unlink(once)  # noqa: PTH108
            os.kill(os.getpid(), signal.SIGKILL)
    return spot(picture)


@pytest.mark.parametrize("once", [True, False])
def test_a_killed_worker_loses_no_other_file(
    once: bool, folder: Path, here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    Image.new("RGB", (60, 60), (9, 9, 9)).save(folder / "b_killer.png")
    if once:
        (tmp_path / "once").touch()
        monkeypatch.setenv("EYELID_TEST_ONCE", str(tmp_path / "once"))
    monkeypatch.chdir(ROOT)
    options = ("--targets", "face", "--detector", "tests.cli.test_folder:deadly:face", "--workers", "2")
    done = here("anonymize", folder, "-o", tmp_path / "out", *options)
    made = MEDIA | {"b_killer.png"} if once else MEDIA
    left = {name for name in names(tmp_path / "out") if ".partial." not in name}  # of the killed process
    assert left == expected(made)
    assert_safe(tmp_path / "out")
    assert done.code == (0 if once else 1)
    if not once:
        (line,) = (line for line in done.err.splitlines() if "killer" in line)
        assert "died twice" in line


@pytest.mark.parametrize(
    "broken",
    [("--detector", "no_such_module:find:face"), ("--keep", "nobody.jpg"), ("--sign", "none.pem")],
)
def test_settings_that_cannot_be_used_end_the_run_of_a_pool_in_one_sentence(
    broken: tuple[str, str], folder: Path, tmp_path: Path
) -> None:
    done = run("anonymize", folder, "-o", tmp_path / "out", "--workers", "2", *broken)
    assert done.code in {1, 2}
    assert broken[1].partition(":")[0] in done.sentence
    assert not (tmp_path / "out").exists()


def test_every_file_is_told_once(folder: Path, here: Here, tmp_path: Path) -> None:
    done = here("anonymize", folder, "-o", tmp_path / "out", *SPOT, "--workers", "2", "--json")
    results: list[dict[str, Any]] = [event for event in done.events if event["event"] == "result"]
    assert sorted(event["file"] for event in results) == sorted(str(folder / n) for n in MEDIA | OTHER)
    (end,) = (event for event in done.events if event["event"] == "end")
    assert end == {"event": "end", "done": 5, "already done": 0, "unsupported": 4, "failed": 0}


def test_locked_files_of_a_folder_have_each_their_sidecar(folder: Path, here: Here, tmp_path: Path) -> None:
    assert here("keygen", tmp_path / "k").code == 0
    options = ("--method", "lock", "--key", tmp_path / "k")
    assert here("anonymize", folder, "-o", tmp_path / "out", *SPOT, *options).code == 0
    assert names(tmp_path / "out") == expected(MEDIA) | {f"{name}.lock" for name in MEDIA}
    assert here("anonymize", folder, "-o", tmp_path / "out", *SPOT, *options).code == 0
    for name in MEDIA:
        done = here("unlock", tmp_path / "out" / name, "--key", tmp_path / "k", "--force")
        assert done.code == 0, done.err


def test_a_run_with_another_key_does_not_count_as_done(here: Here, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save_still(folder / "a.png", SCENE)
    for name in ("k", "l"):
        assert here("keygen", tmp_path / name).code == 0
    assert here("anonymize", folder, "-o", out, *SPOT, "--method", "lock", "--key", tmp_path / "k").code == 0
    done = here("anonymize", folder, "-o", out, *SPOT, "--method", "lock", "--key", tmp_path / "l")
    assert done.code == 1
    (out / "a.png.lock").unlink()
    done = here("anonymize", folder, "-o", out, *SPOT, "--method", "lock", "--key", tmp_path / "k")
    assert done.code == 1


@pytest.mark.enable_socket
def test_a_local_ray_cluster_makes_the_same(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    settings = Settings(detectors=("tests.canary:spot:face",))
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(90))
    plain = eyelid.anonymize_folder(folder, tmp_path / "plain", targets=["face"], settings=settings)
    spread = eyelid.anonymize_folder(
        folder, tmp_path / "ray", targets=["face"], settings=settings, ray="local"
    )
    assert names(tmp_path / "ray") == names(tmp_path / "plain") == expected(MEDIA)
    assert bytes_of(tmp_path / "ray") == bytes_of(tmp_path / "plain")
    outcomes = [{result.task.name: result.outcome for result in results} for results in (plain, spread)]
    assert outcomes[0] == outcomes[1]
    assert outcomes[0]["bad.png"] is Outcome.FAILED
    assert read(tmp_path / "ray" / "a.jpg.evidence.json").settings.targets == (Target.FACE,)


@pytest.mark.slow
@pytest.mark.parametrize("once", [True, False])
def test_a_killed_actor_of_a_ray_cluster_loses_no_other_file(
    once: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    pytest.importorskip("ray")
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    good = {f"{letter}.png" for letter in "acdef"}
    for name in good:
        save_still(folder / name, SCENE)
    Image.new("RGB", (60, 60), (9, 9, 9)).save(folder / "b_killer.png")
    if once:
        (tmp_path / "once").touch()
        monkeypatch.setenv("EYELID_TEST_ONCE", str(tmp_path / "once"))
    options = ("--targets", "face", "--detector", "tests.cli.test_folder:deadly:face", "--ray", "local")
    done = run("anonymize", folder, "-o", out, *options, "--json")
    outcomes = {event["file"]: event["outcome"] for event in done.events if event["event"] == "result"}
    made = good | {"b_killer.png"} if once else good
    assert {name for name in names(out) if ".partial." not in name} == expected(made)
    assert_safe(out, good)
    assert outcomes == {
        str(folder / name): "done" if name in made else "failed" for name in good | {"b_killer.png"}
    }
    assert done.code == (0 if once else 1)
    assert "raylet" not in done.err
