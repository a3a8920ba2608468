"""A compiled network as a program that a server runs, and as an offer to clients."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np

from eyelid.infer.he.artefact import Manifest
from eyelid.infer.he.contract import Offer, Program, Wire
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.he.layout import decode, encode
from eyelid.infer.he.scheme import Demands

if TYPE_CHECKING:
    from collections.abc import Sequence

    import seal
    from numpy.typing import NDArray

    from eyelid.infer.he.artefact import Artefact, StageRecord
    from eyelid.infer.he.evaluation_keys import EvaluationKeys


SCORES_IN_STEPS = 64
"""The largest score of calibration is so many steps of rounding at most, and more than half as many."""


class NetworkOffer(Offer):
    """A network as clients see it: what images it takes, how many scores it gives, nothing of its layers."""

    kind: Literal["network"] = "network"
    manifest: Manifest

    def pack(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
        """Return the slots of images (n, c, h, w); n is at most ``manifest.images``. Raises InputError."""
        return np.stack(encode(values.astype(np.float32), self.manifest)), len(values)

    def unpack(self, slots: NDArray[np.complex128], rows: int) -> NDArray[np.float64]:
        """Return the logits, (rows, classes)."""
        return decode(list(slots.real), self.manifest, rows)

    def outgrown(self, slots: NDArray[np.complex128], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return whose scores are over twice those of calibration, (rows,); all, if values wrapped around.

        A coefficient that wraps in the last layer adds a wave of at least four times those scores to all
        slots. It has imaginary parts, of which a right answer has nothing but noise.
        """
        most = 2 * SCORES_IN_STEPS * self.rounding
        wrapped = np.abs(slots.imag).max() > most / 2
        return np.asarray(wrapped | (np.abs(scores).max(axis=1) > most))


def offer(artefact: Artefact, name: str, digest: str) -> NetworkOffer:
    """Return what an artefact, whose file has the SHA-256 ``digest``, offers."""
    manifest, last = artefact.manifest, artefact.stages[-1].record
    squares = any(stage.record.squares for stage in artefact.stages)
    return NetworkOffer(
        name=name,
        artefact=digest,
        demands=Demands(scheme=manifest.scheme, rotations=manifest.rotation_steps, relinearise=squares),
        request=Wire(
            count=manifest.input_ciphertexts, primes=len(manifest.scheme.moduli) - 1, scale=manifest.scale
        ),
        response=Wire(
            count=manifest.output_ciphertexts,
            primes=last.primes - last.squares,
            scale=last.scale if last.squares else last.product_scale,
        ),
        rounding=_rounding(manifest, last),
        manifest=manifest,
    )


def _rounding(manifest: Manifest, last: StageRecord) -> float:
    """Return a power of two between a 64th and a 32nd of the largest score that calibration saw."""
    room = math.log2(math.prod(manifest.scheme.moduli[: last.primes - 1 or 1])) - 1
    scale = last.scale if last.squares else last.product_scale
    return 2.0 ** (math.ceil(room - last.headroom_bits - math.log2(scale))) / SCORES_IN_STEPS


class NetworkProgram(Program):
    """Evaluates a compiled network."""

    def __init__(self, artefact: Artefact, name: str, digest: str) -> None:
        self._offer = offer(artefact, name, digest)
        self._evaluator = Evaluator(artefact)

    @property
    def offer(self) -> NetworkOffer:
        """What clients are told."""
        return self._offer

    def run(self, inputs: Sequence[seal.Ciphertext], keys: EvaluationKeys) -> list[seal.Ciphertext]:
        """Return the encrypted logits."""
        return self._evaluator.run(inputs, keys.relin, keys.galois)
