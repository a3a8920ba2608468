"""The manifest: what changes it, and what does not."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from eyelid.errors import InputError, ModelError
from eyelid.infer.enclave import manifest
from eyelid.infer.enclave.manifest import Configuration, Manifest, measure, read_model, tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def code(tmp_path: Path) -> Path:
    folder = tmp_path / "code"
    (folder / "part" / "__pycache__").mkdir(parents=True)
    (folder / "a.py").write_text("a = 1\n")
    (folder / "part" / "b.py").write_text("b = 2\n")
    (folder / "part" / "weights.onnx").write_bytes(bytes(1000))
    (folder / "part" / "__pycache__" / "b.pyc").write_bytes(b"compiled")
    return folder


def test_any_byte_name_or_file_changes_the_code(code: Path, tmp_path: Path) -> None:
    before = tree(code)
    seen = {before}
    changes: tuple[Callable[[Path], object], ...] = (
        lambda at: (at / "a.py").write_text("a = 2\n"),
        lambda at: (at / "a.py").rename(at / "c.py"),
        lambda at: (at / "part" / "b.py").unlink(),
        lambda at: (at / "part" / "new.py").touch(),
        lambda at: (at / "part" / "b.py").rename(at / "b.py"),
        lambda at: (at / "part" / "weights.onnx").write_bytes(bytes(999) + b"\x01"),
    )
    for index, change in enumerate(changes):
        copy = tmp_path / str(index)
        shutil.copytree(code, copy)
        assert tree(copy) == before
        change(copy)
        seen.add(tree(copy))
    assert len(seen) == 7


def test_compiled_files_do_not_count_for_they_are_not_used(code: Path) -> None:
    before = tree(code)
    (code / "part" / "__pycache__" / "b.pyc").write_bytes(b"another")
    (code / "a.pyc").write_bytes(b"another")
    assert tree(code) == before


def test_model_configuration_and_libraries_change_the_digest(
    code: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "LIBRARIES", ("pydantic",))
    digests = [
        measure(b"model", Configuration(), code=code).digest,
        measure(b"modem", Configuration(), code=code).digest,
        measure(None, Configuration(detector="person"), code=code).digest,
        measure(b"model", Configuration(threads=2), code=code).digest,
        measure(b"model", Configuration(sealed=True), code=code).digest,
        measure(b"model", Configuration(least=0.25), code=code).digest,
        measure(b"model", Configuration(key_life=60), code=code).digest,
    ]
    monkeypatch.setattr(manifest, "LIBRARIES", ("pydantic", "cffi"))
    digests.append(measure(b"model", Configuration(), code=code).digest)
    assert len(set(digests)) == len(digests)


def test_libraries_are_followed_to_what_they_need_and_hashed_as_they_lie() -> None:
    measured = measure(b"", Configuration())
    assert {"numpy", "openvino", "pydantic_core", "cryptography", "cffi"} <= set(measured.libraries)
    assert "torch" not in measured.libraries
    assert measure(b"", Configuration()) == measured
    assert Manifest.model_validate_json(measured.model_dump_json(by_alias=True)).digest == measured.digest


def test_what_cannot_be_read_is_one_sentence(code: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="can't be read"):
        read_model(tmp_path / "missing.onnx")
    (code / "gone.py").symlink_to(tmp_path / "missing")
    assert tree(code)  # a broken link is not a file
    (code / "gone.py").unlink()
    missing = [("x.py", code / "x.py")]
    with pytest.raises(InputError, match="can't be measured"):
        manifest._listing(missing)
