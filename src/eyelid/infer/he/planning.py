"""The choice of layouts: candidates for every stage, counted in rotations, the cheapest taken."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InferenceError
from eyelid.infer.he.packing import Layout, Packing, split, walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.infer.he.sparse import Sparse

PRODUCT_COST = 0.06
"""A multiplication by a diagonal, in rotations; measured at N = 8192 with three primes."""


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A tensor with its layout; a picture has ``pitch`` (y, x) slots from pixel to pixel, a vector None.

    ``row`` and ``plane`` are the slots of an image's row and plane, common to all pictures of a network.
    """

    layout: Layout
    shape: tuple[int, ...]
    pitch: tuple[int, int] | None
    row: int
    plane: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What one stage takes: rotations, products with diagonals, output ciphertexts, rotation steps."""

    rotations: int
    products: int
    ciphertexts: int
    steps: frozenset[int]

    @property
    def order(self) -> tuple[int, float, int]:
        """Fewest ciphertexts first, since all later stages pay for them, then work, then keys."""
        return self.ciphertexts, self.rotations + PRODUCT_COST * self.products, len(self.steps)


def pitches(shape: tuple[int, int, int]) -> tuple[int, int]:
    """Return the slots of one row and of one plane of an image: powers of two, from its size alone."""
    row = 1 << (shape[2] - 1).bit_length()
    return row, row << (shape[1] - 1).bit_length()


def image_layout(shape: tuple[int, int, int]) -> Layout:
    """Return the client's fixed layout of an image: planes and rows at powers of two, repeated."""
    row, plane = pitches(shape)
    c, y, x = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    slot = (c * plane + y * row + x).ravel().astype(np.int64)
    return Layout(np.zeros_like(slot), slot, 1 << (shape[0] * plane - 1).bit_length())


def image(shape: tuple[int, int, int]) -> Placed:
    """Return an image as the client places it."""
    row, plane = pitches(shape)
    return Placed(image_layout(shape), shape, (row, 1), row, plane)


def plan(
    name: str, maps: Sequence[Sparse], sources: Sequence[Placed], shape: tuple[int, ...], slots: int
) -> tuple[Packing, Placed, Cost]:
    """Return the cheapest packing of a stage, its placed output and what it costs."""
    best: tuple[Packing, Placed, Cost] | None = None
    layouts = [source.layout for source in sources]
    for packing, placed in _candidates(sources, shape, slots):
        for way in _splits(packing, maps, sources):
            cost = count(way, maps, layouts)
            if best is None or cost.order < best[2].order:
                best = way, placed, cost
    if best is None:
        raise InferenceError(
            f"{name} has an output of {shape}, which does not fit {slots} slots; make it smaller"
        )
    return best


def count(packing: Packing, maps: Sequence[Sparse], sources: Sequence[Layout]) -> Cost:
    """Count the work of a packing and collect the rotation steps that it needs."""
    babies: set[tuple[int, int, int]] = set()
    giants: set[tuple[int, int]] = set()
    products = 0
    for number, (linear, source) in enumerate(zip(maps, sources, strict=True)):
        parts = split(linear, source, packing)
        ends, starts = packing.layout.ciphertext[linear.rows], source.ciphertext[linear.columns]
        keys = np.unique(np.stack([ends, parts.giant, starts, parts.baby]), axis=1)
        products += keys.shape[1]
        giants |= set(zip(keys[0].tolist(), keys[1].tolist(), strict=True))
        babies |= {(number, *pair) for pair in zip(keys[2].tolist(), keys[3].tolist(), strict=True)}
    rotations, steps = 0, set()
    for owner in {item[:2] for item in babies}:
        path = walk(item[2] for item in babies if item[:2] == owner)
        rotations += len(path)
        steps |= {by for _, _, by in path}
    for end in {item[0] for item in giants}:
        path = walk(item[1] for item in giants if item[0] == end)
        rotations += len(path)
        steps |= {by for _, _, by in path}
    for step, times in packing.contraction:
        rotations += (times - 1) * packing.layout.count
        steps.add(step)
    return Cost(rotations, products, packing.layout.count, frozenset(steps))


def _splits(packing: Packing, maps: Sequence[Sparse], sources: Sequence[Placed]) -> Iterator[Packing]:
    """Yield the packing with every sensible split into baby and giant steps."""
    layouts = [source.layout for source in sources]
    modulus = max(layout.period for layout in layouts)
    thin = [_distinct(linear, source, packing) for linear, source in zip(maps, sources, strict=True)]
    best: list[tuple[float, Packing]] = []
    for exponent in range(modulus.bit_length()):
        size = 1 << exponent
        for offset in {0, size // 2}:
            way = replace(packing, baby=size, offset=offset)
            cost = count(way, thin, layouts)
            best.append((cost.rotations + PRODUCT_COST * cost.products, way))
    best.sort(key=lambda item: item[0])
    yield from (way for _, way in best[:2])


def _distinct(linear: Sparse, source: Placed, packing: Packing) -> Sparse:
    """Return one entry for each displacement between two ciphertexts: enough to count rotations."""
    start, end = source.layout.slot[linear.columns], packing.layout.slot[linear.rows]
    keys = np.stack(
        [packing.layout.ciphertext[linear.rows], source.layout.ciphertext[linear.columns], start - end]
    )
    first = np.unique(keys, axis=1, return_index=True)[1]
    return replace(
        linear, rows=linear.rows[first], columns=linear.columns[first], values=linear.values[first]
    )


def _candidates(
    sources: Sequence[Placed], shape: tuple[int, ...], slots: int
) -> Iterator[tuple[Packing, Placed]]:
    row, plane = sources[0].row, sources[0].plane
    pitched = [source.pitch for source in sources if source.pitch is not None]
    if len(shape) == 3 and shape[1] * shape[2] > 1 and pitched:
        yield from _pictures(sources, shape, pitched, slots)
        return
    size = int(np.prod(shape))
    length = 1 << (size - 1).bit_length()
    if length > slots:
        return
    place = np.arange(size, dtype=np.int64)
    period = max(source.layout.period for source in sources)
    if len({source.layout.period for source in sources}) > 1:
        period = slots
    contraction = tuple((length << i, 2) for i in range(max(0, (period // length).bit_length() - 1)))
    layout = Layout(np.zeros_like(place), place, length)
    yield Packing(layout, contraction, length, None, 1, 0), Placed(layout, shape, None, row, plane)


def _pictures(
    sources: Sequence[Placed], shape: tuple[int, ...], pitched: list[tuple[int, int]], slots: int
) -> Iterator[tuple[Packing, Placed]]:
    """Yield layouts of pictures: outputs where their windows begin, channels in blocks or in the gaps too."""
    row, plane = sources[0].row, sources[0].plane
    channels, height, width = shape
    periods = max(source.layout.period for source in sources)
    per = slots // plane
    for (base_y, base_x), stride in itertools.product(sorted(set(pitched)), range(1, 9)):
        pitch = base_y * stride, base_x * stride
        if (width - 1) * pitch[1] >= row or (height - 1) * pitch[0] >= plane:
            break
        gaps = [(y, x) for y in range(pitch[0] // row) for x in range(pitch[1])]
        for used in {1, len(gaps)}:
            spots = np.array([y * row + x for y, x in gaps[:used]])
            highest, rightmost = gaps[used - 1][0], max(x for _, x in gaps[:used])
            if (width - 1) * pitch[1] + rightmost >= row or (height - 1) * pitch[0] + highest * row >= plane:
                continue
            c, y, x = np.meshgrid(*(np.arange(n) for n in (channels, height, width)), indexing="ij")
            block = (c // used).ravel()
            slot = block % per * plane + spots[(c % used).ravel()]
            slot = slot + (y * pitch[0] + x * pitch[1]).ravel()
            period = max(
                periods, plane << (int(block.max() % per if block.max() < per else per - 1)).bit_length()
            )
            layout = Layout((block // per).astype(np.int64), slot.astype(np.int64), period)
            placed = Placed(layout, tuple(shape), pitch, row, plane)
            yield Packing(layout, (), None, None, 1, 0), placed
            if used == 1 and stride > 1 and len(sources) == 1 and sources[0].pitch == (row, 1):
                gather = ((1, stride), (row, stride))
                yield Packing(layout, gather, None, (row, plane, stride, stride), 1, 0), placed
