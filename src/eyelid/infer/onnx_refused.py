"""Why a node cannot be read, and what to use in its place."""

from __future__ import annotations

from typing import Final

REWRITES: Final = {
    "MaxPool": "AveragePool of the same kernel and stride, then train on for an epoch",
    "GlobalMaxPool": "GlobalAveragePool",
    "Sigmoid": "Relu, or nothing where it is the last layer: the order of the scores stays",
    "Softmax": "nothing in its place: the order of the logits is the same, and the client can apply it",
    "LogSoftmax": "nothing in its place: the order of the logits is the same, and the client can apply it",
    "Tanh": "Relu",
    "LeakyRelu": "Relu",
    "PRelu": "Relu",
    "Elu": "Relu",
    "Gelu": "Relu",
    "HardSwish": "Relu",
    "Clip": "Relu",
    "LayerNormalization": "BatchNormalization, which folds into the layer before it",
    "InstanceNormalization": "BatchNormalization, which folds into the layer before it",
    "ConvTranspose": "a nearest-neighbour enlargement of the image before the network, then Conv",
    "Concat": "Add",
    "Shape": "Flatten: torch.flatten(x, 1) rather than x.view(x.size(0), -1)",
    "ReduceMean": "the mean over height and width together (axes 2 and 3); over one of them an AveragePool, "
    "over channels a 1 x 1 Conv of equal weights",
}
NEAREST: Final = (
    "one of Conv, Gemm, MatMul, AveragePool, BatchNormalization, Relu, Mul (x by x), Add, Sub, Flatten"
)
EVALUATED: Final = "an export of the network in evaluation mode, after network.eval()"
SINGLE: Final = "a single number or BatchNormalization, or Add right after a Conv or a Gemm"


class FormlessError(Exception):
    """A node that private inference has no form for: what it is, and what to use in its place."""

    def __init__(self, what: str, rewrite: str = "") -> None:
        super().__init__(what)
        self.what, self.rewrite = what, rewrite or REWRITES.get(what, NEAREST)


class UnsoundError(Exception):
    """A node whose weights or attributes do not fit its input."""
