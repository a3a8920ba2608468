"""How exact each layer's values will be: all errors up to it, carried through the layers as independent."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.infer.he.lowering import IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.infer.he.lowering import Lowered
    from eyelid.infer.he.packing import Packing
    from eyelid.infer.he.parameters import Parameters

FRESH: Final = 3.2
"""Standard deviation of the noise of encryption, of the homomorphic encryption standard."""


def errors(
    stages: Sequence[Lowered], chosen: Parameters, packings: Sequence[Packing | None]
) -> tuple[float, ...]:
    """Return the root mean square error that each stage's values have, before their square.

    Four errors count, all per slot: that of encryption; of rescaling, N / sqrt(18) for ternary secrets; of
    weights rounded to whole numbers, which over packed slots is sqrt(N) times as large as for one number in
    all slots; and of rotations of a stage's inputs, by digits of the primes over the prime of the keys.
    """
    degree, moduli = chosen.scheme.degree, chosen.scheme.moduli
    held = {IMAGE: FRESH * math.sqrt(degree) / chosen.scales[0]}
    found = []
    for number, (stage, packing) in enumerate(zip(stages, packings, strict=True)):
        primes = stages[-1].depth + 1 - stage.depth
        product = chosen.product_scale(stage.depth, stage.squares)
        turn = 0.0
        if packing is not None and packing.baby > 1:
            digit = FRESH * degree * math.sqrt(primes / 12) * max(moduli[:primes]) / moduli[-1]
            turn = digit * math.sqrt(packing.baby / 2)
        noise = 0.0
        for source, linear, spread in zip(stage.sources, stage.maps, stage.spread, strict=True):
            scale = chosen.scales[0 if source == IMAGE else stages[source].depth + 1]
            rounding = math.sqrt((1 if packing is None else degree) / 12) * scale / product
            energy = float((linear.values**2).sum()) / linear.shape[0]
            fan_in = len(linear.values) / linear.shape[0]
            noise += fan_in * (spread * rounding) ** 2 + energy * (held[source] ** 2 + (turn / scale) ** 2)
        found.append(math.sqrt(noise))
        if stage.squares:
            rescaling = degree / math.sqrt(18) / chosen.scales[stage.depth + 1]
            held[number] = _squared(stage, found[-1], rescaling)
    return tuple(found)


def _squared(stage: Lowered, error: float, rescaling: float) -> float:
    """Return the error of a stage's results: squares, added up where it pools, rescaled."""
    window = 1.0 if stage.pool is None else len(stage.pool.rows) / stage.pool.shape[0]
    middle = math.sqrt(float(np.mean(stage.center)) / window)
    return math.hypot(2 * middle * error * math.sqrt(window), rescaling)
