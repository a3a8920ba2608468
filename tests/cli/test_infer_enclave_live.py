"""``eyelid infer enclave`` serve, measure, policy, seal, predict and verify URL, as a user runs them."""

from __future__ import annotations

import json
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from eyelid.infer.enclave.software_tpm import SoftwareTpm
from tests.infer.enclave import live

from .program import Here, start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

needs_tpm = pytest.mark.skipif(bool(live.MISSING), reason=f"needs {live.MISSING}")


@contextmanager
def served(*options: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Run the server in a process of its own; yield its address, and what it said once it has ended."""
    process = start("infer", "enclave", "serve", *options, "--port", "0", "--json")
    said: list[str] = []
    line = ""
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr and process.stderr.read()
        yield json.loads(line)["address"], said
    finally:
        process.send_signal(signal.SIGTERM)
        said += [line, *process.communicate(timeout=120)]


@needs_tpm
@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_from_measuring_to_an_answer(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    noise = live.picture(3, side=40)
    Image.fromarray(noise[:, :, ::-1]).save(tmp_path / "picture.png")
    with SoftwareTpm(tmp_path / "tpm") as tpm:
        root = tpm.root_file
    policy = tmp_path / "policy.toml"
    options = ("--root", root, "--assurance", "software-tpm", "-o", policy)
    made = here("infer", "enclave", "policy", model, *options)
    assert made.code == 0, made.err
    measured = here("infer", "enclave", "measure", model)
    assert measured.out.strip() in policy.read_text()
    with served(model, "--evidence", "tpm", "--tpm", f"software:{tmp_path / 'tpm'}") as (address, said):
        with live.Tap(address) as tap:
            done = here("infer", "enclave", "predict", tmp_path / "picture.png", tap.address, "-p", policy)
        assert done.code == 0, done.err
        assert "assurance: software-tpm" in done.out
        assert "scores 1x2, largest at 0" in done.out
        told = here("infer", "enclave", "predict", tmp_path / "picture.png", address, "-p", policy, "--json")
        event = told.events[0]
        assert event["assurance"] == "software-tpm"
        assert event["outputs"]["scores"][0][0] == pytest.approx(noise.mean() / 255, abs=0.01)
        verdict = here("infer", "enclave", "verify", address, "-p", policy)
        assert verdict.code == 0
        assert "software-tpm" in verdict.out
        live.write_model(model, weight=2)
        other = here("infer", "enclave", "policy", model, *options, "--force")
        assert other.code == 0
        refused = here("infer", "enclave", "predict", tmp_path / "picture.png", address, "-p", policy)
        assert refused.code == 1
        assert "refused" in refused.sentence
        assert here("infer", "enclave", "verify", address, "-p", policy).code == 1
    logs = "".join(said).encode()
    assert b'"address"' in logs
    assert live.image_bytes_in(bytes(tap.up + tap.down) + logs + done.out.encode(), noise) == 0
    assert b"picture" not in logs


@needs_tpm
@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_sealed_model_is_served_once_in_each_boot(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    Image.fromarray(live.picture(3)).save(tmp_path / "picture.png")
    sealed, key = tmp_path / "model.sealed", tmp_path / "model.sealed.key"
    software = f"software:{tmp_path / 'tpm'}"
    done = here("infer", "enclave", "seal", model, "-o", sealed, "--tpm", software)
    assert done.code == 0, done.err
    assert model.read_bytes()[:200] not in sealed.read_bytes()
    again = here("infer", "enclave", "seal", model, "-o", sealed, "--tpm", software)
    assert again.code == 1
    policy = tmp_path / "policy.toml"
    root = SoftwareTpm(tmp_path / "tpm").root_file
    options = ("--root", root, "--assurance", "software-tpm", "-o", policy, "--sealed")
    assert here("infer", "enclave", "policy", sealed, *options).code == 0
    with served(sealed, "--evidence", "tpm", "--tpm", software, "--sealed-key", key) as (address, _):
        done = here("infer", "enclave", "predict", tmp_path / "picture.png", address, "-p", policy)
        assert done.code == 0, done.err
    with SoftwareTpm(tmp_path / "tpm") as tpm:
        plain = ("--evidence", "tpm", "--tpm", tpm.socket)
        refused = here("infer", "enclave", "serve", sealed, *plain, "--sealed-key", model)
        assert "not the key of a sealed model" in refused.sentence
        refused = here("infer", "enclave", "serve", sealed, *plain)  # as if it were a plain one
        assert refused.code == 1
        assert "not a sound ONNX network" in refused.sentence


@pytest.mark.skipif("tpm2-pytss" in live.MISSING, reason="needs tpm2-pytss")
def test_a_model_that_cannot_be_sealed_leaves_no_file(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    sealed = tmp_path / "model.sealed"
    done = here("infer", "enclave", "seal", model, "-o", sealed, "--tpm", tmp_path / "no-tpm")
    assert done.code == 1
    assert "no TPM at" in done.sentence
    assert list(tmp_path.iterdir()) == [model]
    (tmp_path / "model.sealed.key").touch()
    done = here("infer", "enclave", "seal", model, "-o", sealed, "--tpm", tmp_path / "no-tpm")
    assert "model.sealed.key exists already" in done.sentence
    assert "--force" not in done.sentence  # seal has no such option


def test_tls_needs_a_certificate_and_its_key(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    done = here("infer", "enclave", "serve", model, "--evidence", "tpm", "--tls-key", "k.pem")
    assert done.code == 2
    assert "give both --tls-certificate and --tls-key" in done.sentence


def test_evidence_that_this_machine_cannot_give_is_refused(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    for kind, why in (
        ("tdx", "gives no evidence of tdx"),
        ("sev-snp", "gives no evidence of sev-snp"),
        ("snp", "gives no evidence of sev-snp"),
        ("nitro", "not collected"),
        ("sgx", "not collected"),
    ):
        done = here("infer", "enclave", "serve", model, "--evidence", kind, "--port", "0")
        assert done.code == 1
        assert why in done.sentence
        assert done.out == ""
    done = here("infer", "enclave", "serve", model, "--evidence", "insecure-dev")
    assert done.code == 2
    assert "no kind of evidence" in done.sentence


@pytest.mark.skipif("tpm2-pytss" in live.MISSING, reason="needs tpm2-pytss")
def test_without_a_tpm_nothing_is_served(here: Here, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    done = here("infer", "enclave", "serve", model, "--evidence", "tpm", "--tpm", tmp_path / "no-tpm")
    assert done.code == 1
    assert "no TPM at" in done.sentence


def test_bad_requests_are_one_sentence(here: Here, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "picture.png")
    policy = tmp_path / "policy.toml"
    assert here("infer", "enclave", "predict", "http://127.0.0.1:1", "-p", policy).code == 2
    assert (
        here("infer", "enclave", "predict", tmp_path / "picture.png", "http://127.0.0.1:1", "-p", policy).code
        == 2
    )
    assert here("infer", "enclave", "measure", tmp_path / "missing.onnx").code == 1
    root = ("--root", tmp_path / "picture.png", "-o", policy)
    assert here("infer", "enclave", "policy", "person", *root, "--assurance", "tee").code == 2
    assert here("infer", "enclave", "policy", "person", *root, "--assurance", "hardware-tpm").code == 1
    assert not policy.exists()
