"""``eyelid infer enclave verify`` on saved evidence, as a user runs it: what it prints, and how it ends."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from eyelid.errors import UsageError
from eyelid.infer.enclave.evidence import Kind
from eyelid.infer.enclave.policy_file import genuine
from tests.cli.program import Done, Here
from tests.infer.enclave.forge import intel, nitro, tpm
from tests.infer.enclave.forge.pki import Party

TIME = "2026-06-01T12:00Z"
ZERO = "00" * 32


@pytest.fixture
def eyelid(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    monkeypatch.setenv("COLUMNS", "80")
    return Here(monkeypatch, capfd)


def root(folder: Path, party: Party, name: str) -> str:
    """Write a root, and return how a policy pins it."""
    (folder / name).write_text(party.pem)
    return f'{{ file = "{name}", sha256 = "{hashlib.sha256(party.der).hexdigest()}" }}'


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a document, a quote, collateral, and a policy for both."""
    documents = root(tmp_path, nitro.authorities()[0], "aws.pem")
    quotes = root(tmp_path, intel.authorities()[0], "intel.pem")
    (tmp_path / "p.toml").write_text(
        f'schema = "eyelid-attestation-policy/1"\n'
        f'[nitro]\nroots = [{documents}]\npcrs = {{ "0" = ["{"01" * 48}"] }}\n'
        f'[tdx]\nroots = [{quotes}]\nmr_td = ["{intel.MR.hex()}"]\n'
    )
    (tmp_path / "document.bin").write_bytes(nitro.document())
    (tmp_path / "quote.bin").write_bytes(intel.evidence(Kind.TDX).report)
    (tmp_path / "held").mkdir()
    (tmp_path / "held" / "collateral.json").write_text(intel.collateral(Kind.TDX))
    return tmp_path


def verify(
    eyelid: Here, desk: Path, *options: str | Path, file: str = "document.bin", kind: str = "nitro"
) -> Done:
    return eyelid(
        *(
            "infer",
            "enclave",
            "verify",
            "--policy",
            desk / "p.toml",
            "--evidence",
            desk / file,
            "--kind",
            kind,
        ),
        *options,
    )


def appraisal(done: Done) -> dict[str, Any]:
    (event,) = done.events
    assert event["event"] == "appraisal"
    assert event["schema"] == "eyelid-appraisal/1"
    assert event["passed"] is (done.code == 0)
    return event


def test_sound_evidence_ends_with_0_and_says_what_was_checked(eyelid: Here, desk: Path) -> None:
    done = verify(eyelid, desk, "--at", TIME, "--nonce", ZERO)
    assert done.code == 0
    assert done.err == ""
    assert "nitro evidence passed\nassurance: tee\n" in done.out
    assert "appraised as of 2026-06-01T12:00:00Z, as asked" in done.out
    assert "not covered: AWS itself" in done.out
    assert "FAIL" not in done.out
    table = done.out.split("nitro evidence")[0].splitlines()
    assert all(len(line) <= 80 for line in table)


def test_refused_evidence_ends_with_1_and_names_the_check(eyelid: Here, desk: Path) -> None:
    done = verify(eyelid, desk, "--at", TIME, "--nonce", "01" * 32)
    assert done.code == 1
    assert "FAIL   nonce" in done.out
    assert "nitro evidence refused: nonce\nassurance: none\n" in done.out


def test_json_has_each_check_and_the_claims(eyelid: Here, desk: Path) -> None:
    content = appraisal(verify(eyelid, desk, "--at", TIME, "--nonce", ZERO, "--json"))
    assert content["assurance"] == "tee"
    assert content["claims"]["measurements"]["pcr0"] == "01" * 48
    assert {check["name"] for check in content["checks"]} >= {
        "signature",
        "certificate-chain",
        "debug",
        "nonce",
    }
    assert content["appraised_at"] == "2026-06-01T12:00:00Z"
    assert content["appraised_now"] is False


def test_the_time_counts(eyelid: Here, desk: Path) -> None:
    done = verify(eyelid, desk, "--at", "2035-01-01T00:00+01:00", "--nonce", ZERO)
    assert done.code == 1
    assert "that is in the future" in done.out
    content = appraisal(verify(eyelid, desk, "--at", "2025-01-01T00:00Z", "--nonce", ZERO, "--json"))
    assert [check["name"] for check in content["checks"] if not check["passed"]] == ["certificate-chain"]
    assert content["claims"] is None


def test_collateral_comes_from_the_folder_that_is_named(eyelid: Here, desk: Path) -> None:
    options = ("--at", TIME, "--nonce", ZERO, "--json")
    without = appraisal(verify(eyelid, desk, *options, file="quote.bin", kind="tdx"))
    assert without["checks"][0]["name"] == "collateral"
    with_it = verify(eyelid, desk, *options, "--collateral", desk / "held", file="quote.bin", kind="tdx")
    assert appraisal(with_it)["claims"]["tcb_status"] == "UpToDate"


def test_evidence_with_its_parts_names_its_kind(eyelid: Here, tmp_path: Path) -> None:
    forge = tpm.Forge()
    pinned = root(tmp_path, tpm.authorities()[0], "tpm.pem").replace(" }", ', assurance = "software-tpm" }')
    (tmp_path / "p.toml").write_text(
        f'schema = "eyelid-attestation-policy/1"\nnonce = "{tpm.NONCE.hex()}"\n[tpm]\nroots = [{pinned}]\n'
        f'pcrs = {{ "11" = ["{forge.pcrs[11].hex()}"] }}\naks = ["{tpm.name_of(forge.ak).hex()}"]\n'
    )
    (tmp_path / "quote.json").write_text(forge.evidence(activation=None).model_dump_json(by_alias=True))
    command: list[str | Path] = [
        "infer",
        "enclave",
        "verify",
        "-p",
        tmp_path / "p.toml",
        "--evidence",
        tmp_path / "quote.json",
    ]
    done = eyelid(*command, "--at", TIME)
    assert done.code == 0, done.out
    assert "assurance: software-tpm" in done.out
    assert "a TPM is not an enclave" in done.out
    assert eyelid(*command, "--kind", "sgx").sentence.endswith("holds evidence of kind tpm, not sgx")


@pytest.mark.parametrize("content", [b"\x00", b"garbage", b"\xff" * 4000, b"\x30\x82" + bytes(1182)])
@pytest.mark.parametrize("kind", [kind.value for kind in Kind if kind is not Kind.TPM])
def test_garbage_ends_with_1(eyelid: Here, desk: Path, content: bytes, kind: str) -> None:
    (desk / "garbage").write_bytes(content)
    content_of = appraisal(verify(eyelid, desk, "--json", file="garbage", kind=kind))
    assert content_of["assurance"] == "none"
    assert len(content_of["checks"]) == 1


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--kind", "sev"], 2, "--kind sev: choose sev-snp, tdx, sgx, nitro, tpm"),
        (["--at", "noon"], 2, "--at noon: give a time such as 2026-01-31T12:00Z"),
        (["--at", "2026-01-31T12:00"], 2, "add a time zone"),
        (["--nonce", "xyz"], 2, "--nonce: give 1 to 64 bytes in hexadecimal"),
        (["--nonce", "00" * 65], 2, "--nonce: give 1 to 64 bytes in hexadecimal"),
        (["--nonce", ""], 2, "--nonce: give 1 to 64 bytes in hexadecimal"),
        (["https://localhost:1"], 2, "name either a server or, with --evidence, a file"),
        (["--collateral", "/nowhere"], 1, "the collateral /nowhere can't be read"),
        (["--policy", "/nowhere"], 2, "check its path, or write one with eyelid infer enclave policy"),
        (["--evidence", "/nowhere"], 1, "the evidence /nowhere can't be read"),
        (["--evidence", "/dev/null"], 1, "the evidence /dev/null is empty"),
    ],
)
def test_mistakes_are_one_sentence(
    eyelid: Here, desk: Path, options: list[str], code: int, said: str
) -> None:
    done = verify(eyelid, desk, *options)
    assert done.code == code
    assert said in done.sentence
    assert done.out == ""


def test_what_is_missing_is_said(eyelid: Here, desk: Path) -> None:
    command = ["infer", "enclave", "verify"]
    assert "give a policy" in eyelid(*command, "https://localhost:1").sentence
    assert "name either a server" in eyelid(*command, "-p", desk / "p.toml").sentence
    unknown = eyelid(*command, "-p", desk / "p.toml", "--evidence", desk / "document.bin")
    assert "does not say of which kind it is; add --kind" in unknown.sentence
    live = eyelid(*command, "-p", desk / "p.toml", "https://localhost:1", "--at", TIME)
    assert "are for saved evidence" in live.sentence


def test_without_a_policy_evidence_of_a_forged_root_is_not_genuine(eyelid: Here, desk: Path) -> None:
    command = ["infer", "enclave", "verify", "--kind", "nitro", "--json", "--at", TIME, "--evidence"]
    content = appraisal(eyelid(*command, desk / "document.bin"))
    assert content["assurance"] == "none"
    assert content["claims"] is None
    assert "no policy was given" in content["not_covered"][0]


def test_a_tpm_cannot_do_without_a_policy() -> None:
    with pytest.raises(UsageError, match="needs a policy, which names its root"):
        genuine(Kind.TPM)
