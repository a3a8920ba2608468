"""What a computation among parties will cost, before there are any."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eyelid.infer import network as net
from eyelid.infer.mpc.peers import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.infer.network import Network

LINK_BYTES_S: Final = 12.5e6
"""100 Mbit/s."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of one image: bytes that each party sends, rounds, seconds on one machine.

    ``once_bytes`` is sent for the first image of a session in addition.
    """

    sent: float
    rounds: int
    seconds: float
    once_bytes: float = 0.0

    def over(self, round_trip_s: float) -> float:
        """Return the seconds of an image over a link of 100 Mbit/s with this round-trip time."""
        return self.seconds + self.rounds * round_trip_s + self.sent / LINK_BYTES_S


def estimate(network: Network, protocol: Protocol) -> Estimate:
    """Estimate one image from costs of each kind of layer, as ``Session(profile=True)`` prints them.

    The constants are fitted to networks of some ten thousand weights on the two cores of this project's
    machine: they give the order of magnitude elsewhere.
    """
    shapes = {net.INPUT: network.input_shape, **{node.name: node.shape for node in network.nodes}}
    layer = _aby3 if protocol is Protocol.ABY3 else _cheetah
    costs = [layer(node.operation, shapes[node.inputs[0]], node.shape) for node in network.nodes]
    return Estimate(
        sum(cost.sent for cost in costs),
        sum(cost.rounds for cost in costs),
        sum(cost.seconds for cost in costs),
        once_bytes=11.4e6 if protocol is Protocol.CHEETAH else 0.0,
    )


def _aby3(operation: net.Operation, _: Sequence[int], shape: Sequence[int]) -> Estimate:
    size = math.prod(shape)
    match operation:
        case net.Convolution() | net.Linear() | net.AveragePool() | net.Square():
            return Estimate(1_000 + 24 * size, 3, 0.008 + _work(operation, shape) / 2e8)
        case net.Polynomial():
            degree = len(operation.coefficients) - 1
            return Estimate(degree * (1_000 + 24 * size), 3 * degree, 0.006 * degree)
        case net.Relu():
            return Estimate(4_500 + 52 * size, 12, 0.014 + 2e-6 * size)
        case _:
            return Estimate(0, 0, 0.001)


def _cheetah(operation: net.Operation, _: Sequence[int], shape: Sequence[int]) -> Estimate:
    size = math.prod(shape)
    match operation:
        case net.Convolution() | net.Linear():
            products = _work(operation, shape)
            sent = 300e3 + 70e3 * math.ceil(products / 8192)
            return Estimate(sent, 3, 0.03 + 3.4e-5 * operation.weight.size + products / 2e6)
        case net.AveragePool() | net.Square():
            return Estimate(1_000 + 18 * size, 3, 0.006 + 2e-6 * size)
        case net.Polynomial():
            degree = len(operation.coefficients) - 1
            return Estimate(degree * (1_000 + 18 * size), 3 * degree, 0.006 * degree)
        case net.Relu():
            return Estimate(6_000 + 32 * size, 20, 0.02 + 2e-5 * size)
        case _:
            return Estimate(0, 0, 0.001)


def _work(operation: net.Operation, shape: Sequence[int]) -> int:
    """Return the multiplications of a layer."""
    match operation:
        case net.Convolution():
            return operation.weight.size * math.prod(shape[1:])
        case net.Linear():
            return operation.weight.size
        case _:
            return math.prod(shape)
