"""The server's work on ciphertexts: a compiled network, evaluated without any secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InputError
from eyelid.infer.he.artefact import Artefact, Stage, Target
from eyelid.infer.he.lowering import IMAGE
from eyelid.infer.he.packing import Layout, diagonals, spread, walk
from eyelid.infer.he.planning import image_layout
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import seal
    from numpy.typing import NDArray

TINY = 0.5
"""A plaintext below half a unit at its scale rounds to zero, and SEAL refuses to multiply by zero."""


def evaluate(
    artefact: Artefact,
    ciphertexts: Sequence[seal.Ciphertext],
    relinearisation: seal.RelinKeys,
    rotation: seal.GaloisKeys,
) -> list[seal.Ciphertext]:
    """Return the encrypted answer to one request; see :class:`Evaluator`, which serves many."""
    return Evaluator(artefact).run(ciphertexts, relinearisation, rotation)


class Evaluator:
    """An artefact made ready: all weights encoded once, then any number of requests.

    ``prepared_bytes`` is the memory that the encoded weights take.
    """

    def __init__(self, artefact: Artefact) -> None:
        require("homomorphic encryption", "he", "seal")
        from eyelid.infer.he.throughput import ScalarStage

        self.artefact = artefact
        self.coder = Coder(artefact)
        layouts = {IMAGE: image_layout(artefact.manifest.input_shape)}
        self.stages: list[PackedStage | ScalarStage] = []
        for number, stage in enumerate(artefact.stages):
            if artefact.manifest.mode is Target.THROUGHPUT:
                self.stages.append(ScalarStage(stage, self.coder))
                continue
            self.stages.append(PackedStage(stage, layouts, self.coder))
            assert stage.packing is not None
            layouts[number] = stage.packing.layout
        self.prepared_bytes = self.coder.prepared_bytes

    def run(
        self,
        ciphertexts: Sequence[seal.Ciphertext],
        relinearisation: seal.RelinKeys,
        rotation: seal.GaloisKeys | None,
    ) -> list[seal.Ciphertext]:
        """Return the encrypted answer, ciphertexts at the lowest level.

        The ciphertexts and keys must belong to the manifest's scheme. Raises :class:`InputError` where the
        ciphertexts are not as many, or not at the scale, that the manifest says.
        """
        manifest = self.artefact.manifest
        if len(ciphertexts) != manifest.input_ciphertexts:
            raise InputError(
                f"The request has {len(ciphertexts)} ciphertexts instead of {manifest.input_ciphertexts}."
            )
        for item in ciphertexts:
            if abs(item.scale() / manifest.scale - 1) > 1e-9 or item.size() != 2:
                raise InputError("The request was not encrypted as the manifest says; update the client.")
        found: dict[int, list[seal.Ciphertext]] = {IMAGE: list(ciphertexts)}
        last = {source: n for n, stage in enumerate(self.artefact.stages) for source in stage.record.sources}
        for number, stage in enumerate(self.stages):
            found[number] = stage.run(found, relinearisation, rotation)
            for source in [key for key in found if last.get(key, number) <= number and key != number]:
                del found[source]
        return found[len(self.stages) - 1]


class Coder:
    """Encodes plaintexts at a level and a scale, and does what SEAL needs between two stages."""

    def __init__(self, artefact: Artefact) -> None:
        import seal

        scheme = artefact.manifest.scheme
        self.scheme, self.context = scheme, scheme.context
        self.encoder = seal.CKKSEncoder(self.context)
        self.evaluator = seal.Evaluator(self.context)
        self.degree = scheme.degree
        self.slots = scheme.slots
        self.scales = {IMAGE: artefact.manifest.scale}
        self.scales |= {number: stage.record.scale for number, stage in enumerate(artefact.stages)}
        self.centers = {number: stage.center for number, stage in enumerate(artefact.stages)}
        self.prepared_bytes = 0
        self.levels: dict[int, seal.ParmsId] = {}
        data = self.context.first_context_data()
        while data is not None:
            self.levels[len(data.parms().coeff_modulus())] = data.parms_id()
            data = data.next_context_data()

    def plain(self, values: NDArray[np.float64], scale: float, primes: int) -> seal.Plaintext | None:
        """Return slots (tiled to the full number) encoded; None for zero."""
        if np.abs(values).max() * scale < TINY:
            return None
        whole = np.tile(values, self.slots // len(values)) if len(values) < self.slots else values
        encoded = self.encoder.encode(np.ascontiguousarray(whole, np.float64), scale)
        self.evaluator.mod_switch_to_inplace(encoded, self.levels[primes])
        if encoded.is_zero():
            return None
        self.prepared_bytes += primes * self.degree * 8
        return encoded

    def lowered(self, ciphertext: seal.Ciphertext, primes: int) -> seal.Ciphertext:
        """Return a ciphertext at the level of ``primes`` primes."""
        if ciphertext.coeff_modulus_size() == primes:
            return ciphertext
        return self.evaluator.mod_switch_to(ciphertext, self.levels[primes])

    def closed(self, product: seal.Ciphertext, keys: seal.RelinKeys, scale: float) -> None:
        """Relinearise a square, or a sum of squares, and rescale it by one prime to exactly ``scale``."""
        # In this order: rescaling rounds every part, and the secret's square multiplies that of the third.
        self.evaluator.relinearize_inplace(product, keys)
        self.evaluator.rescale_to_next_inplace(product)
        product.scale(scale)

    def copied(self, ciphertext: seal.Ciphertext) -> seal.Ciphertext:
        """Return a copy that can be changed in place."""
        import seal

        return seal.Ciphertext(ciphertext)


class PackedStage:
    """One stage of the latency mode, its diagonals encoded."""

    def __init__(self, stage: Stage, layouts: Mapping[int, Layout], coder: Coder) -> None:
        assert stage.packing is not None
        self.record, self.packing, self.coder = stage.record, stage.packing, coder
        self.products: dict[tuple[int, int], list[tuple[int, int, int, seal.Plaintext]]] = {}
        self.babies: dict[tuple[int, int], set[int]] = {}
        for term, (source, linear) in enumerate(zip(stage.record.sources, stage.maps, strict=True)):
            found = diagonals(linear, layouts[source], stage.packing)
            keys = np.stack([found.output, found.giant, found.source, found.baby], axis=1).tolist()
            for (output, giant, part, baby), slots in zip(keys, found.slots, strict=True):
                plain = coder.plain(
                    slots, self.record.product_scale / coder.scales[source], self.record.primes
                )
                self.babies.setdefault((term, part), set()).add(baby)
                if plain is not None:
                    self.products.setdefault((output, giant), []).append((term, part, baby, plain))
        layout = stage.packing.layout
        self.bias = [
            coder.plain(row, self.record.product_scale, self.record.primes)
            for row in spread(stage.bias, layout, coder.slots)
        ]
        self.centers = [
            coder.plain(row, self.record.scale, self.record.primes - 1)
            for row in (spread(stage.center, layout, coder.slots) if stage.record.squares else ())
        ]

    def run(
        self,
        found: Mapping[int, list[seal.Ciphertext]],
        relinearisation: seal.RelinKeys,
        rotation: seal.GaloisKeys | None,
    ) -> list[seal.Ciphertext]:
        """Return the stage's output from those of the stages before it."""
        assert rotation is not None
        ours = self.coder.evaluator

        def rotated(ciphertext: seal.Ciphertext, by: int) -> seal.Ciphertext:
            return ours.rotate_vector(ciphertext, by, rotation)

        turned = self._babies(found, rotated)
        results = []
        for output in range(self.packing.layout.count):
            sums = {}
            for (end, giant), products in self.products.items():
                if end == output:
                    sums[giant] = ours.add_many(
                        [ours.multiply_plain(turned[key[0], key[1], key[2]], key[3]) for key in products]
                    )
            total = self._giants(sums, rotated)
            for step, times in self.packing.contraction:
                part = total
                total = self.coder.copied(total)
                for _ in range(times - 1):
                    part = rotated(part, step)
                    ours.add_inplace(total, part)
            bias = self.bias[output]
            if bias is not None:
                ours.add_plain_inplace(total, bias)
            if self.record.squares:
                ours.square_inplace(total)
                self.coder.closed(total, relinearisation, self.record.scale)
                center = self.centers[output]
                if center is not None:
                    ours.sub_plain_inplace(total, center)
            results.append(total)
        return results

    def _babies(
        self,
        found: Mapping[int, list[seal.Ciphertext]],
        rotated: Callable[[seal.Ciphertext, int], seal.Ciphertext],
    ) -> dict[tuple[int, int, int], seal.Ciphertext]:
        """Return the sources rotated by every baby step, by (term, ciphertext, step)."""
        turned = {}
        for (term, part), steps in self.babies.items():
            source = found[self.record.sources[term]][part]
            turned[term, part, 0] = self.coder.lowered(source, self.record.primes)
            for before, after, by in walk(steps):
                turned[term, part, after] = rotated(turned[term, part, before], by)
        return turned

    def _giants(
        self,
        sums: dict[int, seal.Ciphertext],
        rotated: Callable[[seal.Ciphertext, int], seal.Ciphertext],
    ) -> seal.Ciphertext:
        """Return the sum of all parts rotated by their steps: from the farthest inward, as Horner's rule."""
        for before, after, by in reversed(walk(sums)):
            moved = rotated(sums.pop(after), by)
            if before in sums:
                self.coder.evaluator.add_inplace(sums[before], moved)
            else:
                sums[before] = moved
        return sums[0]
