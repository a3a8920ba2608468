"""What a change of one byte does, from start to refusal; and keys that a verifier must not accept."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from eyelid.errors import AttestationError, EyelidError, InferenceError, InputError, ModelError, UsageError
from eyelid.infer.enclave import manifest, tpm_device
from eyelid.infer.enclave.attester import TpmAttester
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Evidence, Kind
from eyelid.infer.enclave.launch import Enclosed, Launch
from eyelid.infer.enclave.manifest import CODE, Configuration
from eyelid.infer.enclave.sealed import encrypt, seal_key
from eyelid.infer.enclave.serve import enclave_application
from eyelid.infer.enclave.tpm_credential import make_credential
from eyelid.infer.enclave.tpm_device import Tpm, TpmError
from eyelid.infer.enclave.tpm_link import open_tpm
from eyelid.infer.enclave.verify import verify
from eyelid.infer.enclave.worker import Question
from eyelid.infer.serving import serving
from tests.infer.enclave import live

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eyelid.infer.enclave.software_tpm import SoftwareTpm

PICTURE = live.picture(1)
MANIFEST = hashlib.sha256(b"a workload").digest()


@pytest.fixture(autouse=True)
def few_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing all of them at each start takes most of the time; test_manifest.py does."""
    monkeypatch.setattr(manifest, "LIBRARIES", ("pydantic",))


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A copy of the package, that tests may change and nobody else does."""
    copy = tmp_path / "code" / "eyelid"
    shutil.copytree(CODE, copy, ignore=shutil.ignore_patterns("__pycache__", "weights"))
    (copy / "models" / "weights").mkdir()
    return copy


@contextmanager
def device_of(tpm: SoftwareTpm) -> Iterator[Tpm]:
    file = open_tpm(tpm.socket)
    with Tpm(file) as device:
        yield device
    os.close(file)


def add_one_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def remove_one_byte(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
def test_one_byte_more_in_model_or_code_ends_all(tpm: SoftwareTpm, tmp_path: Path, code: Path) -> None:
    """The whole story: sealed model, sealed key, restart after restart."""
    model = tmp_path / "model.sealed"
    secret, content = encrypt(live.write_model(tmp_path / "model.onnx").read_bytes())
    model.write_bytes(content)
    tpm.reboot()
    unsealed = Launch(
        Configuration(sealed=True), model, tpm=tpm.socket, certificates=tpm.certificates, code=code
    )
    with device_of(tpm) as device:
        sealed = seal_key(device, secret, unsealed.manifest().digest)
    launch = Launch(
        Configuration(sealed=True),
        model,
        tpm=tpm.socket,
        certificates=tpm.certificates,
        sealed=sealed,
        code=code,
    )
    policy = live.policy_for(tpm, tmp_path, launch.manifest().digest)

    def ask() -> None:
        with (
            Enclosed(launch) as workload,
            serving(enclave_application(workload)) as address,
            live.client_of(address, policy) as client,
        ):
            assert client.predict(PICTURE).outputs[0].array()[0, 0] == pytest.approx(PICTURE.mean() / 255)

    ask()
    with device_of(tpm) as device:  # another program on the same machine, in the measured state
        key = device.make_key()
        with device.loaded(key) as handle:
            point = tpm_device.point_of(key.public)
            device.exchange(handle, point)
    with pytest.raises(AttestationError, match="opens once in each boot"):
        ask()

    for changed in (model, code / "infer" / "enclave" / "worker.py", code / "detect" / "nanodet.py"):
        add_one_byte(changed)
        tpm.reboot()
        with pytest.raises(AttestationError, match="0x99d"):  # the model's key stays sealed
            Enclosed(launch)
        with device_of(tpm) as device, device.loaded(key) as handle, pytest.raises(TpmError) as refused:
            device.exchange(handle, point)
        assert refused.value.code == 0x99D
        remove_one_byte(changed)

    tpm.reboot()
    ask()


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("what", ["model", "configuration"])
def test_a_client_refuses_what_its_policy_does_not_list(
    tpm: SoftwareTpm, tmp_path: Path, code: Path, what: str
) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    launch = Launch(model=model, tpm=tpm.socket, certificates=tpm.certificates, code=code)
    policy = live.policy_for(tpm, tmp_path, launch.manifest().digest)
    if what == "model":
        live.write_model(model, weight=1.0000001)
    else:
        launch = replace(launch, configuration=Configuration(threads=2))
    tpm.reboot()
    with (
        Enclosed(launch) as workload,
        serving(enclave_application(workload)) as address,
        live.Tap(address) as tap,
        live.client_of(tap.address, policy) as client,
        pytest.raises(AttestationError, match="manifest"),
    ):
        client.predict(PICTURE)
    assert live.image_bytes_in(tap.up, PICTURE) == 0
    assert b"/infer" not in tap.up


def test_a_server_cannot_start_where_something_else_was_measured(
    tpm: SoftwareTpm, tmp_path: Path, code: Path
) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    launch = Launch(model=model, tpm=tpm.socket, certificates=tpm.certificates, code=code)
    tpm.reboot()
    with Enclosed(launch):
        pass
    with Enclosed(launch) as again:  # the same workload may start again
        assert again.evidence(Question(nonce=bytes(32)))
    live.write_model(model, weight=2)
    with pytest.raises(AttestationError, match="restart the machine"):
        Enclosed(launch)
    with Enclosed(replace(launch, pcr=12)):
        pass


def test_requests_larger_than_the_shared_memory_are_refused(tpm: SoftwareTpm, tmp_path: Path) -> None:
    tpm.reboot()
    with Enclosed(Launch(model=live.write_model(tmp_path / "model.onnx"), tpm=tpm.socket)) as workload:
        part = bytes(2**26)
        with pytest.raises(InputError, match="larger than any"):
            workload.infer([part] * 4 + [b"x"])
        with pytest.raises(InferenceError, match="ask for evidence again"):
            workload.infer([b"x"])  # the worker lives


def test_the_worker_refuses_another_model_than_was_measured(
    tpm: SoftwareTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    launch = Launch(model=model, tpm=tpm.socket)
    tpm.reboot()
    measured = Enclosed._measured

    def swap(self: Enclosed, launch: Launch, opened: ExitStack) -> int | None:
        live.write_model(model, weight=3)
        return measured(self, launch, opened)

    monkeypatch.setattr(Enclosed, "_measured", swap)
    with pytest.raises(AttestationError, match="changed after it was measured"):
        Enclosed(launch)


def test_bad_launches_are_one_sentence(tpm: SoftwareTpm, tmp_path: Path) -> None:
    model = live.write_model(tmp_path / "model.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for launch, kind in (
        (Launch(tpm=tpm.socket), UsageError),
        (Launch(Configuration(detector="person"), model, tpm=tpm.socket), UsageError),
        (Launch(model=model), UsageError),
        (Launch(model=tmp_path / "missing.onnx", tpm=tpm.socket), ModelError),
        (Launch(model=model, tpm=tmp_path / "missing"), AttestationError),
        (Launch(model=model, kind=Kind.TDX, tsm=tmp_path / "missing"), AttestationError),
        (Launch(model=tmp_path / "bad.onnx", tpm=tpm.socket, pcr=13), AttestationError),
    ):
        with pytest.raises(EyelidError) as refused:
            Enclosed(launch)
        assert isinstance(refused.value, kind), refused.value


KEYS: dict[str, tuple[dict[str, Any], bool]] = {
    "as it should be": ({}, True),
    "userWithAuth": ({"attributes": "decrypt|userwithauth"}, False),
    "empty authPolicy": ({"policy": b"", "attributes": "decrypt|userwithauth"}, False),
    "empty authPolicy without userWithAuth": ({"policy": b""}, False),
    "the policy of another state": ({"policy": tpm_device.pcr_policy(bytes(32))}, False),
    "the policy of another PCR": ({"policy": "pcr 12"}, False),
    "a key that can leave": ({"attributes": "decrypt", "fixed": ""}, False),
}


@pytest.mark.parametrize(("key", "good"), KEYS.values(), ids=KEYS)
def test_keys_that_are_not_bound_to_the_state_are_refused(
    key: dict[str, Any], good: bool, tpm: SoftwareTpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The TPM itself certifies each of these keys: only the verifier's look at them protects."""
    from tpm2_pytss import TPM2B_PUBLIC

    def make_key(self: Tpm) -> tpm_device.Blob:
        policy = key.get("policy", tpm_device.pcr_policy(self.value(), self.pcr))
        if policy == "pcr 12":
            policy = tpm_device.pcr_policy(self.value(), 12)
        fixed = key.get("fixed", "fixedtpm|fixedparent|")
        attributes = f"{fixed}sensitivedataorigin|noda|{key.get('attributes', 'decrypt')}"
        template = TPM2B_PUBLIC.parse("ecc256:ecdh", objectAttributes=attributes, authPolicy=policy)
        return self._create(None, template)

    monkeypatch.setattr(Tpm, "make_key", make_key)
    policy = live.policy_for(tpm, tmp_path, MANIFEST)
    tpm.reboot()
    with device_of(tpm) as device:
        device.measure(MANIFEST)
        device.cap()
        with closing(TpmAttester(device, MANIFEST, 600, tpm.certificates)) as attester:
            nonce = os.urandom(32)
            credential = make_credential(device.ek_certificate(), device.ak_public())
            evidence = attester.evidence(nonce, (credential.blob, credential.encrypted_secret))
    verdict = verify(evidence, policy, challenge=Challenge(nonce, credential))
    assert verdict.passed == good, [check.reason for check in verdict.failures]


def test_an_attestation_key_outside_of_the_tpm_is_refused(tpm: SoftwareTpm, tmp_path: Path) -> None:
    """A quote of sound form, signed by a key that is no TPM's: it can't be activated."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    policy = live.policy_for(tpm, tmp_path, MANIFEST)
    tpm.reboot()
    with device_of(tpm) as device:
        device.measure(MANIFEST)
        device.cap()
        with closing(TpmAttester(device, MANIFEST, 600, tpm.certificates)) as attester:
            nonce = os.urandom(32)
            real = attester.evidence(nonce, None)
            forger = ec.generate_private_key(ec.SECP256R1())
            numbers = forger.public_key().public_numbers()
            assert real.tpm is not None
            ak = real.tpm.ak[:-68] + b"".join(
                b"\x00\x20" + n.to_bytes(32, "big") for n in (numbers.x, numbers.y)
            )

            def sign(content: bytes) -> bytes:
                r, s = decode_dss_signature(forger.sign(content, ec.ECDSA(hashes.SHA256())))
                return b"\x00\x18\x00\x0b" + b"".join(b"\x00\x20" + n.to_bytes(32, "big") for n in (r, s))

            credential = make_credential(device.ek_certificate(), ak)
            with pytest.raises(TpmError, match="activate"):
                device.activate(credential.blob, credential.encrypted_secret)
    assert real.tpm.key_attest is not None
    parts = real.tpm.model_copy(
        update={"ak": ak, "signature": sign(real.report), "key_signature": sign(real.tpm.key_attest)}
    )
    forged: Evidence = real.model_copy(update={"tpm": parts})
    verdict = verify(forged, policy, challenge=Challenge(nonce, credential))
    assert not verdict.passed
    assert "activation" in {check.name for check in verdict.failures}
