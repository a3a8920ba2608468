"""The stretches of a film in which something is found that should be hidden."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.audit.model import VisibleSpan
from eyelid.audit.watch import GLANCES_A_SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.audit.watch import Sight


def spans(sights: Sequence[Sight]) -> tuple[VisibleSpan, ...]:
    """Return the stretches in which something is found where the original shows it, worst score first."""
    joined: list[list[Sight]] = []
    for sight in sorted(sights, key=lambda s: (s.target, s.index)):
        if not sight.shows:
            continue
        last = joined[-1][-1] if joined else None
        together = (
            last is not None
            and last.target is sight.target
            and (
                sight.index == last.index
                or (
                    sight.time is not None
                    and last.time is not None
                    and sight.time - last.time <= 1.5 / GLANCES_A_SECOND
                )
            )
        )
        if together:
            joined[-1].append(sight)
        else:
            joined.append([sight])
    found = [
        VisibleSpan(
            target=group[0].target,
            first=group[0].index,
            last=group[-1].index,
            start=group[0].time,
            end=group[-1].time,
            frames=len({sight.index for sight in group}),
            score=max(sight.score for sight in group),
        )
        for group in joined
    ]
    return tuple(sorted(found, key=lambda span: -span.score))
