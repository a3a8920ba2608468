"""Quotes of our own platform: statuses, advisories, measurements, and which collateral is taken."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InputError
from eyelid.infer.enclave.appraisal import Appraisal
from eyelid.infer.enclave.case import Challenge
from eyelid.infer.enclave.collateral import COUNT_LIMIT, FILE_LIMIT, read_collateral
from eyelid.infer.enclave.evidence import Evidence, Kind
from eyelid.infer.enclave.verify import verify
from tests.infer.enclave.forge import intel
from tests.infer.enclave.forge.pki import NOW
from tests.infer.enclave.forge.policies import policy

NONCE = bytes(32)
QUOTES = [Kind.SGX, Kind.TDX]


def appraise(evidence: Evidence, folder: Path, **section: Any) -> Appraisal:
    rules = policy(evidence.kind, **section)
    return verify(evidence, rules, at=NOW, collateral=folder, challenge=Challenge(NONCE))


def failed(appraisal: Appraisal) -> list[str]:
    return [check.name for check in appraisal.failures]


@pytest.fixture
def held(tmp_path: Path) -> Callable[..., Path]:
    def write(kind: Kind, name: str = "collateral.json", **changes: Any) -> Path:
        (tmp_path / name).write_text(intel.collateral(kind, **changes))
        return tmp_path

    return write


@pytest.mark.parametrize("kind", QUOTES)
@pytest.mark.parametrize(
    "status",
    ["SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate"],
)
def test_a_status_passes_only_if_it_is_listed(kind: Kind, status: str, held: Callable[..., Path]) -> None:
    folder = held(kind, status=status)
    evidence = intel.evidence(kind)
    verdict = appraise(evidence, folder)
    assert failed(verdict) == ["tcb"]
    assert verdict.claims is not None
    assert verdict.claims.tcb_status == status
    assert appraise(evidence, folder, statuses=["UpToDate", status]).passed


@pytest.mark.parametrize("kind", QUOTES)
def test_a_revoked_platform_never_passes(kind: Kind, held: Callable[..., Path]) -> None:
    verdict = appraise(intel.evidence(kind), held(kind, status="Revoked"))
    assert not verdict.passed


@pytest.mark.parametrize("kind", QUOTES)
def test_advisories_pass_only_if_all_are_listed(kind: Kind, held: Callable[..., Path]) -> None:
    folder = held(kind, advisories=("INTEL-SA-00289", "INTEL-SA-00615"))
    evidence = intel.evidence(kind)
    verdict = appraise(evidence, folder)
    assert failed(verdict) == ["advisories"]
    assert "INTEL-SA-00289, INTEL-SA-00615" in verdict.failures[0].reason
    verdict = appraise(evidence, folder, advisories=["INTEL-SA-00289"])
    assert verdict.failures[0].reason == "the policy does not accept INTEL-SA-00615"
    assert appraise(evidence, folder, advisories=["INTEL-SA-00615", "INTEL-SA-00289"]).passed
    assert appraise(evidence, folder, advisories="any").passed


def test_debugging_is_refused(held: Callable[..., Path]) -> None:
    for evidence in (intel.evidence(Kind.SGX, flags=7), intel.evidence(Kind.TDX, attributes=1 << 28 | 1)):
        verdict = appraise(evidence, held(evidence.kind))
        assert failed(verdict) == ["debug"]
        assert verdict.claims is None


@pytest.mark.parametrize(
    ("section", "checks"),
    [
        ({"mr_enclave": ["00" * 32]}, ["measurement"]),
        ({"mr_enclave": "any", "mr_signer": ["0b" * 32], "isv_prod_id": 1, "min_isv_svn": 2}, []),
        ({"mr_enclave": "any", "mr_signer": ["0c" * 32], "isv_prod_id": 1}, ["mr_signer"]),
        ({"mr_enclave": "any", "mr_signer": ["0b" * 32], "isv_prod_id": 2}, ["isv_prod_id"]),
        ({"min_isv_svn": 3}, ["isv_svn"]),
    ],
)
def test_enclaves_are_told_apart(
    section: dict[str, Any], checks: list[str], held: Callable[..., Path]
) -> None:
    assert failed(appraise(intel.evidence(Kind.SGX), held(Kind.SGX), **section)) == checks


@pytest.mark.parametrize(
    ("section", "checks"),
    [
        ({"mr_td": ["00" * 48]}, ["measurement"]),
        ({"mr_seam": ["00" * 48]}, []),
        ({"mr_seam": ["01" * 48]}, ["mr_seam"]),
        ({"rtmr": {"0": ["01" * 48], "3": ["04" * 48]}}, []),
        ({"rtmr": {"0": ["01" * 48], "3": ["05" * 48]}}, ["rtmr3"]),
    ],
)
def test_trust_domains_are_told_apart(
    section: dict[str, Any], checks: list[str], held: Callable[..., Path]
) -> None:
    assert failed(appraise(intel.evidence(Kind.TDX), held(Kind.TDX), **section)) == checks


@pytest.mark.parametrize("kind", QUOTES)
def test_the_newest_collateral_that_holds_is_taken(kind: Kind, held: Callable[..., Path]) -> None:
    held(kind, "a.json")
    held(kind, "b.json", status="OutOfDate", begin="2026-03-01T00:00:00Z")
    folder = held(kind, "c.json", begin="2026-07-01T00:00:00Z")
    held(kind, "d.json", fmspc=intel.OTHER_FMSPC, begin="2026-04-01T00:00:00Z")
    verdict = appraise(intel.evidence(kind), folder)
    assert failed(verdict) == ["tcb"]
    assert verdict.checks[0].reason.startswith("b.json holds from 2026-03-01")


@pytest.mark.parametrize("kind", QUOTES)
def test_altered_collateral_is_refused(kind: Kind, held: Callable[..., Path], tmp_path: Path) -> None:
    content = json.loads((held(kind, status="OutOfDate") / "collateral.json").read_text())
    for name in ("tcb_info", "qe_identity"):
        forged = content | {
            name: content[name].replace("OutOfDate", "UpToDate").replace("FFFFFFFF", "FFFFFFF0")
        }
        (tmp_path / "collateral.json").write_text(json.dumps(forged))
        assert failed(appraise(intel.evidence(kind), tmp_path)) == ["signature"]


@pytest.mark.parametrize("kind", QUOTES)
@pytest.mark.parametrize("change", ["1", '{"tcb_info": 1}', '{"tcb_info": "1"}', '{"tcb_info": "{}", "x": ['])
def test_malformed_collateral_is_an_error_that_names_it(kind: Kind, change: str, tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text(change)
    if change == "1":
        assert failed(appraise(intel.evidence(kind), tmp_path)) == ["collateral"]
    else:
        with pytest.raises(InputError, match=r"broken\.json is malformed"):
            appraise(intel.evidence(kind), tmp_path)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_garbage_in_a_folder_raises_input_error_alone(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = COLLATERAL
    cut = data.draw(st.integers(0, len(text)))
    noise = data.draw(st.text(max_size=20))
    file = tmp_path_factory.mktemp("garbage") / "x.json"
    file.write_text(data.draw(st.sampled_from([text[:cut] + noise + text[cut:], text[:cut], noise])))
    with suppress(InputError):
        read_collateral(file)


COLLATERAL = intel.collateral(Kind.SGX)


def test_folders_that_are_something_else_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_collateral(tmp_path / "none")
    (tmp_path / "large").write_bytes(b"\0" * (FILE_LIMIT + 1))
    with pytest.raises(InputError, match="large is larger than 4,000,000 bytes"):
        read_collateral(tmp_path)
    (tmp_path / "large").unlink()
    for index in range(COUNT_LIMIT + 1):
        (tmp_path / str(index)).touch()
    with pytest.raises(InputError, match="more than"):
        read_collateral(tmp_path)
