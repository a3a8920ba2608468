"""Where outputs go."""

from __future__ import annotations

from pathlib import Path

import pytest

from eyelid.errors import InputError, OutputError, UsageError
from eyelid.jobs.tasks import make_folder, tasks_for


def test_a_file_gets_its_output_and_evidence_beside_it(tmp_path: Path) -> None:
    source = tmp_path / "street.mp4"
    source.touch()
    (task,) = tasks_for([source], None, force=True)
    assert task.output == tmp_path / "street.anon.mp4"
    assert task.evidence == tmp_path / "street.anon.evidence.json"
    assert task.sidecar(".lock") == tmp_path / "street.anon.mp4.lock"
    assert (task.name, task.force, task.in_folder) == ("street.mp4", True, False)


def test_an_output_may_be_a_file_or_a_folder(tmp_path: Path) -> None:
    source, out = tmp_path / "a.tar.png", tmp_path / "out"
    source.touch()
    out.mkdir()
    assert tasks_for([source], tmp_path / "b.png", force=False)[0].output == tmp_path / "b.png"
    assert tasks_for([source], out, force=False)[0].output == out / "a.tar.anon.png"


def test_a_folder_keeps_its_tree_in_order(tmp_path: Path) -> None:
    names = ["b/c.jpg", "a.jpg", "b/a.png", "z/y/x.mp4"]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    tasks = tasks_for([tmp_path / "in"], None, force=False)
    assert [task.name for task in tasks] == ["a.jpg", "b/a.png", "b/c.jpg", "z/y/x.mp4"]
    assert [task.output for task in tasks] == [tmp_path / "in.anon" / task.name for task in tasks]
    assert all(task.in_folder and task.evidence.name == f"{task.output.name}.evidence.json" for task in tasks)
    assert not (tmp_path / "in.anon").exists()


def test_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").touch()
    monkeypatch.chdir(tmp_path / "in")
    (task,) = tasks_for([Path()], None, force=False)
    assert task.output == tmp_path / "in.anon" / "a.jpg"


def test_what_does_not_fit(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.jpg").touch()
    (tmp_path / "b.jpg").touch()
    with pytest.raises(InputError, match="does not exist"):
        tasks_for([tmp_path / "none"], None, force=False)
    with pytest.raises(InputError, match="does not exist"):
        tasks_for([tmp_path / ("x" * 300)], None, force=False)
    with pytest.raises(UsageError, match="give it alone"):
        tasks_for([tmp_path / "in", tmp_path / "a.jpg"], None, force=False)
    with pytest.raises(UsageError, match="existing folder"):
        tasks_for([tmp_path / "a.jpg", tmp_path / "b.jpg"], tmp_path / "c.jpg", force=False)
    with pytest.raises(OutputError, match="is a file"):
        tasks_for([tmp_path / "in"], tmp_path / "a.jpg", force=False)
    with pytest.raises(OutputError, match="cannot be created"):
        make_folder(tmp_path / "a.jpg" / "deep")
