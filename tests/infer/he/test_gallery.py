"""All scores of a gallery are those of the plain product, whether the gallery is known or encrypted."""

from __future__ import annotations

import stat
import zipfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InputError, OutputError
from eyelid.infer.he import gallery, gallery_file, keys, programs
from eyelid.infer.he.client import Client
from eyelid.infer.he.server import Server
from tests.infer.he.conftest import PASSPHRASE, Shop

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.infer.he.contract import Program

SLOTS = gallery.DEGREE // 2


def vectors_of(count: int, dimensions: int) -> np.ndarray:
    return gallery.normalised(np.random.default_rng(count).normal(size=(count, dimensions)), dimensions)


def ask(program: Program, path: Path, probe: np.ndarray) -> tuple[np.ndarray, Server]:
    server = Server(program)
    server.add_keys(keys.evaluation_path(path).read_bytes())
    client = Client(program.offer, keys.read(path, PASSPHRASE))
    request = client.encrypt(probe)
    return client.decrypt(server.run(request.data), request, exact=True)[0], server


@settings(max_examples=30, deadline=None)
@given(st.sampled_from((2, 4, 8, 32)), st.integers(1, 4 * SLOTS + 1), st.integers(0, 9))
def test_diagonals_by_brute_force(dimensions: int, count: int, seed: int) -> None:
    """Without encryption: the sum of turned products is the product of the gallery and the probe."""
    vectors = vectors_of(count, dimensions)
    probe = np.random.default_rng(seed).normal(size=dimensions)
    turned = np.tile(probe, SLOTS // dimensions)
    baby = gallery.baby_steps(dimensions)
    blocks = []
    for block in gallery.diagonals(vectors, dimensions):
        total = np.zeros(SLOTS, np.complex128)
        for start in range(0, dimensions, baby):
            part = sum(np.roll(turned, -step) * block[start + step] for step in range(min(baby, dimensions)))
            total += np.roll(part, -start)
        blocks += [total.real, total.imag]
    assert np.allclose(np.concatenate(blocks)[:count], vectors @ probe)


@pytest.mark.parametrize(("count", "dimensions"), [(1, 4), (2049, 8), (4097, 4), (300, 128)])
def test_a_known_gallery(tmp_path: Path, count: int, dimensions: int) -> None:
    vectors = vectors_of(count, dimensions)
    path = tmp_path / "g.eyelid"
    names = tuple(map(str, range(count)))
    gallery_file.save_plain(path, "g", vectors * 3.0, names)
    program = programs.load(path)
    keys.generate(tmp_path / "k", program.offer.artefact, program.offer.demands, PASSPHRASE)
    probe = vectors[-1] + 0.1
    scores, _ = ask(program, tmp_path / "k", probe)
    assert np.abs(scores - vectors @ probe / np.linalg.norm(probe)).max() < 1e-3
    assert gallery.top(scores, 1)[0][0] == int(np.argmax(vectors @ probe))


def test_a_gallery_that_is_encrypted_too(tmp_path: Path) -> None:
    vectors = vectors_of(100, 16)
    told = gallery_file.encrypted_offer("g", 100, 16)
    key, path = tmp_path / "k", tmp_path / "g.eyelid"
    keys.generate(key, told.artefact, told.demands, PASSPHRASE)
    gallery_file.save_encrypted(path, told, vectors, keys.read(key, PASSPHRASE))
    program = programs.load(path)
    scores, _ = ask(program, key, vectors[42])
    assert np.abs(scores - vectors @ vectors[42]).max() < 2e-3
    data = path.read_bytes()
    for form in (vectors, vectors.astype(np.float32)):
        assert all(row.tobytes()[:8] not in data for row in form)
    assert len(data) < 16 * 28_000


def test_the_best_come_first() -> None:
    assert gallery.top(np.array([0.1, 0.9, 0.5, 0.9]), 3) == [(1, 0.9), (3, 0.9), (2, 0.5)]


def test_names_of_an_encrypted_gallery_stay_with_their_owner(tmp_path: Path) -> None:
    listed = gallery_file.save_names(tmp_path / "g.eyelid", ("Ada", "Émilie"))
    assert gallery_file.read_names(listed, 2) == ("Ada", "Émilie")
    assert stat.S_IMODE(listed.stat().st_mode) == 0o600
    with pytest.raises(InputError, match="2 names and the gallery 3"):
        gallery_file.read_names(listed, 3)
    (tmp_path / "junk").write_text("{}")
    with pytest.raises(InputError, match="holds no names"):
        gallery_file.read_names(tmp_path / "junk", 1)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "g.eyelid"
    gallery_file.save_plain(path, "g", vectors_of(3, 4), ("a", "b", "c"))
    return path


def test_a_gallery_is_not_replaced_unless_asked(saved: Path) -> None:
    with pytest.raises(OutputError):
        gallery_file.save_plain(saved, "g", vectors_of(3, 4), ())
    gallery_file.save_plain(saved, "g", vectors_of(3, 4), (), force=True)


def test_a_gallery_with_a_secret_key_in_it_is_refused(saved: Path, shop: Shop) -> None:
    raw = shop.client._secret.key.to_string()
    with zipfile.ZipFile(saved, "a") as archive:
        archive.writestr("context", raw)
    with pytest.raises(InputError, match="parts that none should hold"):
        programs.load(saved)


def test_a_gallery_whose_vectors_are_a_secret_key_is_refused(tmp_path: Path, shop: Shop) -> None:
    """The member that may be there, but with a key of SEAL's behind its numbers."""
    path = tmp_path / "g.eyelid"
    gallery_file.save_plain(path, "g", vectors_of(3, 4), ())
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["vectors.npy"] += shop.client._secret.key.to_string()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(InputError, match="holds a secret key"):
        programs.load(path)


def test_files_that_are_no_artefacts(tmp_path: Path, shop: Shop, saved: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        programs.load(tmp_path / "absent")
    with pytest.raises(InputError, match="is a secret key; a server never has one"):
        programs.load(shop.folder / "a.key")
    with pytest.raises(InputError, match="is no artefact"):
        programs.load(keys.evaluation_path(shop.folder / "a.key"))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_gallery_is_refused(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("g") / "g.eyelid"
    told = gallery_file.save_plain(path, "g", vectors_of(3, 4), ("a", "b", "c"))
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= data.draw(st.integers(1, 255))
    else:
        del whole[place:]
    path.write_bytes(whole)
    try:
        program = programs.load(path)
    except InputError:
        return
    assert program.offer == told


def test_embeddings_that_are_none() -> None:
    for wrong in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.ones((1, 5)), np.ones(4)):
        with pytest.raises(InputError):
            gallery.normalised(wrong, 4)
