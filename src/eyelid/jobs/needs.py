"""Was there anything for a method to do? An output that only bears its name claims what was not done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.errors import InputError
from eyelid.evidence.summary import NOUNS, listed
from eyelid.types import Quality

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.jobs.keep import Keeper
    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tally import Tally
    from eyelid.obfuscate.base import Obfuscator
    from eyelid.types import Target


def check_found(
    source: Path, settings: Settings, tally: Tally, keeper: Keeper | None, obfuscator: Obfuscator
) -> None:
    """Raise InputError where a whole file held nothing of what its method needs.

    Who is kept on request was found, a frame in doubt that was covered whole may hold anything, and what only
    moved was filled: all of these are something.
    """
    needs, fill = settings.method.needs, obfuscator.fill
    kept = keeper is not None and keeper.detections > 0
    filled = fill is not None and fill.pixels_from_views + fill.pixels_invented > 0
    if needs and not (tally.holds(needs) or kept or filled):
        wanted = [target for target in tally.targets if target in needs]
        raise InputError(_sentence(source, settings, wanted or sorted(needs)))


def _sentence(source: Path, settings: Settings, wanted: Sequence[Target]) -> str:
    nouns = listed([NOUNS[target][0] for target in wanted], "or")
    if settings.detections is not None:
        found, advice = f"{settings.detections} lists no {nouns} in {source}", "add it there"
    else:
        found = f"no {nouns} was found in {source}"
        thorough = settings.quality is Quality.THOROUGH
        advice = "say where with --detections" if thorough else "try --quality thorough or --detections"
    return (
        f"{found}, so {settings.method.name} had nothing to work on and nothing was written; "
        f"if you see one, {advice}, or write the copy with --method solid"
    )
