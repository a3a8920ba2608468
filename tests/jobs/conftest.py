"""Fixtures for tests of the jobs."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def portrait() -> Path:
    """The photo of the docs: an astronaut, in the public domain."""
    return Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
