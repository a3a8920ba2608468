"""``eyelid infer he`` from the shell: what goes wrong is one sentence and a code."""

from __future__ import annotations

import shutil
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.infer.he import gallery_file, keys, programs
from eyelid.infer.he.server import Server
from eyelid.infer.he.service import application
from eyelid.infer.serving import serving
from tests.infer.certificate import make_certificate
from tests.infer.networks import OnnxBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.program import Here

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
PORTRAIT = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
WORD = "correct horse"


@pytest.fixture(autouse=True)
def cheap_guesses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "SCRYPT_N", 2**4)
    monkeypatch.setenv("EYELID_PASSPHRASE", WORD)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces").mkdir()
    shutil.copy(PORTRAIT, tmp_path / "faces" / "eileen.jpg")
    return tmp_path


@pytest.fixture
def small(desk: Path) -> Path:
    """A gallery without a face in it, which needs no network to make."""
    path = desk / "small.eyelid"
    gallery_file.save_plain(path, "small", np.eye(4), ("a", "b", "c", "d"))
    return path


@pytest.fixture
def address(small: Path) -> Iterator[str]:
    with serving(application(Server(programs.load(small)))) as where:
        yield where


def test_a_face_is_matched_and_nobody_else_can_tell(here: Here, desk: Path) -> None:
    assert here("infer", "he", "gallery", "faces").code == 0
    made = here("infer", "he", "keygen", "gallery.eyelid")
    assert made.code == 0
    assert "keep it secret" in made.out
    with serving(application(Server(programs.load(desk / "gallery.eyelid")))) as where:
        matched = here("infer", "he", "match", PORTRAIT, "--server", where)
        assert matched.out == " 1.000  same person  eileen.jpg\n"
        (event,) = here("infer", "he", "match", PORTRAIT, "--server", where, "--json").events
        assert event == {"event": "match", "name": "eileen.jpg", "index": 0, "similarity": 1.0, "same": True}
        refused = here("infer", "he", "predict", PORTRAIT, "--server", where)
        assert refused.code == 1
        assert "has a gallery, not a network; use match" in refused.sentence


def test_a_gallery_needs_one_face_in_each_picture(here: Here, desk: Path) -> None:
    (desk / "empty").mkdir()
    assert "holds no pictures" in here("infer", "he", "gallery", "empty").sentence
    assert "is no folder" in here("infer", "he", "gallery", "absent").sentence


def test_what_cannot_be_written_is_refused_before_any_work(here: Here, desk: Path) -> None:
    model = desk / "model.onnx"
    model.write_bytes(b"no network, nor need it be one")
    calibrate = ("--calibrate", "faces")
    itself = here("infer", "he", "compile", model, *calibrate, "-o", model, "--force")
    assert itself.code == 1
    assert "is the input itself" in itself.sentence
    assert model.read_bytes().startswith(b"no network")
    (desk / "server.eyelid").touch()
    assert "exists already" in here("infer", "he", "compile", model, *calibrate).sentence
    assert "exists already" in here("infer", "he", "gallery", "empty", "-o", "server.eyelid").sentence
    encrypted = here("infer", "he", "gallery", "faces", "-o", "server.eyelid", "--encrypt")
    assert "exists already" in encrypted.sentence
    assert not (desk / "client.key").exists()


def test_keys_from_a_server_rotate(here: Here, address: str, desk: Path) -> None:
    assert here("infer", "he", "keygen", address, "-o", "my.key").code == 0
    again = here("infer", "he", "keygen", address, "-o", "my.key")
    assert again.code == 1
    assert "exists" in again.sentence
    before = keys.read_header(desk / "my.key")
    rotated = here("infer", "he", "keygen", address, "-o", "my.key", "--rotate", "--days", "30")
    assert rotated.code == 0
    assert f"my.key-{before.key_id}.old" in rotated.out
    assert stat.S_IMODE((desk / "my.key").stat().st_mode) == 0o600


def test_the_wrong_passphrase(here: Here, address: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here("infer", "he", "keygen", address)
    monkeypatch.setenv("EYELID_PASSPHRASE", "another word")
    refused = here("infer", "he", "predict", PORTRAIT, "--server", address)
    assert refused.code == 1
    assert refused.sentence.startswith("client.key does not open")
    (desk / "word").write_text(WORD + "\n")
    opened = here("infer", "he", "predict", PORTRAIT, "--server", address, "--passphrase-file", "word")
    assert "use match" in opened.sentence
    absent = here("infer", "he", "keygen", address, "-o", "k", "--passphrase-file", "absent")
    assert "cannot be read from absent" in absent.sentence


def test_a_passphrase_that_nobody_gives(here: Here, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EYELID_PASSPHRASE")
    refused = here("infer", "he", "keygen", address)
    assert refused.code == 2
    assert "--passphrase-file" in refused.sentence
    monkeypatch.setenv("EYELID_PASSPHRASE", "short")
    assert here("infer", "he", "keygen", address).code == 2
    monkeypatch.setenv("EYELID_PASSPHRASE", "gr\udcfc\udcdfe, long enough")  # Latin-1, as Python reads it
    assert "is no UTF-8 text" in here("infer", "he", "keygen", address).sentence


def test_keys_that_are_not_there(here: Here, address: str, desk: Path) -> None:
    refused = here("infer", "he", "predict", PORTRAIT, "--server", address)
    assert refused.code == 1
    assert "no key client.key" in refused.sentence
    assert "eyelid infer he keygen" in refused.sentence
    here("infer", "he", "keygen", address)
    (desk / "client.key.eval").unlink()
    refused = here("infer", "he", "predict", PORTRAIT, "--server", address)
    assert refused.code == 1
    assert "client.key.eval cannot be read" in refused.sentence
    assert "eyelid infer he keygen --rotate" in refused.sentence
    assert here("infer", "he", "keygen", address, "--rotate").code == 0
    assert "use match" in here("infer", "he", "predict", PORTRAIT, "--server", address).sentence


def test_a_server_that_is_not_there(here: Here, address: str, desk: Path) -> None:
    here("infer", "he", "keygen", address)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{free.getsockname()[1]}"  # held, lest somebody else comes to listen there
        refused = here("infer", "he", "predict", PORTRAIT, "--server", gone)
    assert refused.code == 1
    assert "cannot be reached" in refused.sentence
    far = here("infer", "he", "keygen", "http://192.0.2.1:80", "-o", "k")
    assert far.code == 2
    assert "use https://" in far.sentence


def test_a_key_of_another_gallery(here: Here, address: str, desk: Path) -> None:
    gallery_file.save_plain(desk / "other.eyelid", "other", np.eye(8), ())
    here("infer", "he", "keygen", "other.eyelid")
    refused = here("infer", "he", "predict", PORTRAIT, "--server", address)
    assert refused.code == 1
    assert "give the key that keygen made for it" in refused.sentence


def test_a_port_that_is_taken(here: Here, small: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        refused = here("infer", "he", "serve", small, "--port", port)
    assert refused.code == 2
    assert f"port {port} on 127.0.0.1 is taken" in refused.sentence


def test_serving_what_must_not_be_served(here: Here, small: Path, desk: Path) -> None:
    here("infer", "he", "keygen", small)
    assert "a server never has one" in here("infer", "he", "serve", "client.key").sentence
    assert "is no artefact" in here("infer", "he", "serve", "client.key.eval").sentence
    assert "cannot be read" in here("infer", "he", "serve", "absent").sentence
    for options in (["--host", "0.0.0.0"], ["--tls-key", "k.pem"], ["--host", "host.example"]):
        refused = here("infer", "he", "serve", small, *options)
        assert refused.code == 2
        assert "TLS" in refused.sentence


def test_over_tls_with_an_authority_of_ones_own(here: Here, small: Path, desk: Path) -> None:
    tls = make_certificate(desk)
    with serving(application(Server(programs.load(small))), tls=tls) as where:
        assert where.startswith("https://")
        refused = here("infer", "he", "keygen", where)
        assert refused.code == 1
        assert "name its authority with --ca" in refused.sentence
        assert here("infer", "he", "keygen", where, "--ca", tls.certificate).code == 0


def test_a_model_that_is_none_and_a_target_that_is_none(here: Here, desk: Path) -> None:
    (desk / "junk.onnx").write_bytes(b"junk")
    refused = here("infer", "he", "compile", "junk.onnx", "--calibrate", "faces")
    assert refused.code == 1
    assert "junk.onnx" in refused.sentence
    wrong = here("infer", "he", "compile", "junk.onnx", "--calibrate", "faces", "--target", "speed")
    assert wrong.code == 2
    assert "latency or throughput" in wrong.sentence
    assert not (desk / "server.eyelid").exists()


def test_images_out_of_the_calibrated_range_are_named_at_the_end(here: Here, desk: Path) -> None:
    build = OnnxBuilder((1, 4, 4))
    build.add("Flatten", "flat")
    build.add("MatMul", "scores", build.last, np.eye(16, 3, dtype=np.float32))
    build.save(desk / "small.onnx")
    dim = np.random.default_rng(0).random((5, 1, 4, 4)) / 20
    np.save(desk / "dim.npy", dim)
    np.save(desk / "mixed.npy", np.stack([dim[0], dim[1] * 0 + 1, dim[2]]))
    assert here("infer", "he", "compile", "small.onnx", "--calibrate", "dim.npy", "-o", "s.eyelid").code == 0
    assert here("infer", "he", "keygen", "s.eyelid").code == 0
    with serving(application(Server(programs.load(desk / "s.eyelid")))) as where:
        assert here("infer", "he", "predict", "dim.npy", "--server", where).code == 0
        some = here("infer", "he", "predict", "mixed.npy", "--server", where)
    assert some.code == 1
    assert [line.split(":")[0] for line in some.out.splitlines()] == ["mixed.npy[0]", "mixed.npy[2]"]
    assert some.sentence.startswith("mixed.npy[1]: outside of what the network was calibrated for")
