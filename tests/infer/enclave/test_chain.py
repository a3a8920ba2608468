"""Chains of certificates: who may issue for whom, when, and to which root."""

from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509

from eyelid.infer.enclave import chain
from eyelid.infer.enclave.evidence import Assurance
from eyelid.infer.enclave.findings import Refused
from eyelid.infer.enclave.roots import PinnedRoot
from tests.infer.enclave.forge.pki import BEGIN, END, NOW, Party, issue, p256, p384, rsa2048

ROOT = issue("root", p256())
MIDDLE = issue("middle", rsa2048(), ROOT)
LEAF = issue("leaf", p256(), MIDDLE, authority=False)


def to_root(leaf: Party, *others: Party, root: Party = ROOT, at: Any = NOW) -> chain.Chain:
    pinned = PinnedRoot("root", root.der, (), Assurance.TEE, shipped=False)
    return chain.to_root(leaf.certificate, [other.certificate for other in others], [pinned], at)


def test_a_chain_leads_to_the_pinned_root_in_any_order() -> None:
    for others in ((MIDDLE,), (ROOT, MIDDLE), (LEAF, issue("middle", p256(), ROOT), MIDDLE, ROOT)):
        found = to_root(LEAF, *others)
        assert found.root.der == ROOT.der
        assert found.issuers == (MIDDLE.certificate, ROOT.certificate)
    assert to_root(MIDDLE).issuers == (ROOT.certificate,)


@pytest.mark.parametrize(
    "others", [(), (ROOT,), (issue("middle", p256(), ROOT),), (issue("middle", p256()),)]
)
def test_a_gap_is_refused(others: tuple[Party, ...]) -> None:
    with pytest.raises(Refused, match="chains to no root that the policy pins: root"):
        to_root(LEAF, *others)


def test_a_root_of_the_same_name_is_another() -> None:
    false = issue("root", p256())
    leaf = issue("leaf", p256(), false, authority=False)
    with pytest.raises(Refused, match="chains to no root"):
        to_root(leaf, false)
    assert to_root(leaf, root=false)


def test_only_authorities_issue() -> None:
    signer = issue("signer", p256(), ROOT, authority=False)
    with pytest.raises(Refused, match="signer may not issue"):
        to_root(issue("leaf", p256(), signer, authority=False), signer)
    bare = issue("bare", p256(), ROOT, bare=True)
    with pytest.raises(Refused, match="bare may not issue"):
        to_root(issue("leaf", p256(), bare, authority=False), bare)


def test_the_length_of_a_chain_is_limited_by_its_authorities() -> None:
    short = issue("short", p256(), ROOT, path_length=0)
    assert to_root(issue("leaf", p256(), short, authority=False), short)
    below = issue("below", p256(), short)
    with pytest.raises(Refused, match="short may not issue for so long a chain"):
        to_root(issue("leaf", p256(), below, authority=False), below, short)


def test_a_chain_that_is_too_long_is_refused() -> None:
    parties = [ROOT]
    for index in range(chain.MAX_DEPTH + 1):
        parties.append(issue(f"number {index}", p256(), parties[-1]))
    assert to_root(parties[chain.MAX_DEPTH], *parties)
    with pytest.raises(Refused, match="chains to no root"):
        to_root(parties[chain.MAX_DEPTH + 1], *parties)


def test_every_certificate_must_hold_at_the_time() -> None:
    for time in (BEGIN, END, BEGIN + timedelta(seconds=1)):
        assert to_root(LEAF, MIDDLE, at=time)
    for time in (BEGIN - timedelta(seconds=1), END + timedelta(seconds=1)):
        with pytest.raises(Refused, match="not at the appraisal time"):
            to_root(LEAF, MIDDLE, at=time)
    ended = issue("ended", p256(), ROOT, end=NOW - timedelta(days=1))
    with pytest.raises(Refused, match="certificate ended holds from 2026-01-01T00:00Z to 2026-05-31T12:00Z"):
        to_root(issue("leaf", p256(), ended, authority=False), ended)


def test_a_critical_extension_that_is_not_understood_is_refused() -> None:
    extension = x509.NameConstraints([x509.DNSName("localhost")], None)
    for critical in (True, False):
        middle = issue("middle", p384(), ROOT, extensions=[(extension, critical)])
        leaf = issue("leaf", p256(), middle, authority=False)
        if critical:
            with pytest.raises(Refused, match=r"not understood: 2\.5\.29\.30"):
                to_root(leaf, middle)
        else:
            assert to_root(leaf, middle)


def test_the_name_in_a_reason_is_printable() -> None:
    leaf = issue("\x1b[31mred\n", p256(), MIDDLE, authority=False)
    with pytest.raises(Refused) as refused:
        to_root(leaf)
    assert str(refused.value).isprintable()
