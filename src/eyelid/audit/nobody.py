"""Is there anybody to attack? Of a landscape no attack can say how well people in it are hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.errors import InputError
from eyelid.evidence.summary import NOUNS, listed
from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.audit.watch import Watched
    from eyelid.evidence.model import Evidence


def check_anybody(
    watched: Watched, evidence: Evidence | None, output: Path, original: Path, targets: Sequence[Target]
) -> None:
    """Raise InputError where nothing was found in an output and its original, nor when it was made.

    A detector that failed leaves it in doubt, and what is in doubt is audited.
    """
    if watched.something or (evidence is not None and _records(evidence)):
        return
    looked_for = dict.fromkeys((*targets, Target.FACE, Target.PERSON, Target.VEHICLE))
    nouns = listed([NOUNS[target][0] for target in looked_for], "or")
    raise InputError(
        f"no {nouns} was found in {original} or {output}, so there was nothing to attack and nothing was "
        "written; if you see one, cover it with 'eyelid anonymize --detections' and audit that output"
    )


def _records(evidence: Evidence) -> bool:
    """Return whether anything was found or covered when the output was made."""
    fill, kept = evidence.fill, evidence.kept
    return bool(
        any(count.detections for count in evidence.counts)
        or evidence.frames.covered
        or (kept is not None and kept.detections)
        or (fill is not None and fill.pixels_from_views + fill.pixels_invented)
    )
