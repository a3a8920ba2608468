"""The throughput mode: a ciphertext a pixel, an image a slot, weights as scalars; no rotation at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import seal

    from eyelid.infer.he.artefact import Stage
    from eyelid.infer.he.evaluate import Coder


class ScalarStage:
    """One stage over images in slots."""

    def __init__(self, stage: Stage, coder: Coder) -> None:
        self.record, self.coder = stage.record, coder
        record = stage.record
        self.rows: list[list[tuple[int, int, seal.Plaintext]]] = [[] for _ in stage.bias]
        for source, linear in zip(record.sources, stage.maps, strict=True):
            encoded: dict[float, seal.Plaintext | None] = {}
            scale = record.product_scale / coder.scales[source]
            for row, column, value in zip(linear.rows, linear.columns, linear.values, strict=True):
                if value not in encoded:  # kernels repeat their weights at every place
                    encoded[value] = coder.plain(float(value), scale, record.primes)
                plain = encoded[value]
                if plain is not None:
                    self.rows[row].append((source, int(column), plain))
        self.bias = [coder.plain(float(value), record.product_scale, record.primes) for value in stage.bias]
        self.centers = [coder.plain(float(value), record.scale, record.primes - 1) for value in stage.center]

    def run(
        self,
        found: Mapping[int, list[seal.Ciphertext]],
        relinearisation: seal.RelinKeys,
        _rotation: seal.GaloisKeys | None,
    ) -> list[seal.Ciphertext]:
        """Return the stage's output, one ciphertext an element."""
        ours = self.coder.evaluator
        inputs = {
            source: [self.coder.lowered(item, self.record.primes) for item in found[source]]
            for source in self.record.sources
        }
        results = []
        for number, (row, bias) in enumerate(zip(self.rows, self.bias, strict=True)):
            (source, column, plain), *others = row
            total = ours.multiply_plain(inputs[source][column], plain)
            for source, column, plain in others:
                ours.add_inplace(total, ours.multiply_plain(inputs[source][column], plain))
            if bias is not None:
                ours.add_plain_inplace(total, bias)
            if self.record.squares:
                center = self.centers[number]
                total = self.coder.squared(total, relinearisation, self.record.scale, center)
            results.append(total)
        return results
