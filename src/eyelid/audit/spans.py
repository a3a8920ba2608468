"""The stretches of a film in which something is found that should be hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.audit.model import Place, VisibleSpan
from eyelid.audit.watch import GLANCES_A_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.audit.watch import Sight


def spans(sights: Sequence[Sight]) -> tuple[VisibleSpan, ...]:
    """Return the stretches in which something is found where the original shows it, worst score first.

    In a film they tell when, and one place of each; pages have no time, and each find is told by itself.
    """
    joined: list[list[Sight]] = []
    for sight in sorted(sights, key=lambda s: (s.target, s.index)):
        if not sight.shows:
            continue
        last = joined[-1][-1] if joined else None
        together = (
            last is not None
            and last.target is sight.target
            and sight.time is not None
            and last.time is not None
            and sight.time - last.time <= 1.5 / GLANCES_A_SECOND
        )
        if together:
            joined[-1].append(sight)
        else:
            joined.append([sight])
    return tuple(sorted(map(_span, joined), key=lambda span: -span.score))


def _span(sights: Sequence[Sight]) -> VisibleSpan:
    worst = max(sights, key=lambda sight: sight.score)
    x0, y0, x1, y1 = worst.box
    return VisibleSpan(
        target=worst.target,
        first=sights[0].index,
        last=sights[-1].index,
        start=sights[0].time,
        end=sights[-1].time,
        frames=len({sight.index for sight in sights}),
        score=worst.score,
        place=Place(frame=worst.index, x0=x0, y0=y0, x1=x1, y1=y1),
    )
