"""Attested inference over a socket: who gets the picture, and who does not."""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from eyelid.errors import AttestationError, InferenceError
from eyelid.infer.calling import Caller
from eyelid.infer.enclave import hpke
from eyelid.infer.enclave.attester import Attester, TpmAttester
from eyelid.infer.enclave.evidence import Binding, Evidence
from eyelid.infer.enclave.launch import Enclosed, Launch
from eyelid.infer.enclave.messages import pack_picture
from eyelid.infer.enclave.serve import enclave_application
from eyelid.infer.enclave.worker import Question
from eyelid.infer.serving import serving
from tests.infer.enclave import live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from eyelid.infer.enclave.policy_file import Policy
    from eyelid.infer.enclave.software_tpm import SoftwareTpm

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
PICTURE = live.picture(1, side=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def enclosed(tpm: SoftwareTpm, folder: Path) -> Iterator[Enclosed]:
    model = live.write_model(folder / "model.onnx")
    with Enclosed(Launch(model=model, tpm=tpm.socket, certificates=tpm.certificates)) as workload:
        yield workload


@pytest.fixture(scope="module")
def address(enclosed: Enclosed) -> Iterator[str]:
    with serving(enclave_application(enclosed)) as served:
        yield served


@pytest.fixture(scope="module")
def policy(tpm: SoftwareTpm, folder: Path, enclosed: Enclosed) -> Policy:
    return live.policy_for(tpm, folder, enclosed.manifest.digest)


class Impostor:
    """Stands before a real workload, and changes what goes through."""

    def __init__(self, workload: Enclosed) -> None:
        self.manifest = workload.manifest
        self.workload = workload
        self.requests: list[bytes] = []

    def evidence(self, question: Question) -> bytes:
        return self.workload.evidence(question)

    def infer(self, request: Sequence[bytes]) -> bytes:
        self.requests.append(b"".join(request))
        return self.workload.infer(request)


def ask(impostor: Impostor, policy: Policy) -> tuple[Any, live.Tap]:
    """Ask an impostor through a tap; return the answer, or the error."""
    application = enclave_application(impostor)  # type: ignore[arg-type]
    with (
        serving(application) as address,
        live.Tap(address) as tap,
        live.client_of(tap.address, policy) as client,
    ):
        try:
            return client.predict(PICTURE), tap
        except (AttestationError, InferenceError) as error:
            return error, tap


def test_the_answer_is_that_of_the_model(address: str, policy: Policy) -> None:
    with live.client_of(address, policy) as client:
        small = live.picture(2)
        answer = client.predict(small)
        assert client.appraisal is not None
        assert client.appraisal.passed
        assert client.appraisal.assurance.value == "software-tpm"
        assert answer.outputs[0].array()[0] == pytest.approx(
            [small.mean() / 255, -small.mean() / 255], abs=1e-6
        )
        first = client.predict(PICTURE)
        assert client.predict(PICTURE) == first


def test_no_byte_of_a_picture_is_on_the_wire_or_with_the_server(
    enclosed: Enclosed, address: str, policy: Policy
) -> None:
    with live.Tap(address) as tap, live.client_of(tap.address, policy) as client:
        for _ in range(3):
            client.predict(PICTURE)
    assert len(tap.up) > 3 * PICTURE.nbytes
    shared = enclosed._requests[:100_000]
    assert shared.rstrip(b"\0")[-16:] in tap.up  # what the sandbox shares with the server is what came
    assert live.image_bytes_in(shared, PICTURE) == 0
    assert live.image_bytes_in(tap.up + tap.down, PICTURE) == 0
    assert live.image_bytes_in(pack_picture(PICTURE), PICTURE) > 1_500  # the search finds it where it is


def test_a_relay_that_puts_its_own_key_into_the_evidence_gets_nothing(
    enclosed: Enclosed, policy: Policy
) -> None:
    class Relay(Impostor):
        """Serves the evidence of another machine with a key of its own."""

        public, exchange = hpke.in_memory()

        def evidence(self, question: Question) -> bytes:
            real = Evidence.model_validate_json(super().evidence(question))
            assert real.binding is not None
            binding = real.binding.model_copy(update={"key": self.public})
            return real.model_copy(update={"binding": binding}).model_dump_json(by_alias=True).encode()

    relay = Relay(enclosed)
    refused, tap = ask(relay, policy)
    assert isinstance(refused, AttestationError), refused
    assert relay.requests == []
    assert live.image_bytes_in(tap.up, PICTURE) == 0
    assert b"/infer" not in tap.up
    assert len(tap.up) < 4_000 < PICTURE.nbytes


def test_a_relay_with_a_key_of_its_own_tpm_state_gets_nothing(
    enclosed: Enclosed, policy: Policy, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A second TPM of the same maker certifies the relay's key; the quote is of the first."""
    from eyelid.infer.enclave.software_tpm import SoftwareTpm as Software

    folder = tmp_path_factory.mktemp("second")
    with Software(folder) as second, own_attester(second, enclosed) as attester:

        class Relay(Impostor):
            def evidence(self, question: Question) -> bytes:
                real = Evidence.model_validate_json(super().evidence(question))
                own = attester.evidence(question.nonce, None)
                assert real.tpm is not None
                assert own.tpm is not None
                update = {name: getattr(own.tpm, name) for name in ("key", "key_attest", "key_signature")}
                mixed = real.model_copy(
                    update={"binding": own.binding, "tpm": real.tpm.model_copy(update=update)}
                )
                return mixed.model_dump_json(by_alias=True).encode()

        relay = Relay(enclosed)
        refused, tap = ask(relay, policy)
    assert isinstance(refused, AttestationError), refused
    assert relay.requests == []
    assert live.image_bytes_in(tap.up, PICTURE) == 0


def own_attester(tpm: SoftwareTpm, enclosed: Enclosed) -> Any:
    from eyelid.infer.enclave.tpm_device import Tpm
    from eyelid.infer.enclave.tpm_link import open_tpm

    @contextmanager
    def attesting() -> Iterator[Attester]:
        file = open_tpm(tpm.socket)
        device = Tpm(file)
        device.measure(enclosed.manifest.digest)
        device.cap()
        with closing(TpmAttester(device, enclosed.manifest.digest, 600, tpm.certificates)) as attester:
            yield attester
        device.close()
        os.close(file)

    return attesting()


def test_whoever_only_passes_ciphertext_on_reads_nothing(enclosed: Enclosed, policy: Policy) -> None:
    relay = Impostor(enclosed)
    answer, tap = ask(relay, policy)
    assert answer.outputs
    assert len(relay.requests) == 1
    assert live.image_bytes_in(relay.requests[0] + tap.up, PICTURE) == 0


def changed(update: Callable[[Evidence], Evidence]) -> type[Impostor]:
    class Changing(Impostor):
        def evidence(self, question: Question) -> bytes:
            real = Evidence.model_validate_json(super().evidence(question))
            return update(real).model_dump_json(by_alias=True).encode()

    return Changing


def tpm_parts(evidence: Evidence, **update: Any) -> Evidence:
    assert evidence.tpm is not None
    return evidence.model_copy(update={"tpm": evidence.tpm.model_copy(update=update)})


def binding(evidence: Evidence, **update: Any) -> Evidence:
    assert evidence.binding is not None
    return evidence.model_copy(update={"binding": Binding(**(evidence.binding.model_dump() | update))})


ALTERED = {
    "not activated": lambda e: tpm_parts(e, activation=None),
    "activated by another": lambda e: tpm_parts(e, activation=bytes(32)),
    "another manifest": lambda e: binding(e, manifest=bytes(32)),
    "a longer life": lambda e: binding(e, expires=e.binding.expires + 1),
    "issued later": lambda e: binding(e, issued=e.binding.issued + 1),
    "another value of the PCR": lambda e: tpm_parts(e, pcrs={**e.tpm.pcrs, 11: bytes(32)}),
    "another value of a PCR of the boot": lambda e: tpm_parts(e, pcrs={**e.tpm.pcrs, 7: b"b" * 32}),
    "only the workload's PCR": lambda e: tpm_parts(e, pcrs={11: e.tpm.pcrs[11]}),
    "no certificate of the key": lambda e: tpm_parts(e, key_attest=None, key_signature=None),
    "no binding": lambda e: e.model_copy(update={"binding": None}),
    "the quote as the key's certificate": lambda e: tpm_parts(
        e, key_attest=e.report, key_signature=e.tpm.signature
    ),
}


@pytest.mark.parametrize("update", ALTERED.values(), ids=ALTERED)
def test_altered_evidence_gets_no_picture(
    update: Callable[[Evidence], Evidence], enclosed: Enclosed, policy: Policy
) -> None:
    impostor = changed(update)(enclosed)
    refused, tap = ask(impostor, policy)
    assert isinstance(refused, AttestationError), refused
    assert impostor.requests == []
    assert b"/infer" not in tap.up


def test_evidence_of_before_is_refused(enclosed: Enclosed, policy: Policy) -> None:
    recorded = enclosed.evidence(Question(nonce=bytes(32)))

    class Replayed(Impostor):
        def evidence(self, question: Question) -> bytes:
            return recorded

    impostor = Replayed(enclosed)
    refused, _ = ask(impostor, policy)
    assert isinstance(refused, AttestationError), refused
    assert impostor.requests == []


def test_evidence_older_than_the_policy_allows_is_refused(
    enclosed: Enclosed, address: str, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace
    from datetime import UTC, datetime, timedelta

    late = datetime.now(UTC) + timedelta(hours=2)
    settings = policy.settings.model_copy(update={"at": late})
    with live.client_of(address, replace(policy, settings=settings)) as client:
        verdict = client.appraise()
        assert {check.name for check in verdict.failures} == {"age"}
        with pytest.raises(AttestationError):
            client.predict(PICTURE)


def test_another_workload_than_the_policys_gets_no_picture(
    tpm: SoftwareTpm, tmp_path: Path, address: str
) -> None:
    policy = live.policy_for(tpm, tmp_path, bytes(32))
    with (
        live.Tap(address) as tap,
        live.client_of(tap.address, policy) as client,
        pytest.raises(AttestationError, match="manifest"),
    ):
        client.predict(PICTURE)
    assert b"/infer" not in tap.up


def test_a_policy_may_name_the_pcrs_of_the_boot(
    tpm: SoftwareTpm, tmp_path: Path, address: str, enclosed: Enclosed
) -> None:
    for value, good in (("00" * 32, True), ("11" * 32, False)):
        named = live.policy_for(
            tpm, tmp_path, enclosed.manifest.digest, more=f'pcrs = {{ "7" = ["{value}"] }}'
        )
        with live.client_of(address, named) as client:
            assert client.appraise().passed == good


def test_another_tpm_maker_than_the_policys_gets_no_picture(
    tpm: SoftwareTpm, tmp_path: Path, address: str, enclosed: Enclosed
) -> None:
    from eyelid.infer.enclave.software_tpm import SoftwareTpm as Software

    with Software(tmp_path / "other") as other:
        policy = live.policy_for(other, tmp_path, enclosed.manifest.digest)
    with live.client_of(address, policy) as client, pytest.raises(AttestationError):
        client.predict(PICTURE)


def test_a_request_is_answered_once(enclosed: Enclosed, address: str, policy: Policy) -> None:
    relay = Impostor(enclosed)
    ask(relay, policy)
    with Caller(address) as caller:
        with pytest.raises(InferenceError, match="answered before"):
            caller.post("/infer", relay.requests[0])
        for place in (0, 20, 74, 80, len(relay.requests[0]) - 1):
            altered = bytearray(relay.requests[0])
            altered[place] ^= 1
            with pytest.raises(InferenceError):
                caller.post("/infer", bytes(altered))
        for malformed in (b"", b"x", bytes(60), bytes(500)):
            with pytest.raises(InferenceError):
                caller.post("/infer", malformed)


def test_a_changed_reply_is_refused(enclosed: Enclosed, policy: Policy) -> None:
    class Altering(Impostor):
        def infer(self, request: Sequence[bytes]) -> bytes:
            reply = bytearray(super().infer(request))
            reply[len(reply) // 2] ^= 1
            return bytes(reply)

    class Repeating(Impostor):
        """Answers a question with the reply to the one before."""

        def infer(self, request: Sequence[bytes]) -> bytes:
            self.last, last = super().infer(request), getattr(self, "last", None)
            return last or self.last

    assert isinstance(ask(Altering(enclosed), policy)[0], AttestationError)
    with (
        serving(enclave_application(Repeating(enclosed))) as address,  # type: ignore[arg-type]
        live.client_of(address, policy) as client,
    ):
        client.predict(PICTURE)
        with pytest.raises(AttestationError, match="reply was altered"):
            client.predict(PICTURE)


def test_bad_questions_are_one_sentence(address: str) -> None:
    with Caller(address) as caller:
        for path in ("/evidence", "/evidence?nonce=00", "/evidence?nonce=" + "g" * 64):
            with pytest.raises(InferenceError, match="malformed"):
                caller.get(path)
        with pytest.raises(InferenceError, match="malformed"):
            caller.post("/evidence", b"{}")
        credential = Question(nonce=bytes(32), credential=(b"x", b"y")).model_dump_json().encode()
        with pytest.raises(InferenceError, match="credential"):
            caller.post("/evidence", credential)


def test_the_worker_sees_no_network_and_no_file_of_the_host(tmp_path: Path) -> None:
    """The sandbox as it is launched, with a probe in place of the worker."""
    import subprocess

    from eyelid.infer.enclave.manifest import CODE
    from eyelid.infer.enclave.sandbox import MODEL, command

    model = tmp_path / "model.onnx"
    model.write_bytes(b"weights")
    if live.MISSING:
        pytest.skip(f"needs {live.MISSING}")
    line = command(CODE, model=model)
    probe = (
        "import os, socket\n"
        "def fails(f, *a):\n"
        "    try: f(*a)\n"
        "    except OSError: return True\n"
        f"assert fails(open, {str(model)!r}) and fails(open, '/etc/passwd') and fails(os.listdir, '/home')\n"
        f"assert open({str(MODEL)!r}).read() == 'weights' and fails(open, {str(MODEL)!r}, 'a')\n"
        "assert fails(open, '/eyelid/eyelid/x', 'w') and fails(open, '/usr/x', 'w')\n"
        "s = socket.socket(); s.settimeout(2)\n"
        "assert fails(s.connect, ('127.0.0.1', 9)) and fails(s.connect, ('192.0.2.1', 9))\n"
        "assert [n for _, n in socket.if_nameindex()] in ([], ['lo'])\n"
        "assert 'PATH' not in os.environ or 'root' not in os.environ['PATH']\n"
        "print('inside')\n"
    )
    line[line.index("-c") + 1] = probe
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.stdout == "inside\n", done.stderr
