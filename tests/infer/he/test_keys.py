"""Secret keys are sealed, evaluation keys hold no secret, and what is damaged or foreign is refused."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import seal
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InferenceError, InputError, OutputError, UsageError
from eyelid.infer.he import blob, evaluation_keys, gallery, keys
from eyelid.infer.he.client import Client
from eyelid.infer.he.residues import pack
from eyelid.infer.he.scheme import Demands
from tests.infer.he.conftest import PASSPHRASE, Shop

DEMANDS = Demands(scheme=gallery.scheme(), rotations=(1, -5, 64), relinearise=True)
ARTEFACT = "cd" * 32


def secret_forms(path: Path) -> list[bytes]:
    """Return the beginnings of the secret key as it could lie around: words, bytes of SEAL, packed bits."""
    opened = keys.read(path, PASSPHRASE)
    scheme = opened.header.demands.scheme
    residues = blob.secret_residues(opened.key, scheme)
    packed = pack(residues, scheme.moduli)
    return [residues[0, :8].tobytes(), residues[1, :8].tobytes(), packed[:64], packed[4096:4160]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("made") / "client.key"
    keys.generate(path, ARTEFACT, DEMANDS, PASSPHRASE)
    return path


def test_a_key_opens_with_its_passphrase_alone(made: Path) -> None:
    opened = keys.read(made, PASSPHRASE)
    assert opened.header.demands == DEMANDS
    assert opened.header == keys.read_header(made)
    assert repr(opened) == f"SecretKey({opened.header.key_id})"
    for wrong in ("", "correct hors", PASSPHRASE + " "):
        with pytest.raises(InputError, match="passphrase is another"):
            keys.read(made, wrong)


def test_the_secret_is_in_neither_file_and_only_its_owner_may_read_it(made: Path) -> None:
    files = made.read_bytes(), keys.evaluation_path(made).read_bytes()
    for form in secret_forms(made):
        assert all(form not in data for data in files)
    assert made.stat().st_mode & 0o777 == 0o600


def test_a_key_is_never_replaced_and_wants_a_passphrase(made: Path, tmp_path: Path) -> None:
    before = made.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        keys.generate(made, ARTEFACT, DEMANDS, PASSPHRASE)
    assert made.read_bytes() == before
    with pytest.raises(UsageError, match="less than 8"):
        keys.generate(tmp_path / "k", ARTEFACT, DEMANDS, "short")
    with pytest.raises(OutputError):
        keys.generate(tmp_path / "absent" / "k", ARTEFACT, DEMANDS, PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


def test_a_key_and_its_evaluation_keys_are_written_both_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails when the evaluation keys get their name, after the key has its own."""
    from eyelid.media import atomic

    def fails(_partial: Path, final: Path, _mode: int, *, force: bool) -> None:
        assert final.with_suffix("").exists()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(atomic, "_publish", fails)
    with pytest.raises(OutputError, match="input/output error"):
        keys.generate(tmp_path / "k", ARTEFACT, DEMANDS, PASSPHRASE)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_changed_key_file_does_not_open(made: Path, data: st.DataObject) -> None:
    whole = bytearray(made.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    if data.draw(st.booleans()):
        whole[place] ^= data.draw(st.integers(1, 255))
    else:
        del whole[place:]
    changed = made.with_name("changed.key")
    changed.write_bytes(whole)
    with pytest.raises(InputError):
        keys.read(changed, PASSPHRASE)


def test_what_a_key_says_in_the_clear_cannot_be_changed(made: Path) -> None:
    whole = made.read_bytes()
    later = whole.replace(b'"expires":"20', b'"expires":"21', 1)
    assert later != whole
    changed = made.with_name("later.key")
    changed.write_bytes(later)
    with pytest.raises(InputError, match="passphrase is another, or it is damaged"):
        keys.read(changed, PASSPHRASE)


def test_files_that_are_no_keys(tmp_path: Path, made: Path) -> None:
    with pytest.raises(InputError, match=r"there is no key .* keygen"):
        keys.read(tmp_path / "absent", PASSPHRASE)
    with pytest.raises(InputError, match="is no key"):
        keys.read(keys.evaluation_path(made), PASSPHRASE)


def test_rotation_keeps_the_old_key_for_old_answers(tmp_path: Path) -> None:
    path = tmp_path / "client.key"
    first = keys.generate(path, ARTEFACT, DEMANDS, PASSPHRASE)
    with pytest.raises(InputError):
        keys.rotate(path, "another word", ARTEFACT, DEMANDS)
    second, kept = keys.rotate(path, PASSPHRASE, ARTEFACT, DEMANDS)
    assert second.key_id != first.key_id
    assert keys.read(kept, PASSPHRASE).header.key_id == first.key_id
    assert keys.read(path, PASSPHRASE).header.key_id == second.key_id
    found = evaluation_keys.read(keys.evaluation_path(path).read_bytes(), DEMANDS, second.key_id)
    assert found.key_id == second.key_id
    assert {item.name for item in tmp_path.iterdir()} == {path.name, f"{path.name}.eval", kept.name}


class Cut(BaseException):
    """The machine stops: nothing that runs afterwards helps."""


def fail_at(step: int, why: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the ``step``-th renaming of a rotation fail."""
    real, renamed = Path.replace, count(1)

    def replace(source: Path, target: Path) -> Path:
        if ".next" in source.name and next(renamed) == step:
            raise why
        return real(source, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.mark.parametrize("step", [1, 2])
def test_a_rotation_that_fails_changes_nothing(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "client.key"
    keys.generate(path, ARTEFACT, DEMANDS, PASSPHRASE)
    before = {item.name: item.read_bytes() for item in tmp_path.iterdir()}
    fail_at(step, OSError(5, "Input/output error"), monkeypatch)
    with pytest.raises(OutputError, match="it is as it was"):
        keys.rotate(path, PASSPHRASE, ARTEFACT, DEMANDS)
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == before


@pytest.mark.parametrize("step", [1, 2])
def test_a_rotation_that_was_cut_off_can_be_done_again(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No key is lost, and what lay around is gone."""
    path = tmp_path / "client.key"
    first = keys.generate(path, ARTEFACT, DEMANDS, PASSPHRASE)
    with monkeypatch.context() as inside:
        inside.setattr(keys, "ExitStack", _Nothing)
        fail_at(step, Cut(), inside)
        with pytest.raises(Cut):
            keys.rotate(path, PASSPHRASE, ARTEFACT, DEMANDS)
    second, _ = keys.rotate(path, PASSPHRASE, ARTEFACT, DEMANDS)
    old = {keys.read(item, PASSPHRASE).header.key_id for item in tmp_path.glob("*.old")}
    assert first.key_id in old
    assert keys.read(path, PASSPHRASE).header.key_id == second.key_id
    evaluation_keys.read(keys.evaluation_path(path).read_bytes(), DEMANDS, second.key_id)
    assert not list(tmp_path.glob("*.next*"))


def test_another_file_in_the_place_of_the_old_key_stays(tmp_path: Path) -> None:
    path = tmp_path / "client.key"
    first = keys.generate(path, ARTEFACT, DEMANDS, PASSPHRASE)
    kept = tmp_path / f"client.key-{first.key_id}.old"
    kept.write_bytes(b"something else")
    with pytest.raises(OutputError, match="exists"):
        keys.rotate(path, PASSPHRASE, ARTEFACT, DEMANDS)
    assert keys.read(path, PASSPHRASE).header.key_id == first.key_id
    assert kept.read_bytes() == b"something else"
    assert not list(tmp_path.glob("*.next*"))


class _Nothing(ExitStack):
    """Undoes nothing, as when the machine stops."""

    def __exit__(self, *_: object) -> None:
        pass


def test_the_size_of_evaluation_keys_is_known_before_they_come(made: Path) -> None:
    data = keys.evaluation_path(made).read_bytes()
    assert len(data) - evaluation_keys.body_size(DEMANDS) < 1000
    assert len(data) <= evaluation_keys.max_size(DEMANDS)
    found = evaluation_keys.read(data, DEMANDS)
    assert found.galois is not None
    assert found.relin is not None
    raw = len(found.galois.to_string()) + len(found.relin.to_string())
    assert len(data) < 0.45 * raw


def test_evaluation_keys_for_something_else_or_with_another_id_are_refused(made: Path) -> None:
    data = keys.evaluation_path(made).read_bytes()
    with pytest.raises(InputError, match="another model"):
        evaluation_keys.read(data, Demands(scheme=gallery.scheme(), rotations=(1,), relinearise=True))
    with pytest.raises(InputError, match="another key id"):
        evaluation_keys.read(data, DEMANDS, "00" * 16)
    with pytest.raises(InputError, match="no file of evaluation keys"):
        evaluation_keys.read(made.read_bytes(), DEMANDS)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_changed_evaluation_keys_are_refused(made: Path, data: st.DataObject) -> None:
    whole = bytearray(keys.evaluation_path(made).read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1) | st.integers(0, 300))
    match data.draw(st.sampled_from(("flip", "cut", "add"))):
        case "flip":
            whole[place] ^= data.draw(st.integers(1, 255))
        case "cut":
            del whole[place:]
        case _:
            whole += b"\0"
    with pytest.raises(InputError):
        evaluation_keys.read(whole, DEMANDS)


def test_expired_keys_encrypt_no_more_and_are_taken_no_more(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "old.key"
    keys.generate(path, shop.offer.artefact, shop.offer.demands, PASSPHRASE, days=-1)
    data = keys.evaluation_path(path).read_bytes()
    with pytest.raises(InferenceError, match="expired on"):
        shop.server.add_keys(data)
    with pytest.raises(InferenceError, match="--rotate"):
        keys.read(path, PASSPHRASE).check_time()
    client = Client(shop.offer, keys.read(path, PASSPHRASE))
    with pytest.raises(InferenceError, match="expired on"):
        client.encrypt(shop.vectors[0])
    header = evaluation_keys.read_header(data)
    evaluation_keys.check_time("x", header.expires, header.expires - timedelta(seconds=1))


def test_a_key_for_another_step_than_demanded_is_not_written() -> None:
    generator = seal.KeyGenerator(DEMANDS.scheme.context)
    galois = seal.GaloisKeys()
    generator.create_galois_keys([7], galois)
    residues = blob.secret_residues(generator.secret_key(), DEMANDS.scheme)
    now = datetime.now(UTC)
    header = evaluation_keys.Header(demands=DEMANDS, created=now, expires=now)
    with pytest.raises(InputError, match="nothing demands it"):
        list(evaluation_keys.write(header, residues, galois, None))
