"""Pixels that no camera saw, made up from what surrounds them: the last resort."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.obfuscate.remove.spread import spread

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Stack


def invent(stack: Stack, unknown: Mask) -> Stack:
    """Return the stack with its unknown pixels made up from the known ones: smooth, so that all can see it.

    What propagates edges into a hole invents things there, and is further from the truth in large holes.
    """
    if unknown.all():  # the samples of a hole are black: they stay so
        return stack
    return spread(stack, ~unknown)
