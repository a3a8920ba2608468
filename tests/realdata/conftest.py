"""Tests on real photos and clips, which are not part of the repository."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder that EYELID_DATA names."""
    folder = os.environ.get("EYELID_DATA")
    if not folder:
        pytest.skip("set EYELID_DATA to a folder with the real media to run the tests on real data")
    return Path(folder)
