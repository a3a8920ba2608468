"""A network in two halves: its architecture, which all parties must know, and its weights, which stay."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from eyelid.errors import UnsupportedError
from eyelid.infer import network as net
from eyelid.infer.mpc.party import architecture

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights: TypeAlias = "list[NDArray[np.float32]]"
LIMIT = 2.0**20
"""Shares are fixed-point numbers of 64 bits, 18 of them after the point; products need twice as many."""


def split(network: net.Network) -> tuple[dict[str, Any], Weights]:
    """Return the architecture, without the file's digest (it would tell a right guess), and the weights.

    A convolution's weight is (groups, kernel x * kernel y * in / groups, out / groups), a linear layer's
    (in, out).

    Raises :class:`UnsupportedError` for a weight that does not fit fixed-point numbers, and for a network
    that is larger than parties take.
    """
    nodes, weights = [], []
    for node in network.nodes:
        kind, own = _describe(node.operation)
        for values in own:
            if not np.isfinite(values).all() or np.abs(values).max(initial=0) > LIMIT:
                raise UnsupportedError(
                    f"The weights of {node.name} hold numbers beyond {LIMIT:.0f}, or none; scale them down."
                )
        weights += [np.ascontiguousarray(values, np.float32) for values in own]
        nodes.append({"name": node.name, "inputs": list(node.inputs), "shape": list(node.shape)} | kind)
    plan = {
        "input_shape": list(network.input_shape),
        "nodes": nodes,
        "weights": [list(values.shape) for values in weights],
    }
    try:
        architecture.check(json.loads(json.dumps(plan)))
    except ValueError as error:
        raise UnsupportedError(f"The parties would refuse this network: {error}.") from None
    return plan, weights


def _describe(operation: net.Operation) -> tuple[dict[str, Any], list[net.Array]]:
    match operation:
        case net.Convolution():
            out, channels, high, wide = operation.weight.shape
            groups = operation.groups
            parts = operation.weight.reshape(groups, out // groups, channels, high, wide)
            weight = parts.transpose(0, 4, 3, 2, 1).reshape(groups, -1, out // groups)
            return {"kind": "conv", "kernel": [high, wide]} | _window(operation), [weight, operation.bias]
        case net.Linear():
            return {"kind": "linear"}, [operation.weight.T, operation.bias]
        case net.AveragePool():
            return {"kind": "pool", "kernel": list(operation.kernel)} | _window(operation), []
        case net.Relu():
            return {"kind": "relu"}, []
        case net.Square():
            return {"kind": "square"}, []
        case net.Polynomial():
            return {"kind": "polynomial", "coefficients": list(operation.coefficients)}, []
        case net.Add():
            return {"kind": "add"}, []
        case net.Flatten():
            return {"kind": "flatten"}, []


def _window(operation: net.Convolution | net.AveragePool) -> dict[str, Any]:
    return {"stride": list(operation.stride), "padding": list(operation.padding)}
