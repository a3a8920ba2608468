"""Fixtures for tests of the command line."""

from __future__ import annotations

import pytest

from .program import Here


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Here:
    """The program, run in this process."""
    return Here(monkeypatch, capfd)
