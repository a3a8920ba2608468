"""Huffman coding of JPEG coefficients, in arrays instead of loops over blocks.

Sequential mode of ITU-T T.81: F.1.2 (what is coded), K.2 (codes made for the data), A.2 (order of blocks).
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from eyelid.errors import InputError
from eyelid.media.jpeg_header import ZIGZAG, Layout, segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_DHT, _SOS = 0xC4, 0xDA
_EOB, _ZRL = 0x00, 0xF0
_MOST_BLOCKS: Final = 10
"""Of one MCU; components that would make more of them get a scan each (B.2.3)."""
_BAND_BLOCKS: Final = 1 << 15
_LONGEST: Final = 16
_LARGEST: Final = (1 << 15) - 1


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """Codes in order: ``symbol`` of ``table`` (0, 1 for DC, 2, 3 for AC), then ``extra`` in ``bits`` bits."""

    table: NDArray[np.uint8]
    symbol: NDArray[np.uint8]
    extra: NDArray[np.uint16]
    bits: NDArray[np.uint8]


def entropy_coded(layout: Layout, blocks: Sequence[NDArray[np.int16]]) -> bytes:
    """Return the Huffman tables, scan headers and coded data of all components.

    ``blocks`` are int16 (rows, columns, 8, 8), one for each component. Raises InputError where a coefficient
    is too large for a JPEG.
    """
    every = range(len(layout.components))
    together = sum(c.across * c.down for c in layout.components) <= _MOST_BLOCKS
    scans = [list(every)] if together else [[i] for i in every]
    return b"".join(_scan(layout, blocks, members) for members in scans)


def _scan(layout: Layout, blocks: Sequence[NDArray[np.int16]], members: Sequence[int]) -> bytes:
    bands = list(_bands(layout, blocks, members))
    frequencies = np.zeros((4, 256), np.int64)
    for band in bands:
        np.add.at(frequencies, (band.table, band.symbol), 1)
    tables, codes, lengths = [], np.zeros((4, 256), np.uint64), np.zeros((4, 256), np.uint8)
    for number in range(4):
        if frequencies[number].any():
            counts, symbols = _huffman(frequencies[number])
            codes[number], lengths[number] = _assign(counts, symbols)
            slot = (number // 2) << 4 | number % 2
            tables.append(bytes([slot, *counts, *symbols]))
    header = bytes([len(members)])
    for member in members:
        header += bytes([layout.components[member].identifier, 0x11 if member else 0])
    coded = _packed(bands, codes, lengths)
    return (
        segment(_DHT, b"".join(tables))
        + segment(_SOS, header + b"\x00\x3f\x00")
        + coded.replace(b"\xff", b"\xff\x00")
    )


def _bands(layout: Layout, blocks: Sequence[NDArray[np.int16]], members: Sequence[int]) -> Iterator[_Tokens]:
    """Yield the tokens of some rows of MCUs at a time, so that large pictures need little memory."""
    parts = [layout.components[member] for member in members]
    factors = [(part.down, part.across) for part in parts]
    rows = -(-layout.height // (8 * layout.most_down))
    columns = -(-layout.width // (8 * layout.most_across))
    if len(members) == 1:  # one component alone: an MCU is one block, and nothing is filled up (A.2.2)
        factors = [(1, 1)]
        rows, columns = blocks[members[0]].shape[:2]
    tables = np.repeat([min(member, 1) for member in members], [down * across for down, across in factors])
    last = [0] * len(members)
    step = max(1, _BAND_BLOCKS // (columns * len(tables)))
    for top in range(0, rows, step):
        count = min(step, rows - top)
        units = []
        for i, (member, (down, across)) in enumerate(zip(members, factors, strict=True)):
            band = blocks[member][top * down : (top + count) * down]
            ordered, last[i] = _in_order(band, count, columns, down, across, last[i])
            units.append(ordered)
        values = np.concatenate(units, axis=1).reshape(-1, 64)
        yield _tokens(values, np.tile(tables, count * columns))


def _in_order(
    band: NDArray[np.int16], rows: int, columns: int, down: int, across: int, last: int
) -> tuple[NDArray[np.int32], int]:
    """Return coefficients in zigzag, int32 (MCUs, blocks of one MCU, 64), DC as differences, and the last DC.

    Blocks that only fill up an MCU have no AC and the DC of the block before them.
    """
    shape = (rows * down, columns * across)
    padded, real = np.zeros((*shape, 64), np.int32), np.zeros(shape, np.bool_)
    part = np.s_[: band.shape[0], : band.shape[1]]
    padded[part], real[part] = band.reshape(*band.shape[:2], 64)[..., ZIGZAG], True
    split = (rows, down, columns, across)
    ordered = padded.reshape(*split, 64).transpose(0, 2, 1, 3, 4).reshape(-1, down * across, 64)
    here = real.reshape(split).transpose(0, 2, 1, 3).ravel()
    dc = ordered[..., 0].ravel()
    dc = dc[np.maximum.accumulate(np.where(here, np.arange(len(here)), 0))]
    ordered[..., 0] = np.diff(dc, prepend=last).reshape(-1, down * across)
    return ordered, int(dc[-1])


def _tokens(values: NDArray[np.int32], tables: NDArray[np.intp]) -> _Tokens:
    """Turn blocks (n, 64) in zigzag, with DC as differences, into tokens; ``tables`` (n,) is 0 or 1."""
    block, place = np.nonzero(values[:, 1:])
    first = np.diff(block, prepend=-1) != 0
    run = np.where(first, place, np.diff(place, prepend=0) - 1)
    needed = run // 16 + 1
    coded = np.bincount(block, needed, len(values)).astype(np.intp)
    final = np.full(len(values), -1)
    final[block] = place
    ends = final != 62
    counts = 1 + coded + ends
    starts = np.cumsum(counts) - counts
    at = starts[block] + np.cumsum(needed) - (np.cumsum(coded) - coded)[block]
    symbol = np.full(int(counts.sum()), _ZRL, np.uint8)  # what is not set below is a run of 16 zeros
    extra, bits = np.zeros(len(symbol), np.uint16), np.zeros(len(symbol), np.uint8)
    for target, found, zeros in ((starts, values[:, 0], 0), (at, values[block, place + 1], run % 16)):
        if len(found) and np.abs(found).max() > _LARGEST:
            raise InputError("a coefficient is larger than a JPEG can hold; the picture is damaged")
        size = np.frexp(np.abs(found).astype(np.float32))[1]
        symbol[target] = zeros * 16 + size
        extra[target] = np.where(found < 0, found + (1 << size) - 1, found)
        bits[target] = size
    symbol[(starts + counts - 1)[ends]] = _EOB
    table = np.repeat(tables + 2, counts).astype(np.uint8)
    table[starts] -= 2
    return _Tokens(table, symbol, extra, bits)


def _huffman(frequencies: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Return how many codes of each length 1..16 there are, and the symbols in the order of their codes."""
    reserved = len(frequencies)  # takes the code of ones only, which is not allowed, and is removed again
    heap = [(int(n), -symbol, [symbol]) for symbol, n in enumerate(frequencies) if n]
    heap.append((1, -reserved, [reserved]))
    heapq.heapify(heap)
    length = dict.fromkeys((symbols[0] for _, _, symbols in heap), 0)
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        merged = one[2] + other[2]
        for symbol in merged:
            length[symbol] += 1
        heapq.heappush(heap, (one[0] + other[0], min(one[1], other[1]), merged))
    counts = [0] * (max(_LONGEST, *length.values()) + 1)
    for bits in length.values():
        counts[bits] += 1
    for i in range(len(counts) - 1, _LONGEST, -1):
        while counts[i]:
            j = max(j for j in range(i - 1) if counts[j])
            counts[i] -= 2
            counts[i - 1] += 1
            counts[j + 1] += 2
            counts[j] -= 1
    counts[max(i for i in range(_LONGEST + 1) if counts[i])] -= 1
    del length[reserved]
    return counts[1 : _LONGEST + 1], sorted(length, key=lambda symbol: (length[symbol], symbol))


def _assign(counts: list[int], symbols: list[int]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    """Return the code and the length of each symbol: uint64 (256,) and uint8 (256,)."""
    codes, lengths = np.zeros(256, np.uint64), np.zeros(256, np.uint8)
    code, remaining = 0, iter(symbols)
    for length, count in enumerate(counts, 1):
        for _ in range(count):
            symbol = next(remaining)
            codes[symbol], lengths[symbol] = code, length
            code += 1
        code <<= 1
    return codes, lengths


def _packed(bands: Sequence[_Tokens], codes: NDArray[np.uint64], lengths: NDArray[np.uint8]) -> bytes:
    """Return the bits of all tokens, filled up with ones to whole bytes."""
    parts, rest, held = [], 0, 0  # of bits that fill no 32-bit word yet: their value and number
    for band in bands:
        code = codes[band.table, band.symbol] << band.bits | band.extra
        size = lengths[band.table, band.symbol].astype(np.intp) + band.bits
        end = np.cumsum(size) + held
        word, start = np.divmod(end - size, 32)
        window = code << (64 - size - start).astype(np.uint64)
        words = np.zeros(int(end[-1]) // 32 + 2, np.uint64)
        words[0] = rest << (32 - held) if held else 0
        np.add.at(words, word, window >> np.uint64(32))  # no two tokens share a bit, so adding is joining
        np.add.at(words, word + 1, window & np.uint64(0xFFFFFFFF))
        whole, held = divmod(int(end[-1]), 32)
        parts.append(words[:whole].astype(">u4").tobytes())
        rest = int(words[whole]) >> (32 - held)
    filled = -held % 8
    return b"".join(parts) + ((rest << filled) | ((1 << filled) - 1)).to_bytes((held + filled) // 8, "big")
