"""Messages between processes come out as they went in, or are refused; nothing in them is executed."""

from __future__ import annotations

import socket

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.infer.mpc.party import frames


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_parts_come_back(parts: list[bytes]) -> None:
    assert frames.unpack(frames.pack(parts)) == parts


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4), st.data())
def test_what_is_cut_off_is_refused(parts: list[bytes], data: st.DataObject) -> None:
    message = frames.pack(parts)
    ends = {len(frames.pack(parts[:n])) for n in range(len(parts) + 1)}
    cut = data.draw(st.integers(1, len(message) - 1).filter(lambda size: size not in ends))
    with pytest.raises(ValueError, match="message"):
        frames.unpack(message[:cut])


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        frames.decode(noise)


def test_heads_and_arrays_cross_a_socket() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
        frames.send(ours, {"do": "predict", "count": 1}, [array, np.zeros((0, 2), np.float32)])
        head, arrays = frames.receive(theirs)
        assert head == {"do": "predict", "count": 1}
        np.testing.assert_array_equal(arrays[0], array)
        assert arrays[1].shape == (0, 2)
        ours.sendall((frames.MAX_BYTES + 1).to_bytes(8, "little"))
        with pytest.raises(ValueError, match="larger"):
            frames.receive(theirs)
        ours.sendall(b"\0\0")
        ours.close()
        with pytest.raises(EOFError):
            frames.receive(theirs)


def test_an_array_of_another_size_than_it_says_is_refused() -> None:
    true = frames.encode({"do": "x"}, [np.zeros((2, 3), np.float32)])
    forged = true.replace(b"[[2, 3]]", b"[[2, 9]]")
    with pytest.raises(ValueError, match="another size"):
        frames.decode(forged)
