"""A sealed model and its key are written both or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.errors import ModelError, OutputError
from eyelid.infer.enclave.sealed import (
    SealedKey,
    decrypt,
    encrypt,
    key_path,
    read_sealed_key,
    write_sealed,
)

if TYPE_CHECKING:
    from pathlib import Path

SEALED = SealedKey(public=b"public", private=b"private")


def test_a_model_and_its_key(tmp_path: Path) -> None:
    key, content = encrypt(b"model")
    path = tmp_path / "model.sealed"
    write_sealed(path, content, SEALED)
    assert decrypt(path.read_bytes(), key) == b"model"
    assert read_sealed_key(key_path(path)) == SEALED
    with pytest.raises(ModelError, match="altered"):
        decrypt(content[:-1], key)


def test_what_is_no_key_of_a_sealed_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.sealed.key"
    with pytest.raises(
        ModelError, match=r"key \S+ can't be read \(No such file.*; seal wrote it beside the model"
    ):
        read_sealed_key(path)
    path.write_text("{}")
    with pytest.raises(ModelError, match="not the key of a sealed model"):
        read_sealed_key(path)
    path.write_bytes(bytes(10_001))
    with pytest.raises(ModelError, match="larger than 10,000 bytes"):
        read_sealed_key(path)


def test_a_key_that_is_in_the_way_leaves_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.sealed"
    key_path(path).write_text("another's")
    with pytest.raises(OutputError, match="exists already"):
        write_sealed(path, b"model", SEALED)
    assert [left.name for left in tmp_path.iterdir()] == ["model.sealed.key"]
    assert key_path(path).read_text() == "another's"


def test_a_model_that_cannot_be_written_leaves_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something takes the model's name at the last moment, when the key has its own already."""
    from eyelid.media import atomic

    path = tmp_path / "model.sealed"
    publish = atomic._publish

    def taken(partial: Path, final: Path, mode: int, *, force: bool) -> None:
        if final == path:
            assert key_path(path).exists()
            final.write_text("another's")
        publish(partial, final, mode, force=force)

    monkeypatch.setattr(atomic, "_publish", taken)
    with pytest.raises(OutputError, match="exists already"):
        write_sealed(path, b"model", SEALED)
    assert [left.name for left in tmp_path.iterdir()] == ["model.sealed"]
    assert path.read_text() == "another's"
