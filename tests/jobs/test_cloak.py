"""A cloak in the whole job: its evidence names what it was made against, and no video is begun."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import eyelid
from eyelid.errors import UsageError
from eyelid.jobs import preview as room
from eyelid.jobs.preview import preview
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.models.cards import card
from eyelid.obfuscate.cloak import FOOLED, Cloak
from tests.canary import Scene, Truth, save_clip

if TYPE_CHECKING:
    from pathlib import Path

SCENE = Scene()


def test_evidence_names_the_networks_that_the_cloak_is_made_against(tmp_path: Path, portrait: Path) -> None:
    face = Truth(lambda _: [(97, 32, 132, 80)])
    result = eyelid.anonymize(
        portrait,
        tmp_path / "a.jpg",
        targets=["face"],
        settings=Settings(method=Cloak(steps=1)),
        detectors=[face],
    )
    assert result.evidence is not None
    assert {model.name: model.sha256 for model in result.evidence.models} == {
        name: card(name).sha256 for name in FOOLED
    }
    assert {(m.precision, m.device) for m in result.evidence.models} == {("f32", "cpu")}


def test_a_network_that_a_detector_uses_too_is_named_once(tmp_path: Path, portrait: Path) -> None:
    settings = Settings(method=Cloak(steps=1))
    result = eyelid.anonymize(portrait, tmp_path / "a.jpg", targets=["face"], settings=settings)
    assert result.evidence is not None
    names = [model.name for model in result.evidence.models]
    assert len(names) == len(set(names))
    assert set(names) >= {"centerface", *FOOLED}


def test_a_preview_of_a_cloak_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = save_clip(tmp_path / "a.mp4", [SCENE.picture(moment) for moment in range(3)])
    monkeypatch.delattr(room, "_best_starts")
    with pytest.raises(UsageError, match=r"cloak is for photos and .*a\.mp4 is a video"):
        preview(source, None, Searcher(Settings(method=Cloak())))
