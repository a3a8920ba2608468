"""Policies from files: what is sound is read, and each mistake is one sentence that names its place."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eyelid.errors import UsageError
from eyelid.infer.enclave.evidence import Assurance, Kind
from eyelid.infer.enclave.policy_file import SIZE_LIMIT, read_policy
from eyelid.infer.enclave.roots import FILES, SHIPPED, shipped_root
from tests.infer.enclave.forge.pki import issue, p256

HEAD = 'schema = "eyelid-attestation-policy/1"\n'
SNP = '[sev-snp]\nroots = ["amd-milan"]\n'
REST = 'measurements = "any"\nmin_tcb = "any"\n'
TDX = '[tdx]\nroots = ["intel-sgx"]\n'
NITRO = '[nitro]\nroots = ["aws-nitro-g1"]\n'
WHOLE = HEAD + "max_age = 60\n" + SNP + REST + TDX + 'mr_td = "any"\n' + NITRO + 'pcrs = "any"\n'
SHA = "aa" * 32


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "p.toml"


def sentence(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"the policy {path}").lstrip(":, ")


def test_a_sound_policy_is_read(written: Path) -> None:
    written.write_text(WHOLE)
    policy = read_policy(written)
    assert set(policy.roots) == {Kind.SEV_SNP, Kind.TDX, Kind.NITRO}
    assert policy.sha256 == hashlib.sha256(WHOLE.encode()).hexdigest()
    assert policy.settings.max_age == 60
    (root,) = policy.roots[Kind.SEV_SNP]
    assert root.shipped
    assert root.sha256 == FILES["amd-milan-ark"]
    assert len(root.intermediates) == 1


MISTAKES = [
    ("x", "is not TOML: Expected '='"),
    ("", 'it must begin with schema = "eyelid-attestation-policy/1"'),
    ('schema = "eyelid-attestation-policy/9"', "schema: it must be 'eyelid-attestation-policy/1', not"),
    (HEAD, "accepts no kind of evidence; add a section: [sev-snp], [tdx], [sgx], [nitro], [tpm]"),
    (HEAD + SNP, '[sev-snp] measurements is missing; say what is allowed, or write measurements = "any"'),
    (
        HEAD + '[sev-snp]\nroots = ["amd"]\n' + REST,
        "[sev-snp] roots: there is no root 'amd' for sev-snp; choose of",
    ),
    (HEAD + "[sev-snp]\n" + REST, "[sev-snp] roots is missing; say what is allowed"),
    (HEAD + "[sev-snp]\nroots = []\n" + REST, "[sev-snp] roots is empty, so nothing could pass"),
    (
        HEAD + '[sev-snp]\nroots = "amd-milan"\n' + REST,
        "[sev-snp] roots: it must be a list, in [ ], not 'amd-milan'",
    ),
    (
        HEAD + SNP + 'measurement = "any"',
        "[sev-snp] measurement is not a setting; did you mean measurements?",
    ),
    (
        HEAD + SNP + 'min_tcb = "any"\nmeasurements = ["aa"]',
        "[sev-snp] measurements.0 must be hexadecimal of the",
    ),
    (
        HEAD + SNP + 'min_tcb = "any"\nmeasurements = []',
        "[sev-snp] measurements is empty, so nothing could pass",
    ),
    (
        HEAD + SNP + 'min_tcb = "any"\nmeasurements = "all"',
        "[sev-snp] measurements: it must be a list, in [ ], not",
    ),
    (HEAD + SNP + 'measurements = "any"\nmin_tcb = { snp = 3 }', "[sev-snp] min_tcb.bootloader is missing"),
    (HEAD + SNP + REST + "vmpl = [9]", "[sev-snp] vmpl.0: it must be less than or equal to 3, not 9"),
    (HEAD + SNP + REST + 'debug = "maybe"', "[sev-snp] debug: it must be a valid boolean, not 'maybe'"),
    (HEAD + "[sev_snp]\n", "sev_snp is not a setting; did you mean sev-snp?"),
    (HEAD + TDX + 'mr_td = "any"\nstatuses = ["Revoked"]', "[tdx] statuses.0: it must be 'UpToDate', "),
    (HEAD + TDX + 'mr_td = "any"\nrtmr = { "1" = ["aa"] }', "[tdx] rtmr.1.0 must be hexadecimal"),
    (
        HEAD + '[tdx]\nroots = ["amd-milan"]\nmr_td = "any"',
        "[tdx] roots: there is no root 'amd-milan' for tdx",
    ),
    (
        HEAD + f'[sgx]\nroots = ["intel-sgx"]\nmr_enclave = "any"\nmr_signer = ["{SHA}"]',
        "[sgx]: mr_signer without mr_enclave needs isv_prod_id: a signer signs many enclaves",
    ),
    (HEAD + NITRO + 'pcrs = { x = ["aa"] }', "[nitro] pcrs.x is not the number of a register"),
    (HEAD + NITRO + 'pcrs = { "0" = ["aa"] }', "[nitro] pcrs.0.0 must be hexadecimal"),
    (HEAD + NITRO + "pcrs = {}", "[nitro] pcrs is empty, so nothing could pass"),
    (
        HEAD + '[tpm]\nroots = ["x"]',
        "[tpm] roots: there is no root 'x' for tpm; eyelid ships none for it: give",
    ),
    (HEAD + '[tpm]\nroots = [{ file = "x.pem" }]', "[tpm] roots.0.sha256 is missing"),
    (HEAD + '[tpm]\nroots = [{ file = "x", sha256 = "aa" }]', "[tpm] roots.0.sha256 must be hexadecimal"),
    (
        HEAD + f'[tpm]\nroots = [{{ file = "x", sha256 = "{SHA}" }}]',
        "[tpm] roots: say of x what it certifies: assurance = 'hardware-tpm' or 'software-tpm'",
    ),
    (
        HEAD + f'[tpm]\nroots = [{{ file = "x", sha256 = "{SHA}", assurance = "tee" }}]',
        "[tpm] roots.0.assurance: it must be 'hardware-tpm' or 'software-tpm', not 'tee'",
    ),
    (
        HEAD
        + f'[tdx]\nmr_td = "any"\nroots = [{{ file = "x", sha256 = "{SHA}", assurance = "software-tpm" }}]',
        "[tdx] roots: assurance is for roots of TPMs; leave it out of x",
    ),
    (HEAD + 'nonce = "zz"\n' + TDX, "nonce must be hexadecimal of the right length, not 'zz'"),
    (HEAD + "max_age = 0\n" + TDX + 'mr_td = "any"', "max_age: it must be greater than 0, not 0"),
    (HEAD + "at = 2026-01-01T00:00:00\n" + TDX + 'mr_td = "any"', "at must be a time with its zone"),
    (HEAD + 'manifests = ["aa"]\n' + TDX + 'mr_td = "any"', "manifests.0 must be hexadecimal"),
    (HEAD + 'collateral = "none"\n' + TDX + 'mr_td = "any"', "there is no collateral at"),
]


@pytest.mark.parametrize(("text", "said"), MISTAKES)
def test_each_mistake_is_one_sentence(written: Path, text: str, said: str) -> None:
    assert sentence(written, text).startswith(said)


def test_files_that_are_no_policy(written: Path, tmp_path: Path) -> None:
    for path, said in (
        (written, "eyelid infer enclave policy"),
        (tmp_path, r"\(Is a directory\); check its path"),
    ):
        with pytest.raises(UsageError, match=said):
            read_policy(path)
    written.write_bytes(b"\xff")
    with pytest.raises(UsageError, match="is not text"):
        read_policy(written)
    written.write_bytes(b"#" * (SIZE_LIMIT + 1))
    with pytest.raises(UsageError, match="larger than"):
        read_policy(written)


def test_an_own_root_is_pinned_by_its_hash(written: Path, tmp_path: Path) -> None:
    own = issue("own", p256())
    sha256 = hashlib.sha256(own.der).hexdigest()
    (tmp_path / "own.pem").write_text(own.pem)
    (tmp_path / "own.der").write_bytes(own.der)
    (tmp_path / "own.txt").write_text("-----BEGIN CERTIFICATE-----")
    section = 'schema = "eyelid-attestation-policy/1"\n[tpm]\nroots = [{{ file = "{}", sha256 = "{}", {} }}]'
    for name in ("own.pem", "own.der"):
        written.write_text(section.format(name, sha256.upper(), 'assurance = "hardware-tpm"'))
        (root,) = read_policy(written).roots[Kind.TPM]
        assert (root.der, root.assurance, root.shipped) == (own.der, Assurance.HARDWARE_TPM, False)
    said = sentence(written, section.format("own.pem", SHA, 'assurance = "hardware-tpm"'))
    assert f"is not the one that the policy pins: its SHA-256 is {sha256}" in said
    assert "not a certificate" in sentence(
        written, section.format("own.txt", SHA, 'assurance = "software-tpm"')
    )
    assert "check its path (in a policy, from its folder)" in sentence(
        written, section.format("no.pem", SHA, 'assurance = "software-tpm"')
    )


def test_every_shipped_root_is_the_pinned_one() -> None:
    for name, entry in SHIPPED.items():
        for kind in entry.kinds:
            root = shipped_root(name, kind)
            assert root.sha256 == FILES[entry.root]
            assert [hashlib.sha256(der).hexdigest() for der in root.intermediates] == [
                FILES[other] for other in entry.intermediates
            ]
            assert root.assurance is Assurance.TEE


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_is_one_sentence_or_still_a_policy(written: Path, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(WHOLE)))
    noise = data.draw(st.text(max_size=12))
    end = data.draw(st.sampled_from([cut, cut + len(noise)]))
    written.write_text(WHOLE[:cut] + noise + WHOLE[end:], encoding="utf-8", errors="replace")
    try:
        read_policy(written)
    except UsageError as error:
        assert "Traceback" not in str(error)  # noqa: PT017  # some damage leaves a policy
