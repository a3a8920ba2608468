"""Plans: three ways side by side, each with its cost, its assumption, and who learns what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.errors import InputError
from eyelid.infer.mpc.estimate import estimate
from eyelid.infer.mpc.peers import Protocol
from eyelid.infer.onnx_reader import read
from eyelid.infer.plan import plan
from tests.infer.networks import OnnxBuilder

if TYPE_CHECKING:
    from pathlib import Path


def network(path: Path, width: int, activation: str = "Relu") -> Path:
    """Write a linear network of two layers with ``width`` units between them."""
    rng = np.random.default_rng(0)
    builder = OnnxBuilder((1, 8, 8))
    builder.add("Flatten", "flatten")
    for name, shape in (("fc1", (64, width)), ("fc2", (width, 10))):
        weight = (rng.standard_normal(shape) / 8).astype(np.float32)
        builder.add("Gemm", name, builder.last, weight, np.zeros(shape[1], np.float32))
        if name == "fc1":
            builder.add(activation, "act")
    return builder.save(path)


def test_every_way_says_what_it_costs_assumes_and_tells_whom(tmp_path: Path) -> None:
    pytest.importorskip("seal", reason="needs seal-python: pip install 'eyelid[he]'")
    ways = plan(network(tmp_path / "a.onnx", 32))
    assert [way.command for way in ways] == [
        "eyelid infer he",
        "eyelid infer mpc",
        "eyelid infer mpc",
        "eyelid infer enclave",
    ]
    for way in ways:
        assert way.refused is None, way.refused
        assert way.assumption
        assert len(way.knows) >= 2
        assert way.seconds is not None
        assert way.far_seconds is not None
        assert 0 < way.seconds < way.far_seconds
        assert way.upload
    assert "fc1" in ways[0].note, "a parabola in place of a rectifier is told"


def test_an_unsupported_operator_closes_two_ways_and_is_named(tmp_path: Path) -> None:
    *others, enclave = plan(network(tmp_path / "a.onnx", 32, "Sigmoid"))
    for way in others:
        assert way.refused is not None
        assert "Sigmoid" in way.refused
        assert way.seconds is None
    assert enclave.refused is None
    np.save(tmp_path / "images.npy", np.zeros((4, 1, 8, 8), np.float32))
    *_, enclave = plan(tmp_path / "a.onnx", [tmp_path / "images.npy"])
    assert enclave.refused is None


def test_pictures_that_cannot_be_read_are_not_noise(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.7")
    with pytest.raises(InputError, match=r"a\.pdf is a PDF"):
        plan(network(tmp_path / "a.onnx", 32), [tmp_path / "a.pdf"])


@pytest.mark.parametrize("protocol", [Protocol.CHEETAH, Protocol.ABY3])
def test_larger_networks_cost_more_among_parties(protocol: Protocol, tmp_path: Path) -> None:
    small, large = (read(network(tmp_path / f"{width}.onnx", width)) for width in (16, 512))
    cheap, dear = estimate(small, protocol), estimate(large, protocol)
    assert cheap.sent < dear.sent
    assert cheap.seconds < dear.seconds
    assert cheap.rounds == dear.rounds, "rounds follow the depth alone"
    assert dear.over(0.02) > dear.over(0.001) > dear.seconds


def test_what_is_no_network_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.onnx"):
        plan(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InputError, match=r"text\.onnx"):
        plan(tmp_path / "text.onnx")
