"""What an output does not cover, whatever the method promises."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from eyelid.types import Guarantee, Target

if TYPE_CHECKING:
    from collections.abc import Collection

    from eyelid.evidence.model import Kept

WORDS: Final = {
    Target.FACE: "faces",
    Target.PERSON: "whole bodies",
    Target.PLATE: "licence plates",
    Target.TEXT: "text",
    Target.SCREEN: "screens",
    Target.VEHICLE: "vehicles",
}
UNDETECTED: Final = "targets that no detector found"
PARTS: Final = {Target.PERSON: Target.FACE, Target.VEHICLE: Target.PLATE}
"""What is hidden together with a larger target."""
_FOUND: Final = re.compile(r"he detectors found every target(; their recall is measured, not proven)?")
_LISTED: Final = "he file of detections lists every target"


def with_scope(
    guarantee: Guarantee,
    targets: Collection[Target],
    *,
    audio: bool = False,
    kept: Kept | None = None,
    listed: bool = False,
) -> Guarantee:
    """Return the guarantee of a method with what the run leaves open added to ``not_covered``.

    ``audio``: the output holds sound. ``kept``: who stays visible. ``listed``: a file of detections said what
    to cover, no detector was asked.
    """
    hidden = {*targets, *(PARTS[target] for target in targets if target in PARTS)}
    absent = [words for target, words in WORDS.items() if target not in hidden]
    limits = [*guarantee.not_covered]
    if kept:
        limits.append("people kept visible on request")
    if audio:
        limits.append("voices and other sound")
    if absent:
        limits.append(f"what was not asked for: {', '.join(absent)}")
    update: dict[str, str | tuple[str, ...]] = {}
    if listed:
        limits[:0] = ["what the file of detections does not list"]
        limits = [limit for limit in limits if limit != UNDETECTED]
        update["assumption"] = _listed(guarantee.assumption)
    return guarantee.model_copy(update={"not_covered": tuple(limits), **update})


def _listed(assumption: str) -> str:
    """Return an assumption with the file of detections in place of the detectors; all else in it stays."""
    stated, times = _FOUND.subn(_LISTED, assumption)
    return stated if times else f"T{_LISTED}. {assumption}"
