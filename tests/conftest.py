"""Where PyTorch is not installed, the tests that need it are skipped and say so; all else runs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from shutil import which

import pytest

from eyelid.infer.mpc import setup

HERE = Path(__file__).parent

IMPORT_TORCH = (
    "attack/test_cloak_retrained.py",
    "attack/test_cloak_transfer.py",
    "attack/test_lowpass.py",
    "models/test_torch_network.py",
    "obfuscate/test_cloak.py",
)
"""Tests that cannot even be imported without it."""

RUN_TORCH = (
    "attack/test_attackers.py::test_every_attacker_finds_people_who_differ_clearly[network]",
    "attack/test_attackers.py::test_two_people_are_told_apart_too[network]",
    "attack/test_attackers.py::test_the_network_starts_alike_each_time",
    "attack/test_deblur.py",
    "attack/test_keyed_blur.py",
    "attack/test_restore.py",
    "audit/test_identify.py::test_restoring_a_weak_blur",
    "cli/test_attack_cloak.py",
    "cli/test_attack_restore.py",
    "cli/test_audit.py",
    "cli/test_cloak.py",
    "jobs/test_cloak.py",
    "realdata/test_cloak.py",
    "realdata/test_paper_tables.py",
    "test_docs.py::test_the_examples_of_a_page_run[README.md]",
    "test_docs.py::test_the_examples_of_a_page_run[docs/attacks/",
    "test_docs.py::test_the_examples_of_a_page_run[docs/audit.md]",
    "test_docs.py::test_the_examples_of_a_page_run[docs/howto/audit.md]",
    "test_docs.py::test_the_examples_of_a_page_run[docs/howto/cloak.md]",
    "test_docs.py::test_the_examples_of_a_page_run[docs/methods/cloak.md]",
)
"""Tests that come to it under way, by the beginnings of their ids."""

RUN_TPM = ("test_docs.py::test_the_examples_of_a_page_run[docs/howto/attested-counting.md]",)
"""Tests that need a TPM in software and a sandbox, by the beginnings of their ids."""

RUN_SPU = ("test_docs.py::test_the_examples_of_a_page_run[docs/howto/mpc.md]",)
"""Tests that need the environment of SPU, by the beginnings of their ids."""

torch_is_missing = find_spec("torch") is None
collect_ignore = [HERE / name for name in IMPORT_TORCH] if torch_is_missing else []


def pytest_report_header() -> list[str]:
    return [f"without torch, left out: {', '.join(IMPORT_TORCH)}"] if torch_is_missing else []


def tpm_is_missing() -> bool:
    from eyelid.infer.enclave.sandbox import available

    return find_spec("tpm2_pytss") is None or not all(map(which, ("swtpm", "swtpm_setup"))) or not available()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if tpm_is_missing():
        ids = tuple(f"{HERE.name}/{name}" for name in RUN_TPM)
        skip = pytest.mark.skip(
            reason="needs a TPM in software: apt-get install swtpm swtpm-tools libtss2-dev bubblewrap, "
            "then pip install 'eyelid[tpm]'"
        )
        for item in items:
            if item.nodeid.startswith(ids):
                item.add_marker(skip)
    if reason := setup.missing():
        ids = tuple(f"{HERE.name}/{name}" for name in RUN_SPU)
        for item in items:
            if item.nodeid.startswith(ids):
                item.add_marker(pytest.mark.skip(reason=reason))
    if torch_is_missing:
        ids = tuple(f"{HERE.name}/{name}" for name in RUN_TORCH)
        skip = pytest.mark.skip(reason="needs torch: pip install 'eyelid[attack,audit,cloak]'")
        for item in items:
            if item.nodeid.startswith(ids):
                item.add_marker(skip)
