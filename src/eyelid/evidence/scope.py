"""What an output does not cover, whatever the method promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eyelid.types import Guarantee, Target

if TYPE_CHECKING:
    from collections.abc import Collection

    from eyelid.evidence.model import Kept

ABSENT_TARGETS: Final = {
    Target.FACE: "faces",
    Target.PERSON: "bodies, clothing and gait",
    Target.PLATE: "licence plates",
    Target.TEXT: "readable text",
    Target.SCREEN: "screens",
    Target.VEHICLE: "vehicles",
}
ALWAYS: Final = ("what a detector overlooked", "the scene: place, time and company")


def with_scope(
    guarantee: Guarantee, targets: Collection[Target], *, audio: bool = False, kept: Kept | None = None
) -> Guarantee:
    """Return the guarantee of a method with what the run leaves open added to ``not_covered``.

    A hidden person hides the face too. ``audio``: the output holds sound. ``kept``: who stays visible.
    """
    hidden = set(targets) | ({Target.FACE} if Target.PERSON in targets else set())
    hidden |= {Target.PLATE} if Target.VEHICLE in targets else set()
    limits = [*guarantee.not_covered]
    if kept:
        limits.append("people kept visible on request")
    if audio:
        limits.append("voices and other sound")
    limits += [words for target, words in ABSENT_TARGETS.items() if target not in hidden]
    limits += ALWAYS
    return guarantee.model_copy(update={"not_covered": tuple(dict.fromkeys(limits))})
