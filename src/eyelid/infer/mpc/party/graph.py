"""A network's architecture as jax functions over shares: convolutions as matrix products of patches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax.numpy as jnp
from jax import lax

from .architecture import INPUT, weights_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def whole(plan: dict[str, Any]) -> Callable[..., Any]:
    """Return a new function (images, all weights in order) -> scores.

    It is new for every plan: SPU and jax keep what they compiled by the Python function, and what a
    function reads from outside is baked in.
    """
    nodes: Sequence[dict[str, Any]] = plan["nodes"]

    def network(images: Any, *weights: Any) -> Any:
        found, taken = {INPUT: images}, iter(weights)
        for node in nodes:
            own = [next(taken) for _ in weights_of(node)]
            found[node["name"]] = apply(node, [found[name] for name in node["inputs"]], own)
        return found[nodes[-1]["name"]]

    return network


def layer(node: dict[str, Any]) -> Callable[..., Any]:
    """Return a new function (inputs, weights) -> output of one layer."""
    count = len(node["inputs"])

    def one(*values: Any) -> Any:
        return apply(node, values[:count], values[count:])

    return one


def apply(node: dict[str, Any], inputs: Sequence[Any], weights: Sequence[Any]) -> Any:
    """Return one layer's output; ``inputs`` are (n, c, h, w) or (n, features)."""
    x = inputs[0]
    match node["kind"]:
        case "conv":
            return _convolution(node, x, *weights)
        case "linear":
            return jnp.dot(x, weights[0]) + weights[1]
        case "pool":
            patches = _patches(x, node)
            return jnp.sum(patches, axis=1) * (1.0 / patches.shape[1])
        case "relu":
            return jnp.maximum(x, 0)
        case "square":
            return x * x
        case "polynomial":
            return _polynomial(node["coefficients"], x)
        case "add":
            return x + inputs[1]
        case "flatten":
            return jnp.reshape(x, (x.shape[0], -1))
        case kind:
            raise ValueError(f"unknown layer {kind}")


def _patches(x: Any, node: dict[str, Any]) -> Any:
    """Return the windows of ``x`` as (n, kernel, c, rows, columns), the kernel by columns.

    Slices alone, which cost no message; rows first and then columns, since each is a step of SPU's.
    """
    top, left, bottom, right = node["padding"]
    (high, wide), (down, across) = node["kernel"], node["stride"]
    if any(node["padding"]):
        x = jnp.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)))
    count, channels = x.shape[:2]
    tall = _slices(x, high, down, axis=2)
    every = _slices(tall, wide, across, axis=3)
    return every.reshape(count, high * wide, channels, *every.shape[2:])


def _slices(x: Any, kernel: int, stride: int, axis: int) -> Any:
    """Return what each place of a kernel meets along an axis, all after each other as channels."""
    places = (x.shape[axis] - kernel) // stride + 1
    found = [
        lax.slice_in_dim(x, place, place + (places - 1) * stride + 1, stride, axis) for place in range(kernel)
    ]
    return found[0] if kernel == 1 else jnp.concatenate(found, axis=1)


def _convolution(node: dict[str, Any], x: Any, weight: Any, bias: Any) -> Any:
    """``weight`` is (groups, kernel * in / groups, out / groups), the kernel by columns; ``bias`` (out,)."""
    patches = _patches(x, node)
    count, kernel, channels, rows, columns = patches.shape
    groups = weight.shape[0]
    split = patches.reshape(count, kernel, groups, channels // groups, rows * columns)
    tall = split.transpose(2, 0, 4, 1, 3).reshape(groups, count * rows * columns, -1)
    if groups == 1:
        result = jnp.dot(tall[0], weight[0])[None]
    elif weight.shape[2] == 1:  # depthwise: one product of elements, where a matrix product a group is slow
        result = jnp.sum(tall * weight.transpose(0, 2, 1), axis=2, keepdims=True)
    else:
        result = jnp.stack([jnp.dot(tall[group], weight[group]) for group in range(groups)])
    shaped = result.reshape(groups, count, rows, columns, -1).transpose(1, 0, 4, 2, 3)
    return shaped.reshape(count, -1, rows, columns) + bias[:, None, None]


def _polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Horner's rule, from the highest power down."""
    result = jnp.full_like(x, coefficients[-1])
    for number, coefficient in enumerate(reversed(coefficients[:-1])):
        result = (coefficients[-1] * x if number == 0 else result * x) + coefficient
    return result
