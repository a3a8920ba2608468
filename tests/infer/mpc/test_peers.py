"""Who computes together is written down completely, and there is no dealer unless it is asked for by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.errors import InputError, UsageError
from eyelid.infer.mpc import certificates
from eyelid.infer.mpc.peers import ASSUMPTIONS, Peers, Protocol, read

if TYPE_CHECKING:
    from pathlib import Path

INSECURE = "semi2k-trusted-dealer-INSECURE"
ROLES = 'model_owner = "lab"\ndata_owner = "clinic"\nreceiver = "clinic"\n'
LAB = '[[party]]\nname = "lab"\naddress = "10.0.0.1:9100"\ncertificate = "lab.pem"\n'
CLINIC = '[[party]]\nname = "clinic"\naddress = "clinic.example:9100"\ncertificate = "clinic.pem"\n'
HELPER = '[[party]]\nname = "helper"\naddress = "[::1]:9102"\ncertificate = "helper.pem"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("lab", "clinic", "helper"):
        certificates.make(name, tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
    return tmp_path


def peers(folder: Path, text: str) -> Peers:
    (folder / "peers.toml").write_text(text)
    return read(folder / "peers.toml")


def test_two_parties_use_cheetah_and_three_aby3(folder: Path) -> None:
    two, three = peers(folder, ROLES + LAB + CLINIC), peers(folder, ROLES + LAB + CLINIC + HELPER)
    assert two.choose() is Protocol.CHEETAH
    assert three.choose() is Protocol.ABY3
    assert three.parties == 3
    assert three.number("helper") == three.number("2") == 2
    assert three.party[0].certificate == folder / "lab.pem"
    assert three.party[0].pem.startswith("-----BEGIN CERTIFICATE-----")
    with pytest.raises(UsageError, match=r"no party 'hospital'; the peers are 0 \(lab\)"):
        three.number("hospital")


def test_a_dealer_needs_its_full_name_on_the_command_line(folder: Path) -> None:
    two = peers(folder, ROLES + LAB + CLINIC)
    for name in ("semi2k", "SEMI2K", "semi2k-trusted-dealer"):
        with pytest.raises(UsageError, match="trusted dealer"):
            two.choose(name)
    assert two.choose(INSECURE) is Protocol.SEMI2K
    assert ASSUMPTIONS[Protocol.SEMI2K].startswith("INSECURE")
    written = peers(folder, f'protocol = "{INSECURE}"\n' + ROLES + LAB + CLINIC)
    with pytest.raises(UsageError, match="command line of every party"):
        written.choose()


def test_a_protocol_fits_the_number_of_parties(folder: Path) -> None:
    two, three = peers(folder, ROLES + LAB + CLINIC), peers(folder, ROLES + LAB + CLINIC + HELPER)
    with pytest.raises(UsageError, match="aby3 is for 3 parties, and the peers are 2"):
        two.choose("aby3")
    with pytest.raises(UsageError, match="cheetah is for 2 parties"):
        three.choose("cheetah")
    with pytest.raises(UsageError, match="no protocol 'bgw'; choose cheetah or aby3"):
        three.choose("bgw")


def test_the_digest_tells_every_agreement(folder: Path) -> None:
    text = ROLES + LAB + CLINIC
    known = peers(folder, text).digest(Protocol.CHEETAH)
    assert known == peers(folder, text).digest(Protocol.CHEETAH)
    others = {
        peers(folder, text).digest(Protocol.SEMI2K),
        peers(folder, text.replace('receiver = "clinic"', 'receiver = "lab"')).digest(Protocol.CHEETAH),
        peers(folder, text.replace("10.0.0.1", "10.0.0.2")).digest(Protocol.CHEETAH),
        peers(folder, text.replace('"lab.pem"', '"helper.pem"')).digest(Protocol.CHEETAH),
    }
    assert len(others | {known}) == 5


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (ROLES + LAB, "party"),
        (ROLES + LAB + LAB.replace("lab", "lab2") + CLINIC, "two parties have the same address"),
        (ROLES + LAB + CLINIC.replace('"clinic"', '"lab"'), "two parties have the same name"),
        (ROLES.replace('receiver = "clinic"', 'receiver = "court"') + LAB + CLINIC, "receiver is 'court'"),
        (ROLES.replace('data_owner = "clinic"', 'data_owner = "lab"') + LAB + CLINIC, "the same party"),
        (ROLES + LAB.replace(":9100", "") + CLINIC, "write host:port"),
        (ROLES + LAB.replace(":9100", ":99999") + CLINIC, "write host:port"),
        (ROLES + "dealer = 1\n" + LAB + CLINIC, "dealer"),
        (ROLES + 'protocol = "spdz"\n' + LAB + CLINIC, "protocol"),
        ("[[party", "TOML"),
    ],
)
def test_a_wrong_file_is_one_sentence(folder: Path, text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as raised:
        peers(folder, text)
    assert "peers.toml" in str(raised.value)
    assert "\n" not in str(raised.value).strip() or "TOML" in sentence


def test_a_missing_file_and_a_wrong_certificate_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"none\.toml is not there"):
        read(folder / "none.toml")
    two = peers(folder, ROLES + LAB + CLINIC)
    (folder / "lab.pem").write_bytes((folder / "lab.key").read_bytes())
    with pytest.raises(InputError, match="not one certificate"):
        two.digest(Protocol.CHEETAH)
    (folder / "lab.pem").unlink()
    with pytest.raises(InputError, match="ask lab for it"):
        two.digest(Protocol.CHEETAH)
