"""The throughput mode: a ciphertext a pixel, an image a slot, weights as whole numbers; no rotation at all.

SEAL multiplies a ciphertext by a number in milliseconds, and a network has hundreds of thousands of weights.
A linear layer over ciphertexts is a matrix product of their residues, so it is computed as one, tile by tile;
SEAL squares, relinearises and rescales, and it does the latter two after an average pool has added up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.infer.he import blob
from eyelid.infer.he.blob import Parts
from eyelid.infer.he.modular import IntegerMatrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    import seal
    from numpy.typing import NDArray

    from eyelid.infer.he.artefact import Stage
    from eyelid.infer.he.evaluate import Coder
    from eyelid.infer.he.residues import Residues

    Encrypted: TypeAlias = seal.Ciphertext | Residues

TILE: Final = 48
"""Rows of a matrix at a time: enough for the processor, and few enough for the memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """Some rows of a stage's matrix: int64 (rows,), the columns that they read, and their weights."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    matrix: IntegerMatrix


class ScalarStage:
    """One stage over images in slots; its inputs are counted through all of its sources."""

    def __init__(self, stage: Stage, coder: Coder) -> None:
        self.record, self.coder = stage.record, coder
        sizes = [linear.shape[1] for linear in stage.maps]
        self.starts = np.concatenate([[0], np.cumsum(sizes)])
        rows, columns, weights = [], [], []
        bias = np.rint(stage.bias * self.record.product_scale).astype(np.int64)
        for start, source, linear in zip(self.starts, self.record.sources, stage.maps, strict=False):
            whole = np.rint(linear.values * (self.record.product_scale / coder.scales[source]))
            rows.append(linear.rows)
            columns.append(linear.columns + start)
            weights.append(whole)
            if source in coder.centers:  # subtracted here, once, and not from every ciphertext
                center = np.rint(coder.centers[source] * coder.scales[source]).astype(np.int64)
                np.subtract.at(bias, linear.rows, whole.astype(np.int64) * center[linear.columns])
        entries = np.concatenate(rows), np.concatenate(columns), np.concatenate(weights)
        self.tiles = list(_tiles(*_opaque(*entries, len(bias)), bias))
        coder.prepared_bytes += sum(tile.matrix.weights.nbytes for tile in self.tiles)
        self.results: list[list[int]] = [[] for _ in bias]
        if stage.pool is None:
            self.results = [[row] for row in range(len(bias))]
            self.windows = [1] * len(bias)
        else:
            for result, row in zip(stage.pool.rows.tolist(), stage.pool.columns.tolist(), strict=True):
                self.results[row].append(result)
            self.windows = np.bincount(stage.pool.rows, minlength=stage.pool.shape[0]).tolist()

    def run(
        self, found: Mapping[int, list[Encrypted]], relinearisation: seal.RelinKeys, _: object
    ) -> list[Encrypted]:
        """Return the stage's results: ciphertexts of the last stage, the residues of those of all others."""
        ours = self.coder.evaluator
        results: dict[int, Encrypted] = {}
        missing = list(self.windows)
        for row, made in self._products(found):
            ciphertext = blob.build(self.coder.scheme, Parts(made, self.record.product_scale))
            if not self.record.squares:
                results[row] = ciphertext
                continue
            ours.square_inplace(ciphertext)
            for result in self.results[row]:
                if result in results:
                    ours.add_inplace(results[result], ciphertext)
                else:
                    alone = len(self.results[row]) == 1
                    results[result] = ciphertext if alone else self.coder.copied(ciphertext)
                missing[result] -= 1
                if not missing[result]:
                    self.coder.closed(results[result], relinearisation, self.record.scale)
                    # SEAL keeps the room of the square's third part: twice as much as what is left of it
                    results[result] = blob.take_apart(results[result]).polynomials
        return [results[number] for number in range(len(results))]

    def _products(self, found: Mapping[int, list[Encrypted]]) -> Iterator[tuple[int, Residues]]:
        """Yield each row's number and its residues, uint64 (2, primes, degree)."""
        moduli = self.coder.scheme.moduli[: self.record.primes]
        last = {int(column): n for n, tile in enumerate(self.tiles) for column in tile.columns}
        held: dict[int, Residues] = {}
        for number, tile in enumerate(self.tiles):
            columns = tile.columns.tolist()
            for column in columns:
                if column not in held:
                    held[column] = self._taken(found, column)
            made = np.empty((len(tile.rows), 2, len(moduli), self.coder.degree), np.uint64)
            for part, level in np.ndindex(2, len(moduli)):
                inputs = [held[column][part, level] for column in columns]
                made[:, part, level] = tile.matrix.times(inputs, moduli[level], plus_bias=part == 0)
            for column in columns:
                if last[column] == number:
                    del held[column]
            yield from zip(tile.rows.tolist(), made, strict=True)

    def _taken(self, found: Mapping[int, list[Encrypted]], column: int) -> Residues:
        term = int(np.searchsorted(self.starts, column, "right")) - 1
        value = found[self.record.sources[term]][column - int(self.starts[term])]
        return value if isinstance(value, np.ndarray) else blob.take_apart(value).polynomials


def _opaque(
    rows: NDArray[np.int64], columns: NDArray[np.int64], weights: NDArray[np.float64], outputs: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Give rows of zeros one least weight: SEAL refuses a ciphertext that is no encryption but a constant."""
    dead = np.flatnonzero(np.bincount(rows, np.abs(weights), outputs) == 0)
    return (
        np.concatenate([rows, dead]),
        np.concatenate([columns, np.zeros_like(dead)]),
        np.concatenate([weights, np.ones(len(dead))]),
    )


def _tiles(
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    weights: NDArray[np.float64],
    bias: NDArray[np.int64],
) -> Iterator[Tile]:
    """Yield rows by tiles: those that read the same columns, and their neighbours, together."""
    order = np.lexsort([columns, rows])
    rows, columns, weights = rows[order], columns[order], weights[order]
    ends = np.searchsorted(rows, np.arange(len(bias) + 1))
    groups: dict[bytes, list[int]] = {}
    for row in range(len(bias)):
        groups.setdefault(columns[ends[row] : ends[row + 1]].tobytes(), []).append(row)
    waiting: list[int] = []
    chosen: list[list[int]] = []
    for group in groups.values():
        waiting += group
        while len(waiting) >= TILE:
            chosen.append(waiting[:TILE])
            waiting = waiting[TILE:]
    for taken in [*chosen, waiting] if waiting else chosen:
        entries = np.concatenate([np.arange(ends[row], ends[row + 1]) for row in taken])
        read, place = np.unique(columns[entries], return_inverse=True)
        local = np.repeat(np.arange(len(taken)), [ends[row + 1] - ends[row] for row in taken])
        matrix = np.zeros((len(taken), len(read)))
        np.add.at(matrix, (local, place.ravel()), weights[entries])
        yield Tile(np.array(taken), read, IntegerMatrix(matrix, [int(bias[row]) for row in taken]))
