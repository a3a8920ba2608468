"""Architectures with something wrong in them: JSON in which one or several places were changed at random."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random

MARK = "told by another"
"""Stands in every text that a mutant brings, so that it is found where it must not be."""
ODD: list[Any] = [
    0,
    -1,
    1,
    2,
    3,
    16,
    513,
    10**9,
    2**31,
    2**63,
    10**40,
    0.5,
    1e308,
    float("nan"),
    float("inf"),
]
ODD += [True, None, MARK, MARK * 1_000, "", "input", "relu", "conv", [], {}, [[]], [1], [0, 0], [1, 1, 1, 1]]
ODD += [[2**30, 2**30, 2**30], [-1, 2], {"name": MARK}]


def mutant(plan: dict[str, Any], draw: random.Random) -> Any:
    """Return a copy of an architecture with one to three places changed."""
    whole = [copy.deepcopy(plan)]
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        holder, key = draw.choice([*_places(whole)])
        value = holder[key]
        match draw.randrange(6):
            case 0 | 1:
                holder[key] = copy.deepcopy(draw.choice(ODD))
            case 2 if type(value) is int:
                holder[key] = value + draw.choice([-1, 1, value])
            case 3 if isinstance(holder, dict) or len(holder) > 1:
                del holder[key]
            case 4 if isinstance(value, list):
                value.append(copy.deepcopy(draw.choice(value or ODD)))
            case 4 if isinstance(value, dict):
                value[MARK] = draw.choice(ODD)
            case _:
                other, there = draw.choice([*_places(whole)])
                holder[key] = copy.deepcopy(other[there])
    return whole[0]


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Return all places below a value, as what holds them and where."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]
