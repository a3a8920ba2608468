"""Linear layers on packed slots: rotate the input, multiply by diagonals, rotate and add (BSGS), contract.

With ``rot(x, k)[t] = x[t + k]``, a layer is ``z = sum_g rot(sum_b plain[g, b] * rot(x, b), g)`` over giant
steps g and baby steps b (Halevi and Shoup, Crypto 2014), then a contraction ``y[t] = sum_c z[t + c]`` over a
set of steps c that is itself a sum of short runs, one rotation for each doubling. What a slot of the input
must add to which slot of the output fixes b, g and c; the masks are free, they are zeros in the diagonals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from eyelid.infer.he.sparse import Sparse


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the elements of a tensor lie: int64 (elements,) ciphertext and slot.

    The content repeats every ``period`` slots (a power of two that divides the slots).
    """

    ciphertext: NDArray[np.int64]
    slot: NDArray[np.int64]
    period: int

    @property
    def count(self) -> int:
        """How many ciphertexts the tensor takes."""
        return int(self.ciphertext.max()) + 1


@dataclass(frozen=True, slots=True, eq=False)
class Packing:
    """How one linear stage is carried out.

    ``layout`` is that of the output. ``contraction`` lists (step, count): the slots t, t + step, ... are
    added. ``cyclic`` is the number n of a vector output that lies at slots 0..n-1 and repeats every n slots;
    ``cell`` is (row pitch, plane pitch, rows, columns) where the taps of a strided kernel are gathered from
    the cells between outputs. Displacements d split as ``b = (d + offset) mod baby - offset`` and g = d - b.
    """

    layout: Layout
    contraction: tuple[tuple[int, int], ...]
    cyclic: int | None
    cell: tuple[int, int, int, int] | None
    baby: int
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """The split of every entry of a matrix: int64 arrays (entries,), all in slots."""

    baby: NDArray[np.int64]
    giant: NDArray[np.int64]
    place: NDArray[np.int64]
    """The slot of the product before its giant step."""
    length: int
    """The period of the diagonals."""


@dataclass(frozen=True, slots=True, eq=False)
class Diagonals:
    """The non-zero diagonals of one matrix: int64 (k,) places and steps, and their slots, (k, period)."""

    output: NDArray[np.int64]
    giant: NDArray[np.int64]
    source: NDArray[np.int64]
    baby: NDArray[np.int64]
    slots: NDArray[np.float64]


def split(linear: Sparse, source: Layout, packing: Packing) -> Steps:
    """Return baby step, giant step and place of every entry of ``linear``."""
    start, end = source.slot[linear.columns], packing.layout.slot[linear.rows]
    gathered = np.zeros_like(start)
    modulus = source.period
    if packing.cell is not None:
        pitch, plane, rows, columns = packing.cell
        apart = (start - end + plane // 2) % plane - plane // 2
        x = (apart + pitch // 2) % pitch - pitch // 2
        gathered = ((apart - x) // pitch) % rows * pitch + x % columns
    contracted = packing.cyclic is not None and bool(packing.contraction)
    if contracted:
        assert packing.cyclic is not None
        modulus = packing.cyclic
    apart = (start - end - gathered) % modulus
    baby = (apart + packing.offset) % packing.baby - packing.offset
    giant = _short((apart - baby) % modulus, modulus)
    if contracted:
        span = packing.contraction[-1][0] * packing.contraction[-1][1]
        return Steps(baby, giant, (start - baby) % span, span)
    length = packing.layout.period
    return Steps(baby, giant, (end + gathered + giant) % length, length)


def diagonals(linear: Sparse, source: Layout, packing: Packing) -> Diagonals:
    """Return the diagonals of a matrix under a packing."""
    steps = split(linear, source, packing)
    keys = np.stack(
        [packing.layout.ciphertext[linear.rows], steps.giant, source.ciphertext[linear.columns], steps.baby]
    )
    found, place = np.unique(keys, axis=1, return_inverse=True)
    flat = np.bincount(
        place.ravel() * steps.length + steps.place, linear.values, found.shape[1] * steps.length
    )
    return Diagonals(
        found[0], found[1], found[2], found[3], flat.astype(np.float64).reshape(-1, steps.length)
    )


def spread(values: NDArray[np.float64], layout: Layout, slots: int) -> NDArray[np.float64]:
    """Return a tensor's slot vectors, float64 (ciphertexts, slots)."""
    once = np.zeros((layout.count, layout.period))
    once[layout.ciphertext, layout.slot] = values
    return np.tile(once, (1, slots // layout.period))


def walk(steps: Iterable[int]) -> list[tuple[int, int, int]]:
    """Return the rotations that reach all ``steps`` from 0, outward: (from, to, by), few different by."""
    found, steps = [], set(steps)
    for side in (sorted(s for s in steps if s > 0), sorted((s for s in steps if s < 0), reverse=True)):
        last = 0
        for step in side:
            found.append((last, step, step - last))
            last = step
    return found


def _short(steps: NDArray[np.int64], modulus: int) -> NDArray[np.int64]:
    """Return the steps modulo ``modulus`` as they lie or around zero, whichever needs fewer rotation keys."""
    around = (steps + modulus // 2) % modulus - modulus // 2
    kinds = [len({by for _, _, by in walk(np.unique(choice).tolist())}) for choice in (steps, around)]
    return around if kinds[1] < kinds[0] else steps
