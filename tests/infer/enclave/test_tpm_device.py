"""The TPM's commands, on swtpm: what it refuses is the proof."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from eyelid.errors import AttestationError
from eyelid.infer.enclave import hpke
from eyelid.infer.enclave.evidence import CAP, workload_pcr
from eyelid.infer.enclave.sealed import decrypt, encrypt, seal_key, unseal_key
from eyelid.infer.enclave.tpm_credential import make_credential
from eyelid.infer.enclave.tpm_device import (
    PCRS_EXTENDABLE,
    POLICY_FAIL,
    Tpm,
    TpmError,
    pcr_policy,
    point_of,
)
from eyelid.infer.enclave.tpm_link import open_tpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from eyelid.infer.enclave.software_tpm import SoftwareTpm

ONE = hashlib.sha256(b"one workload").digest()
OTHER = hashlib.sha256(b"one workloae").digest()


@contextmanager
def booted(tpm: SoftwareTpm, *, manifest: bytes | None = None, pcr: int = 11) -> Iterator[Tpm]:
    """Reboot, and measure a workload where one is given."""
    tpm.reboot()
    file = open_tpm(tpm.socket)
    try:
        with Tpm(file, pcr=pcr) as device:
            if manifest is not None:
                device.measure(manifest)
                device.cap()
            yield device
    finally:
        os.close(file)


def test_measuring_gives_the_value_that_verifiers_expect(tpm: SoftwareTpm) -> None:
    with booted(tpm) as device:
        assert device.value() == bytes(32)
        device.measure(ONE)
        assert device.value() == hashlib.sha256(bytes(32) + ONE).digest()
        device.cap()
        assert (
            device.value()
            == workload_pcr(ONE)
            == hashlib.sha256(hashlib.sha256(bytes(32) + ONE).digest() + CAP).digest()
        )


@pytest.mark.parametrize("pcr", PCRS_EXTENDABLE)
def test_the_policy_digest_is_the_tpms_own(tpm: SoftwareTpm, pcr: int) -> None:
    with booted(tpm, manifest=ONE, pcr=pcr) as device, device._policy(pcr=True) as policy:
        assert bytes(device._esys.policy_get_digest(policy)) == pcr_policy(device.value(), pcr)


@pytest.mark.parametrize("pcr", PCRS_EXTENDABLE)
def test_the_pcr_cannot_be_reset(tpm: SoftwareTpm, pcr: int) -> None:
    from tpm2_pytss import TSS2_Exception

    with booted(tpm, manifest=ONE, pcr=pcr) as device:
        with pytest.raises(TSS2_Exception, match="locality"):
            device._esys.pcr_reset(device._pcr_handle)
        assert device.value() == workload_pcr(ONE)


def test_the_attack_works_on_a_pcr_that_can_be_reset(tpm: SoftwareTpm) -> None:
    from tpm2_pytss import ESYS_TR

    with booted(tpm, manifest=OTHER, pcr=16) as device:
        device._esys.pcr_reset(ESYS_TR.PCR16)
        device.measure(ONE)
        device.cap()
        assert device.value() == workload_pcr(ONE)


def test_the_key_works_in_its_state_alone(tpm: SoftwareTpm) -> None:
    with booted(tpm, manifest=ONE) as device:
        key = device.make_key()
    public = point_of(key.public)
    enc, there = hpke.sender(public, b"info")
    sealed = there.seal(b"a picture", b"")
    with booted(tpm, manifest=ONE) as device, device.loaded(key) as handle:
        context = hpke.receiver(enc, public, b"info", lambda enc: device.exchange(handle, enc))
        assert context.open(sealed, b"") == b"a picture"
        device.cap()  # whatever is extended after it shuts the key
        with pytest.raises(TpmError) as refused:
            device.exchange(handle, enc)
        assert refused.value.code == POLICY_FAIL == 0x99D
    with booted(tpm, manifest=OTHER) as device, device.loaded(key) as handle:
        with pytest.raises(TpmError) as refused:
            device.exchange(handle, enc)
        assert refused.value.code == 0x99D
    with booted(tpm) as device, device.loaded(key) as handle, pytest.raises(TpmError, match="0x99d"):
        device.exchange(handle, enc)


def test_a_password_does_not_open_the_key(tpm: SoftwareTpm) -> None:
    from tpm2_pytss import ESYS_TR, TPM2B_ECC_POINT, TPMS_ECC_POINT, TSS2_Exception

    with booted(tpm, manifest=ONE) as device:
        key = device.make_key()
        enc, _ = hpke.sender(point_of(key.public), b"")
        given = TPM2B_ECC_POINT(TPMS_ECC_POINT(x=enc[1:33], y=enc[33:]))
        with device.loaded(key) as handle, pytest.raises(TSS2_Exception, match="auth"):
            device._esys.ecdh_zgen(handle, given, session1=ESYS_TR.PASSWORD)


def test_keys_differ_from_start_to_start_and_the_attestation_key_stays(tpm: SoftwareTpm) -> None:
    with booted(tpm, manifest=ONE) as device:
        first, ak, certificate = device.make_key(), device.ak_public(), device.ek_certificate()
    with booted(tpm, manifest=ONE) as device:
        assert device.make_key().public != first.public
        assert device.ak_public() == ak
        assert device.ek_certificate() == certificate


def test_a_credential_opens_only_for_its_own_pair_of_keys(tpm: SoftwareTpm, tmp_path: Path) -> None:
    from eyelid.infer.enclave.software_tpm import SoftwareTpm as Software

    with booted(tpm) as device:
        mine = make_credential(device.ek_certificate(), device.ak_public())
        assert device.activate(mine.blob, mine.encrypted_secret) == mine.secret
        with Software(tmp_path / "other") as other:
            file = open_tpm(other.socket)
            with Tpm(file) as stranger:
                relayed = make_credential(device.ek_certificate(), stranger.ak_public())
                elsewhere = make_credential(stranger.ek_certificate(), device.ak_public())
            os.close(file)
        for credential in (relayed, elsewhere):
            with pytest.raises(TpmError, match="activate"):
                device.activate(credential.blob, credential.encrypted_secret)
        with pytest.raises(AttestationError):
            device.activate(b"", b"\x00")


def test_a_sealed_model_opens_after_its_measurement_and_before_the_cap(tpm: SoftwareTpm) -> None:
    key, content = encrypt(b"weights")
    assert b"weights" not in content
    with booted(tpm) as device:
        sealed = seal_key(device, key, ONE)
        with pytest.raises(TpmError, match="0x99d"):
            unseal_key(device, sealed)
        device.measure(ONE)
        assert decrypt(content, unseal_key(device, sealed)) == b"weights"
        device.cap()
        with pytest.raises(TpmError, match="0x99d"):
            unseal_key(device, sealed)
    with booted(tpm) as device:
        device.measure(OTHER)
        with pytest.raises(TpmError, match="0x99d"):
            unseal_key(device, sealed)
    with booted(tpm) as device:
        device.measure(ONE)
        assert unseal_key(device, sealed) == key


def test_what_is_no_tpm_is_refused(tmp_path: Path, tpm: SoftwareTpm) -> None:
    with pytest.raises(AttestationError, match="no TPM at"):
        open_tpm(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(AttestationError, match="neither a device nor a socket"):
        open_tpm(tmp_path / "file")
