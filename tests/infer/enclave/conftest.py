"""A TPM in software, and one workload at work that several tests ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.infer.enclave.software_tpm import SoftwareTpm
from tests.infer.enclave import live

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareTpm]:
    """A TPM in software that is switched on."""
    if live.MISSING:
        pytest.skip(f"needs {live.MISSING}")
    with SoftwareTpm(tmp_path_factory.mktemp("tpm")) as made:
        yield made
