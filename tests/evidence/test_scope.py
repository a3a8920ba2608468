"""What a file of detections changes in the promise of a method, and what it must leave standing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.evidence.scope import with_scope
from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.obfuscate.lock import LockObfuscator
from eyelid.obfuscate.metric import Metric
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.solid import Solid
from eyelid.obfuscate.svd import Svd
from eyelid.types import Target

if TYPE_CHECKING:
    from eyelid.types import Guarantee

LISTED = "he file of detections lists every target"


def listed(guarantee: Guarantee) -> str:
    return with_scope(guarantee, {Target.FACE}, listed=True).assumption


def test_a_method_that_assumes_nothing_else_assumes_the_file() -> None:
    assert listed(Solid().build(Coverage(), None).guarantee) == f"T{LISTED}."


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (DpPixelate(), ("in the same places for both inputs", "one track")),
        (Metric(), ("in the same places for both inputs", "real numbers")),
        (Svd(), ("Nobody attacks the singular vectors",)),
    ],
    ids=["dp", "metric", "svd"],
)
def test_a_file_of_detections_takes_no_other_assumption_away(
    method: DpPixelate | Metric | Svd, words: tuple[str, ...]
) -> None:
    assumption = listed(method.build(Coverage()).guarantee)
    assert LISTED in assumption
    assert "etectors" not in assumption
    for word in words:
        assert word in assumption


def test_a_key_must_stay_secret_whoever_found_the_targets() -> None:
    guarantee = LockObfuscator.guarantee.fget(None)  # type: ignore[attr-defined]
    assert "The key stays secret" in listed(guarantee)
    assert LISTED in listed(guarantee)
