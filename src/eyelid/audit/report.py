"""The report of an audit: one HTML file that needs nothing else, for a screen, a phone or paper.

It shows the anonymised side alone, unless originals are asked for: where the output left somebody as they
were, that picture is withheld like an original.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.base import Knowledge
from eyelid.audit.file import HTML_SUFFIX, JSON_SUFFIX
from eyelid.audit.plots import plots, strongest_naming
from eyelid.audit.verdict import place_words
from eyelid.audit.words import (
    GUARANTEES,
    KNOWLEDGE,
    STANDINGS,
    Reading,
    figure,
    interval,
    is_rate,
    percent,
    reading,
    seconds,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

    from eyelid.attack.base import AttackResult
    from eyelid.audit.model import Audit, VisibleSpan
    from eyelid.audit.run import Audited
    from eyelid.audit.stages import Portrait
    from eyelid.types import Bgr

AS_IT_WAS_DB: Final = 30.0
"""From this PSNR with the original on, a picture is the original, coded once more."""
SPANS_LISTED: Final = 60
_TICKS: Final = 4
_NARROWEST: Final = 0.004


@dataclass(frozen=True, slots=True)
class Bar:
    """A success drawn from 0 to its full length; all in per cent of that."""

    success: float
    low: float
    high: float
    chance: float


@dataclass(frozen=True, slots=True)
class Row:
    """One attack in the table."""

    result: AttackResult
    success: str
    interval: str
    chance: str
    reading: Reading
    bar: Bar


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of the timeline in per cent of the film."""

    start: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture for the page: ``source`` is a data URL, None where it would show an original."""

    label: str
    source: str | None
    original: bool = False


def render(audited: Audited, name: str, *, show_original: bool = False) -> str:
    """Return the page; ``name`` is that of its file, from which the JSON beside it has its name."""
    audit = audited.audit
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            audit=audit,
            said=STANDINGS[audit.verdict.standing],
            strongest=_row(strongest) if (strongest := strongest_naming(audit)) else None,
            rows=[_row(result) for result in audit.attacks],
            knowledge=[(level, KNOWLEDGE[level]) for level in Knowledge],
            promised=GUARANTEES[audit.guarantee.kind] if audit.guarantee else None,
            plots=plots(audit),
            timeline=_timeline(audit),
            ticks=_ticks(audit.media.duration),
            spans=[(span, _when(span), place_words(span)) for span in audit.visible[:SPANS_LISTED]],
            people=[_pictures(portrait, show_original=show_original) for portrait in audited.portraits],
            show_original=show_original,
            json_name=name.removesuffix(HTML_SUFFIX) + JSON_SUFFIX,
        )
    )


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # an extra

    environment = Environment(
        loader=PackageLoader("eyelid.audit", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "seconds": seconds, "figure": figure}
    return environment


def _row(result: AttackResult) -> Row:
    low, high = result.interval
    most = max(result.success, result.chance, high)
    full = 1.0 if is_rate(result.measure) or most <= 1 else most

    def length(value: float) -> float:
        return round(100 * min(max(value / full, 0.0), 1.0), 2)

    return Row(
        result,
        figure(result.success, result.measure),
        interval(result),
        figure(result.chance, result.measure),
        reading(result),
        Bar(length(result.success), length(low), length(high), length(result.chance)),
    )


def _timeline(audit: Audit) -> list[tuple[str, list[Stretch]]]:
    """Return the stretches of each target; empty for stills, which have no time."""
    duration = audit.media.duration
    if not duration or audit.media.kind == "still":
        return []
    timed = sorted(
        (span for span in audit.visible if span.start is not None), key=lambda s: (s.target, s.first)
    )
    return [
        (str(target), [_stretch(span, duration) for span in group])
        for target, group in groupby(timed, key=lambda span: span.target)
    ]


def _stretch(span: VisibleSpan, duration: float) -> Stretch:
    start = min((span.start or 0.0) / duration, 1.0)
    end = min((span.end or 0.0) / duration, 1.0)
    return Stretch(round(100 * start, 3), round(100 * max(end - start, _NARROWEST), 3), _when(span))


def _ticks(duration: float | None) -> list[tuple[float, str]]:
    return (
        [(100 * part / _TICKS, seconds(duration * part / _TICKS)) for part in range(_TICKS + 1)]
        if duration
        else []
    )


def _when(span: VisibleSpan) -> str:
    if span.start is None or span.end is None:
        return f"page {span.first + 1}" + (f" to {span.last + 1}" if span.last > span.first else "")
    return seconds(span.start) + (f" to {seconds(span.end)}" if span.end > span.start else "")


def _pictures(portrait: Portrait, *, show_original: bool) -> Sequence[Picture]:
    def shown(label: str, picture: Bgr) -> Picture:
        hidden = not show_original and _is_the_original(picture, portrait.original)
        return Picture(label, None if hidden else _data_url(picture))

    pictures = [shown("in the output", portrait.anonymised)]
    if portrait.restored is not None:
        pictures.append(shown("as an attacker restores it", portrait.restored))
    if show_original:
        pictures.append(Picture("ORIGINAL", _data_url(portrait.original), original=True))
    return pictures


def _is_the_original(picture: Bgr, original: Bgr) -> bool:
    """Whether the middle of a picture is that of the original, in grey: a restorer has no colours."""
    height, width = original.shape[:2]
    middle = np.s_[height // 4 : height - height // 4, width // 4 : width - width // 4]
    one, other = (
        cv2.cvtColor(np.ascontiguousarray(p[middle]), cv2.COLOR_BGR2GRAY) for p in (picture, original)
    )
    return bool(cv2.PSNR(one, other) >= AS_IT_WAS_DB)


def _data_url(picture: Bgr) -> str:
    return "data:image/png;base64," + base64.b64encode(cv2.imencode(".png", picture)[1].tobytes()).decode()
