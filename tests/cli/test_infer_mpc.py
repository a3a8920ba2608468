"""``eyelid infer mpc`` as users run it: a party a process, and sentences for what is wrong."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.infer.mpc import setup
from eyelid.infer.mpc.rehearsal import peers_here
from tests.cli.program import PROGRAM, Here
from tests.infer.mpc.conftest import JOIN_S, hold
from tests.infer.networks import OnnxBuilder

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.infer.mpc.peers import Peers

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    draw = np.random.default_rng(9)
    builder = OnnxBuilder((1, 4, 4))
    builder.add("Flatten", "flatten")
    builder.add("Gemm", "fc1", builder.last, *_layer(draw, 6, 16), transB=1)
    builder.add("Relu", "relu")
    builder.add("Gemm", "fc2", builder.last, *_layer(draw, 3, 6), transB=1)
    builder.save(tmp_path / "model.onnx")
    np.save(tmp_path / "images.npy", draw.random((5, 1, 4, 4)).astype(np.float32))
    return tmp_path


def _layer(draw: np.random.Generator, out: int, into: int) -> tuple[np.ndarray, np.ndarray]:
    return draw.normal(0, 0.5, (out, into)).astype(np.float32), draw.normal(0, 0.5, out).astype(np.float32)


def write(peers: Peers, path: Path) -> None:
    roles = [f'{role} = "{getattr(peers, role)}"' for role in ("model_owner", "data_owner", "receiver")]
    parties = [
        f'[[party]]\nname = "{member.name}"\naddress = "{member.address}"\ncertificate = "{member.name}.pem"'
        for member in peers.party
    ]
    path.write_text("\n".join(roles + parties))


@pytest.fixture
def needs_spu() -> None:
    if reason := setup.missing():
        pytest.skip(reason)


@pytest.fixture
def eyelid(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    monkeypatch.chdir(folder)
    return Here(monkeypatch, capfd)


@pytest.mark.usefixtures("needs_spu")
def test_parties_in_processes_of_their_own_compute_together(folder: Path, eyelid: Here) -> None:
    peers = peers_here(folder, 3)
    write(peers, folder / "peers.toml")
    common = ["--peers", "peers.toml", "--connect", f"{JOIN_S:g}"]
    start = [*PROGRAM, "infer", "mpc", "party", *common, "--once", "--json"]
    others = [
        subprocess.Popen([*start, *own], cwd=folder, stdout=subprocess.PIPE, text=True)
        for own in (
            ["--id", "0", "--key", "model.key", "--model", "model.onnx"],
            ["--id", "helper", "--key", "helper.key"],
        )
    ]
    mine = ["--id", "data", "--key", "data.key", *common, "--profile", "--json"]
    with ExitStack() as kept:
        hold(peers, kept)
        done = eyelid("infer", "mpc", "predict", "images.npy", *mine)
        told = [other.communicate(timeout=JOIN_S)[0] for other in others]
    assert done.code == 0, done.err
    joined, answer = done.events
    assert joined["protocol"] == "aby3"
    assert "no two of them" in joined["assumption"]
    assert answer["images"] == [f"images.npy[{n}]" for n in range(5)]
    assert np.shape(answer["scores"]) == (5, 3)
    assert answer["labels"] == np.argmax(answer["scores"], 1).tolist()
    assert [layer["name"] for layer in answer["cost"]["layers"]] == ["flatten", "fc1", "relu", "fc2"]
    for other, lines in zip(others, told, strict=True):
        assert other.returncode == 0
        assert [json.loads(line).get("scores") for line in lines.splitlines()] == [None, None]


@pytest.mark.usefixtures("needs_spu")
def test_an_absent_party_is_a_sentence(folder: Path, eyelid: Here) -> None:
    write(peers_here(folder, 2), folder / "peers.toml")
    mine = ["--id", "data", "--key", "data.key", "--peers", "peers.toml", "--connect", "1"]
    done = eyelid("infer", "mpc", "predict", "images.npy", *mine)
    assert (done.code, done.out) == (1, "")
    assert "does not answer" in done.sentence


@pytest.mark.parametrize(
    ("own", "code", "sentence"),
    [
        (["--id", "9"], 2, "no party '9'"),
        (["--id", "data", "--protocol", "semi2k"], 2, "trusted dealer"),
        (["--id", "data", "--protocol", "aby3"], 2, "for 3 parties"),
        (["--id", "data", "--key", "model.key"], 1, "not the key"),
        (["--id", "data", "none.png"], 1, "none.png is not there"),
    ],
)
def test_wrong_uses_are_sentences(
    folder: Path, eyelid: Here, own: list[str], code: int, sentence: str
) -> None:
    write(peers_here(folder, 2), folder / "peers.toml")
    common = ["images.npy", "--peers", "peers.toml", "--key", "data.key"]
    done = eyelid("infer", "mpc", "predict", *common, *own)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.sentence


def test_the_owner_of_the_model_must_name_it(folder: Path, eyelid: Here) -> None:
    write(peers_here(folder, 2), folder / "peers.toml")
    done = eyelid("infer", "mpc", "party", "--id", "model", "--peers", "peers.toml", "--key", "model.key")
    assert done.code == 2
    assert "--model" in done.sentence


def test_a_certificate_is_made_once(folder: Path, eyelid: Here) -> None:
    assert eyelid("infer", "mpc", "certificate", "clinic").code == 0
    assert (folder / "clinic.key").stat().st_mode & 0o077 == 0
    done = eyelid("infer", "mpc", "certificate", "clinic")
    assert done.code == 1
    assert "there already" in done.sentence


def test_without_its_environment_it_says_what_to_do(
    folder: Path, eyelid: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(setup.ENVIRONMENT, str(folder / "nowhere"))
    done = eyelid("infer", "mpc", "rehearse", "model.onnx", "images.npy")
    assert done.code == 1
    assert "make it with 'eyelid infer mpc setup'" in done.sentence
