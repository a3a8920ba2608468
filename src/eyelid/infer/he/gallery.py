"""One encrypted embedding against a gallery: all scores at once, and the best are found by the client.

The gallery is cut into blocks of twice as many vectors as a ciphertext has slots: a slot is a complex number,
and holds one vector's score in its real and another's in its imaginary part. Diagonal k of a block holds, in
slot j, value (j + k) mod d of both its vectors, so that the scores of a block are the sum over k of diagonal
k times the probe turned by k (Halevi and Shoup, Crypto 2014), in baby and giant steps. One product and no
rescaling: the ring has one prime for data and one for keys.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from pydantic import Field

from eyelid.errors import InputError
from eyelid.infer.he.contract import Offer, Program, Wire
from eyelid.infer.he.scheme import Demands, Scheme

if TYPE_CHECKING:
    from collections.abc import Sequence

    import seal
    from numpy.typing import NDArray

    from eyelid.infer.he.evaluation_keys import EvaluationKeys

DEGREE: Final = 4096
BITS: Final = (51, 58)
"""109 bits together, the most that the standard allows at this degree for 128 bits of security.

The prime of the keys is the larger: SEAL's digits are not centred, so that a rotation's noise, divided by
that prime, is a thousand times the usual in the slots of roots near 1.
"""
PROBE_SCALE: Final = 2.0**26
GALLERY_SCALE: Final = 2.0**23
"""The noise of rotations, in the probe, and of encryption, in the gallery, then count alike."""
ROUNDING: Final = 2.0**-7
MAX_VECTORS: Final = 2**17


class GalleryOffer(Offer):
    """A gallery as clients see it: the ``names`` of its vectors in order, and the ``dimensions`` of each.

    ``dimensions`` is a power of two. ``names`` is empty where their owner does not tell them; ``encrypted``
    says that the gallery, too, is under a key.
    """

    kind: Literal["gallery"] = "gallery"
    vectors: int = Field(ge=1, le=MAX_VECTORS)
    dimensions: int = Field(ge=2, le=DEGREE // 2)
    names: tuple[str, ...] = Field(default=(), max_length=MAX_VECTORS)
    encrypted: bool = False

    def pack(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
        """Return the slots of one embedding (dimensions,), normalised and repeated. Raises InputError."""
        return np.tile(normalised(values.reshape(1, -1), self.dimensions)[0], self._repeats)[None], 1

    def unpack(self, slots: NDArray[np.complex128], rows: int) -> NDArray[np.float64]:
        """Return the cosine similarities, (1, vectors)."""
        return np.stack([slots.real, slots.imag], axis=1).reshape(rows, -1)[:, : self.vectors]

    @property
    def _repeats(self) -> int:
        return self.demands.scheme.slots // self.dimensions


@lru_cache(maxsize=1)
def scheme() -> Scheme:
    """Return the ring of galleries."""
    import seal

    primes = seal.CoeffModulus.Create(DEGREE, list(BITS))
    return Scheme(degree=DEGREE, moduli=tuple(prime.value() for prime in primes))


def baby_steps(dimensions: int) -> int:
    """Return how many diagonals share one rotation of the probe: about the root of their number."""
    return 1 << (dimensions.bit_length() // 2)


def offer(
    name: str, artefact: str, vectors: int, dimensions: int, names: tuple[str, ...], *, encrypted: bool
) -> GalleryOffer:
    """Return what a gallery offers."""
    baby = baby_steps(dimensions)
    steps = {*range(1, baby), *range(baby, dimensions, baby)}
    blocks = -(-vectors // DEGREE)
    return GalleryOffer(
        name=name,
        artefact=artefact,
        demands=Demands(scheme=scheme(), rotations=tuple(sorted(steps)), relinearise=encrypted),
        request=Wire(count=1, primes=1, scale=PROBE_SCALE),
        response=Wire(count=blocks, primes=1, scale=PROBE_SCALE * GALLERY_SCALE),
        rounding=ROUNDING,
        vectors=vectors,
        dimensions=dimensions,
        names=names,
        encrypted=encrypted,
    )


def normalised(vectors: NDArray[np.floating], dimensions: int) -> NDArray[np.float64]:
    """Return vectors, float64 (n, dimensions), of length 1. Raises InputError (size, not finite, zero)."""
    if vectors.ndim != 2 or vectors.shape[1] != dimensions:
        raise InputError(f"an embedding of this gallery has {dimensions} values, not {vectors.shape[-1]}")
    if not np.isfinite(vectors).all():
        raise InputError("an embedding has values that are not finite; check where it comes from")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError("an embedding is zero in all values, so it resembles nothing; leave it out")
    return np.asarray(vectors / lengths, np.float64)


def diagonals(vectors: NDArray[np.float64], dimensions: int) -> NDArray[np.complex128]:
    """Return the diagonals of normalised vectors, complex128 (blocks, dimensions, slots), for giant steps.

    Diagonal k = g * baby + b is turned back by g * baby, because the sum over b is turned forth by that.
    """
    slots, baby = DEGREE // 2, baby_steps(dimensions)
    blocks = -(-len(vectors) // DEGREE)
    padded = np.zeros((blocks * DEGREE, dimensions))
    padded[: len(vectors)] = vectors
    halves = padded.reshape(blocks, 2, slots, dimensions)
    joined = halves[:, 0] + 1j * halves[:, 1]
    place = np.arange(slots)
    made = np.empty((blocks, dimensions, slots), np.complex128)
    for k in range(dimensions):
        column = joined[:, place, (place + k) % dimensions]
        made[:, k] = np.roll(column, k - k % baby, axis=1)
    return made


class _Matcher(Program):
    """Sums products of diagonals with the turned probe; a diagonal is a plaintext or a ciphertext."""

    def __init__(self, told: GalleryOffer) -> None:
        import seal

        self._offer = told
        self._evaluator = seal.Evaluator(told.demands.scheme.context)

    @property
    def offer(self) -> GalleryOffer:
        """What clients are told."""
        return self._offer

    def _match(
        self,
        probe: seal.Ciphertext,
        keys: EvaluationKeys,
        blocks: Sequence[Sequence[seal.Plaintext | seal.Ciphertext | None]],
    ) -> list[seal.Ciphertext]:
        baby = baby_steps(self._offer.dimensions)
        turned = [probe]
        turned += [self._evaluator.rotate_vector(probe, step, keys.galois) for step in range(1, baby)]
        return [self._block(turned, keys, block) for block in blocks]

    def _block(
        self,
        turned: list[seal.Ciphertext],
        keys: EvaluationKeys,
        block: Sequence[seal.Plaintext | seal.Ciphertext | None],
    ) -> seal.Ciphertext:
        baby = len(turned)
        multiply = self._evaluator.multiply if self._offer.encrypted else self._evaluator.multiply_plain
        total = None
        for start in range(0, len(block), baby):
            pairs = zip(turned, block[start : start + baby], strict=True)
            products = [multiply(probe, diagonal) for probe, diagonal in pairs if diagonal is not None]
            if not products:
                continue
            part = products[0] if len(products) == 1 else self._evaluator.add_many(products)
            if self._offer.encrypted:
                self._evaluator.relinearize_inplace(part, keys.relin)
            if start:
                self._evaluator.rotate_vector_inplace(part, start, keys.galois)
            if total is None:
                total = part
            else:
                self._evaluator.add_inplace(total, part)
        return total


class PlainGallery(_Matcher):
    """A gallery that the server knows: the probe stays hidden from it, the gallery does not.

    ``vectors``: (n, dimensions), dimensions a power of two up to 2048. Raises InputError.
    """

    def __init__(self, told: GalleryOffer, vectors: NDArray[np.floating]) -> None:
        import seal

        super().__init__(told)
        encoder = seal.CKKSEncoder(told.demands.scheme.context)
        unit = normalised(vectors, told.dimensions)
        made = diagonals(unit, told.dimensions)
        encoded = [[encoder.encode_complex(row, GALLERY_SCALE) for row in block] for block in made]
        # SEAL refuses to multiply by a plaintext of zeros, as a small gallery has them
        self._blocks = [[None if plain.is_zero() else plain for plain in block] for block in encoded]

    def run(self, inputs: Sequence[seal.Ciphertext], keys: EvaluationKeys) -> list[seal.Ciphertext]:
        """Return the scores of all vectors, one ciphertext a block."""
        return self._match(inputs[0], keys, self._blocks)


class EncryptedGallery(_Matcher):
    """A gallery that its owner encrypted: the server knows neither it nor the probe, only its size."""

    def __init__(self, told: GalleryOffer, blocks: Sequence[Sequence[seal.Ciphertext]]) -> None:
        super().__init__(told)
        self._blocks = blocks

    def run(self, inputs: Sequence[seal.Ciphertext], keys: EvaluationKeys) -> list[seal.Ciphertext]:
        """Return the scores of all vectors, one ciphertext a block."""
        return self._match(inputs[0], keys, self._blocks)


def top(scores: NDArray[np.float64], count: int) -> list[tuple[int, float]]:
    """Return the ``count`` best as (index, score), the best first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [(int(index), float(scores[index])) for index in order]
