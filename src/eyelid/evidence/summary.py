"""The line to trust at the end of a run."""

from __future__ import annotations

from decimal import ROUND_CEILING, Context
from typing import TYPE_CHECKING, Final

from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.evidence.model import Evidence, Kept, TargetCount
    from eyelid.privacy.ledger import PrivacySpent

NOUNS: Final = {
    Target.FACE: ("face", "faces"),
    Target.PLATE: ("licence plate", "licence plates"),
    Target.PERSON: ("person", "people"),
    Target.TEXT: ("text", "texts"),
    Target.SCREEN: ("screen", "screens"),
    Target.VEHICLE: ("vehicle", "vehicles"),
}


def summary(evidence: Evidence, path: Path) -> str:
    """Say in one line what was found, covered, held, dropped and left open; ``path`` is the evidence file."""
    parts = [
        brief(evidence),
        *weakness(evidence),
        f"dropped: {', '.join(evidence.dropped) or 'nothing'}",
        f"NOT covered: {'; '.join(evidence.guarantee.not_covered)}",
        *([f"{number(len(evidence.warnings), 'warning', 'warnings')}"] if evidence.warnings else []),
        f"evidence: {path}",
    ]
    return " | ".join(parts)


def brief(evidence: Evidence) -> str:
    """Say what was found, covered, held and kept in one output of many."""
    parts = [
        f"{evidence.output.name}: {_covered(evidence)}",
        *_frames(evidence),
        *([_kept(evidence.kept)] if evidence.kept else []),
        *([_spent(evidence.privacy)] if evidence.privacy else []),
    ]
    return " | ".join(parts)


def weakness(evidence: Evidence) -> list[str]:
    """Say of pixelate and blur that they can be attacked, and when; other methods make no such part."""
    method = evidence.settings.method
    if method.name not in {"pixelate", "blur"}:
        return []
    levels = method.parameters.get("levels")
    if levels == 1:
        return [f"0 bits of a region survive {method.name}; with more levels it can be attacked"]
    return [f"{method.name} with {levels} levels CAN BE ATTACKED: it leaves what people can be recognised by"]


def _covered(evidence: Evidence) -> str:
    visible = {Target.FACE} if evidence.settings.method.name == "cloak" else set()
    seen = [count for count in evidence.counts if count.detections]
    cloaked = [_count(count) for count in seen if count.target in visible]
    found = [_count(count) for count in seen if count.target not in visible]
    parts = [f"cloaked {listed(cloaked)}, STILL VISIBLE to everyone who looks"] if cloaked else []
    parts += [f"covered {listed(found)}"] if found else []
    missing = [count.target for count in evidence.counts if not count.detections]
    if evidence.kept and Target.FACE in missing:
        missing.remove(Target.FACE)
        parts.append("covered no faces")
    if missing:
        parts.append(f"found no {listed([NOUNS[target][1] for target in missing], 'or')}")
    return ", ".join(parts)


def _count(count: TargetCount) -> str:
    singular, plural = NOUNS[count.target]
    if count.tracks is None:
        return number(count.detections, singular, plural)
    frames = number(count.frames, "frame", "frames")
    return f"{number(count.tracks, f'{singular} track', f'{singular} tracks')} in {frames}"


def _frames(evidence: Evidence) -> list[str]:
    frames = evidence.frames
    unit = ("page", "pages") if evidence.media.kind == "still" else ("frame", "frames")
    parts = []
    if evidence.media.kind == "video" or frames.total > 1:
        parts.append(f"{number(frames.total, *unit)}, {frames.held:,} held from their neighbours")
    if frames.covered:
        reasons = sorted({run.reason.value for run in frames.covered})
        parts.append(f"{number(frames.covered_count, *unit)} covered whole ({listed(reasons)})")
    return parts


def _kept(kept: Kept) -> str:
    if kept.tracks is not None:
        return f"{number(kept.tracks, 'track', 'tracks')} left visible on request"
    return f"{number(kept.detections, 'face', 'faces')} left visible on request"


def _spent(spent: PrivacySpent) -> str:
    if not spent.releases:
        return "nothing was released with noise"
    if spent.pixels is None:
        step = "for each unit of distance"
    else:
        step = f"for any {number(spent.pixels, 'pixel', 'pixels')} of it"
    return (
        f"epsilon {rounded_up(spent.epsilon_whole)} for a whole region, {rounded_up(spent.epsilon)} {step}, "
        f"{rounded_up(spent.epsilon_file)} in {number(spent.releases, 'release', 'releases')} of the file"
    )


def rounded_up(epsilon: float) -> str:
    """Say an epsilon with four digits, never less than it is."""
    return f"{Context(prec=4, rounding=ROUND_CEILING).create_decimal(repr(epsilon)).normalize():,f}"


def number(n: int, singular: str, plural: str) -> str:
    """Say how many: ``1 face``, ``2,000 faces``."""
    return f"{n:,} {singular if n == 1 else plural}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Say several things one after another: ``faces, plates and texts``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"
