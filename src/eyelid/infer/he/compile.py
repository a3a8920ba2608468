"""From a network to an artefact: stages, parameters, layouts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InferenceError
from eyelid.infer.he import parameters, precision
from eyelid.infer.he.artefact import Artefact, Manifest, Stage, StageRecord, Target
from eyelid.infer.he.lowering import IMAGE, lower
from eyelid.infer.he.planning import image, pitches, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.infer.he.lowering import Lowered
    from eyelid.infer.he.packing import Packing
    from eyelid.infer.he.parameters import Parameters
    from eyelid.infer.network import Network


def compile(  # noqa: A001 (the word of the field)
    network: Network,
    calibration: NDArray[np.floating],
    target: Target = Target.LATENCY,
    *,
    degree: int = 2,
) -> Artefact:
    """Compile a network for encrypted images.

    ``calibration`` is a handful of real images, float (n, c, h, w) in [0, 1]: ranges, and the polynomials
    that stand for rectifiers, of ``degree`` 2, 3 or 4, are fitted to them. A degree above 2 takes two levels
    instead of one. Raises :class:`InferenceError` with the layer, where the depth
    or the size fits no parameters of 128 bits; :class:`UnsupportedError` for a layer without form.
    """
    pooled = target is Target.THROUGHPUT
    stages, _ = lower(network, np.asarray(calibration, np.float64), pooled=pooled, degree=degree)
    chosen = _parameters(stages, network.input_shape)
    slots = chosen.scheme.slots
    packings: list[Packing | None] = [None] * len(stages)
    steps: set[int] = set()
    if target is Target.LATENCY:
        placed = {IMAGE: image(network.input_shape)}
        for number, stage in enumerate(stages):
            sources = [placed[source] for source in stage.sources]
            packings[number], placed[number], cost = plan(stage.name, stage.maps, sources, stage.shape, slots)
            steps |= cost.steps
    row, plane = pitches(network.input_shape)
    classes = stages[-1].bias.size
    last = packings[-1]
    manifest = Manifest(
        digest=network.digest,
        mode=target,
        scheme=chosen.scheme,
        scale=chosen.scales[0],
        input_shape=network.input_shape,
        row_pitch=row,
        plane_pitch=plane,
        images=1 if target is Target.LATENCY else slots,
        input_ciphertexts=1 if target is Target.LATENCY else math.prod(network.input_shape),
        output_ciphertexts=1 if target is Target.LATENCY else classes,
        rotation_steps=tuple(sorted(steps)),
        output_slots=tuple(range(classes) if last is None else last.layout.slot.tolist()),
    )
    noises = precision.errors(stages, chosen, packings)
    made = [
        Stage(
            _record(stage, chosen, stages, noise), stage.maps, stage.bias, stage.pool, stage.center, packing
        )
        for stage, packing, noise in zip(stages, packings, noises, strict=True)
    ]
    return Artefact(manifest, tuple(made))


def _parameters(stages: Sequence[Lowered], shape: tuple[int, int, int]) -> Parameters:
    plane = pitches(shape)[1]
    slots = 1 << (shape[0] * plane - 1).bit_length()
    depth, answer = stages[-1].depth, stages[-1].largest
    deepest = parameters.deepest(answer)
    if depth > deepest:
        # The layer at which the levels run out, counted in squares; the linear layers come with them.
        name = next(stage.name for stage in stages if stage.depth >= deepest and stage.squares)
        more = depth - deepest
        raise InferenceError(
            f"{name} needs {more} more level{'s' * (more > 1)}: the network has {depth} squares in a row "
            f"(degree 3 or 4 takes two) and 128-bit parameters have room for {deepest}; drop activations"
        )
    found = parameters.choose(depth, slots, answer)
    if found is None:
        raise InferenceError(
            f"an image of {shape} needs {slots} slots, and the largest ring has "
            f"{max(parameters.MAX_BITS) // 2}; make the input smaller"
        )
    return found


def _record(stage: Lowered, chosen: Parameters, stages: Sequence[Lowered], noise: float) -> StageRecord:
    primes = stages[-1].depth + 1 - stage.depth
    product = chosen.product_scale(stage.depth, stage.squares)
    scale = chosen.scales[stage.depth + 1] if stage.squares else product
    # After its square and rescaling a stage holds values at its scale, one prime lower.
    room = math.log2(math.prod(chosen.scheme.moduli[: primes - stage.squares])) - 1
    # A pool adds up as many squares as its window has.
    window = 1.0 if stage.pool is None else len(stage.pool.rows) / stage.pool.shape[0]
    return StageRecord(
        name=stage.name,
        sources=stage.sources,
        squares=stage.squares,
        primes=primes,
        scale=scale,
        product_scale=product,
        headroom_bits=room - math.log2(scale * window * max(stage.largest, 1e-9)),
        precision_bits=math.log2(max(stage.largest, 1e-9) / noise),
        fit_error=stage.fit_error,
    )
