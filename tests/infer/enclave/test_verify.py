"""What holds for every kind: our own platforms pass under our own roots, and nothing else does."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelid.errors import AttestationError, InputError, UsageError
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.evidence import Assurance, Binding, Evidence, Kind
from eyelid.infer.enclave.policy_file import Policy
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import amd, intel, nitro, tpm
from tests.infer.enclave.forge.pki import END, NOW
from tests.infer.enclave.forge.policies import collateral, policy

NONCE = tpm.NONCE
KEY = b"\x04" + b"\x11" * 64
TEES = [kind for kind in Kind if kind is not Kind.TPM]
BINDING = Binding(
    manifest=tpm.MANIFEST, key=KEY, issued=int(NOW.timestamp()) - 5, expires=int(NOW.timestamp()) + 600
)
ALLOWED = {"manifests": [tpm.MANIFEST.hex()], "max_age": 60}


@dataclass(frozen=True)
class Scene:
    """Evidence with all that its appraisal needs."""

    evidence: Evidence
    policy: Policy
    challenge: Challenge
    collateral: Path | None

    def appraise(self, **changes: Any) -> Appraisal:
        at = changes.pop("at", NOW)
        scene = replace(self, **changes)
        return verify(
            scene.evidence, scene.policy, at=at, collateral=scene.collateral, challenge=scene.challenge
        )


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Kind], Path | None]:
    """The collateral of a kind, made once."""
    made: dict[Kind, Path] = {}

    def give(kind: Kind) -> Path | None:
        if kind in (Kind.SGX, Kind.TDX) and kind not in made:
            made[kind] = collateral(tmp_path_factory.mktemp(kind.value), kind)
        return made.get(kind)

    return give


@pytest.fixture
def scene(held: Callable[[Kind], Path | None]) -> Callable[..., Scene]:
    """Return a maker of scenes: bound to a key and manifest, or with a nonce alone."""

    def make(kind: Kind, *, bound: bool = True) -> Scene:
        binding = BINDING if bound else None
        challenge = Challenge(NONCE)
        rules = policy(kind, top=ALLOWED if bound else {})
        if kind is Kind.SEV_SNP:
            evidence = amd.evidence(NONCE, binding)
        elif kind is Kind.NITRO:
            evidence = nitro.evidence(NONCE, binding)
        elif kind is Kind.TPM:
            forge = tpm.Forge().bound() if bound else tpm.Forge()
            evidence, challenge = forge.evidence(), forge.challenge()
            if not bound:
                rules = policy(kind, pcrs={"11": [forge.pcrs[11].hex()]})
        else:
            evidence = intel.evidence(kind, NONCE, binding)
        return Scene(evidence, rules, challenge, held(kind))

    return make


Make = Callable[..., Scene]


def failed(appraisal: Appraisal) -> list[str]:
    assert not appraisal.passed
    assert appraisal.assurance is Assurance.NONE
    assert appraisal.key is None
    with pytest.raises(AttestationError, match="refused"):
        appraisal.attested_key()
    return [check.name for check in appraisal.failures]


@pytest.mark.parametrize("kind", list(Kind))
def test_sound_evidence_passes_and_gives_its_key(scene: Make, kind: Kind) -> None:
    made = scene(kind)
    verdict = made.appraise()
    assert verdict.passed, verdict.failures
    assert verdict.assurance is (Assurance.SOFTWARE_TPM if kind is Kind.TPM else Assurance.TEE)
    assert made.evidence.binding is not None
    assert verdict.key == made.evidence.binding.key.hex()
    with pytest.raises(AttestationError, match="as of 2026-06-01T12:00Z, not now"):
        verdict.attested_key()
    today = verdict.model_copy(update={"appraised_now": True})
    assert today.attested_key() == made.evidence.binding.key
    assert any("the policy's own, not one of eyelid's" in check.reason for check in verdict.checks)
    assert "the policy pins it, eyelid does not ship it" in verdict.not_covered[-1]


@pytest.mark.parametrize("kind", list(Kind))
def test_evidence_of_a_machine_alone_passes_but_has_no_key(scene: Make, kind: Kind) -> None:
    verdict = scene(kind, bound=False).appraise()
    assert verdict.passed, verdict.failures
    with pytest.raises(AttestationError, match="bound to no key"):
        verdict.model_copy(update={"appraised_now": True}).attested_key()


@pytest.mark.parametrize("kind", TEES)
def test_signatures_of_our_own_authority_fail_under_the_real_roots(scene: Make, kind: Kind) -> None:
    verdict = scene(kind).appraise(policy=policy(kind, shipped=True, top=ALLOWED))
    assert failed(verdict) == ["signature" if kind in (Kind.SGX, Kind.TDX) else "certificate-chain"]
    assert verdict.claims is None


@pytest.mark.parametrize("kind", list(Kind))
def test_another_nonce_is_a_replay(scene: Make, kind: Kind) -> None:
    made = scene(kind)
    other = replace(made.challenge, nonce=bytes(32))
    assert failed(made.appraise(challenge=other)) == ["binding"]
    unbound = scene(kind, bound=False)
    assert failed(unbound.appraise(challenge=replace(unbound.challenge, nonce=bytes(32)))) == ["nonce"]


@pytest.mark.parametrize("kind", list(Kind))
def test_no_nonce_is_refused_unless_the_policy_says_any(scene: Make, kind: Kind) -> None:
    made = scene(kind, bound=False)
    silent = replace(made.challenge, nonce=None)
    assert failed(made.appraise(challenge=silent)) == ["nonce"]
    settings = made.policy.settings.model_copy(update={"nonce": "any"})
    assert made.appraise(challenge=silent, policy=replace(made.policy, settings=settings)).passed
    settings = made.policy.settings.model_copy(update={"nonce": NONCE.hex()})
    assert made.appraise(challenge=silent, policy=replace(made.policy, settings=settings)).passed
    bound = scene(kind)
    assert failed(bound.appraise(challenge=replace(bound.challenge, nonce=None))) == ["binding"]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("change", [{"key": b"\x04" + b"\x22" * 64}, {"issued": BINDING.issued + 1}])
def test_a_relay_with_another_key_or_other_times_is_refused(
    scene: Make, kind: Kind, change: dict[str, Any]
) -> None:
    made = scene(kind)
    assert made.evidence.binding is not None
    binding = made.evidence.binding.model_copy(update=change)
    verdict = made.appraise(evidence=made.evidence.model_copy(update={"binding": binding}))
    assert "binding" in failed(verdict)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_manifest_that_is_not_listed_is_refused(scene: Make, kind: Kind) -> None:
    made = scene(kind)
    settings = made.policy.settings.model_copy(update={"manifests": ("00" * 32,)})
    assert failed(made.appraise(policy=replace(made.policy, settings=settings))) == ["manifest"]
    settings = made.policy.settings.model_copy(update={"manifests": ()})
    assert failed(made.appraise(policy=replace(made.policy, settings=settings))) == ["manifest"]
    unbound = scene(kind, bound=False)
    settings = unbound.policy.settings.model_copy(update={"manifests": ("00" * 32,)})
    assert failed(unbound.appraise(policy=replace(unbound.policy, settings=settings))) == ["manifest"]


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize(
    ("after", "checks"),
    [
        (timedelta(seconds=54), []),
        (timedelta(seconds=56), ["age"]),
        (timedelta(seconds=599), ["age"]),
        (timedelta(seconds=601), ["expiry", "age"]),
        (timedelta(seconds=-64), []),
        (timedelta(seconds=-66), ["age"]),
    ],
)
def test_age_and_expiry_are_kept_to_the_second(
    scene: Make, kind: Kind, after: timedelta, checks: list[str]
) -> None:
    verdict = scene(kind).appraise(at=NOW + after)
    assert [check.name for check in verdict.failures] == checks


@pytest.mark.parametrize("kind", list(Kind))
def test_after_the_certificates_nothing_passes(scene: Make, kind: Kind) -> None:
    verdict = scene(kind).appraise(at=END + timedelta(days=1))
    assert failed(verdict) == ["collateral" if kind in (Kind.SGX, Kind.TDX) else "certificate-chain"]


@pytest.mark.parametrize("kind", list(Kind))
def test_a_kind_without_a_section_is_refused(scene: Make, kind: Kind) -> None:
    other = Kind.NITRO if kind is not Kind.NITRO else Kind.TPM
    assert failed(scene(kind).appraise(policy=policy(other))) == ["kind"]


@pytest.mark.parametrize("kind", list(Kind))
def test_evidence_of_one_kind_is_none_of_another(scene: Make, kind: Kind) -> None:
    for other in Kind:
        if other is not kind:
            made = scene(other, bound=False)
            report = scene(kind, bound=False).evidence.report
            swapped = made.evidence.model_copy(update={"report": report})
            assert failed(made.appraise(evidence=swapped)) == ["format"]


def protected(evidence: Evidence) -> int:
    """Return how many bytes may not change: a quote's copy of the root's certificate is not looked at."""
    if evidence.kind in (Kind.SGX, Kind.TDX):
        return evidence.report.index(b"-----BEGIN CERTIFICATE-----")
    return len(evidence.report)


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbage_is_refused_without_a_traceback(scene: Make, kind: Kind, data: st.DataObject) -> None:
    made = scene(kind, bound=False)
    real = made.evidence.report
    cut = data.draw(st.integers(0, protected(made.evidence)))
    report = data.draw(
        st.one_of(
            st.binary(min_size=1, max_size=2000),
            st.just(real[:cut] or b"\0"),
            st.binary(min_size=1, max_size=20).map(lambda b: real + b),
            st.binary(min_size=1, max_size=8).map(lambda b: real[:cut] + b + real[cut + len(b) :]),
        )
    )
    if report.rstrip(b"\0") != real.rstrip(b"\0"):  # a quote may stand in a longer buffer
        failed(made.appraise(evidence=made.evidence.model_copy(update={"report": report})))


@pytest.mark.parametrize("kind", list(Kind))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(noise=st.binary(min_size=1, max_size=300), position=st.integers(0, 10_000))
def test_certificates_that_are_garbage_help_nobody_and_hurt_nobody(
    scene: Make, kind: Kind, noise: bytes, position: int
) -> None:
    made = scene(kind)
    first = made.evidence.certificates[:1] or (noise,)
    broken = bytearray(first[0])
    broken[position % len(broken)] ^= 0x40
    more = (noise, bytes(broken), *made.evidence.certificates)
    assert made.appraise(evidence=made.evidence.model_copy(update={"certificates": more})).passed


def flips(evidence: Evidence, check: Callable[[Evidence], Appraisal]) -> list[int]:
    """Return the positions in a report where a changed byte goes unnoticed."""
    found = []
    for position in range(protected(evidence)):
        changed = bytearray(evidence.report)
        changed[position] ^= 1 << position % 8
        if check(evidence.model_copy(update={"report": bytes(changed)})).passed:
            found.append(position)
    return found


@pytest.mark.parametrize("kind", list(Kind))
def test_every_byte_of_a_report_counts(scene: Make, kind: Kind) -> None:
    made = scene(kind)
    assert flips(made.evidence, lambda evidence: made.appraise(evidence=evidence)) == []


def test_an_appraisal_time_without_a_zone_is_a_mistake(scene: Make) -> None:
    with pytest.raises(UsageError, match="time zone"):
        scene(Kind.NITRO).appraise(at=datetime(2026, 6, 1))  # that is the point


def test_collateral_that_is_not_there_is_an_error_of_whoever_asks(scene: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        scene(Kind.SGX).appraise(collateral=tmp_path / "none")


def test_the_time_is_now_where_none_is_given(scene: Make) -> None:
    made = scene(Kind.SEV_SNP)
    verdict = verify(made.evidence, made.policy, challenge=made.challenge)
    assert verdict.appraised_now
    fixed = made.policy.settings.model_copy(update={"at": NOW})
    verdict = verify(made.evidence, replace(made.policy, settings=fixed), challenge=made.challenge)
    assert verdict.appraised_at == NOW
    assert not verdict.appraised_now
    assert verdict.passed
