"""The network in PyTorch computes what the shipped one computes, and has a true gradient."""

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from eyelid.errors import ModelError, UsageError
from eyelid.models import extras
from eyelid.models.cards import ModelCard
from eyelid.models.session import Precision, Session
from eyelid.models.torch_network import TorchNetwork

EMBEDDERS = (("faceres", 224), ("dlibface", 150))


def pictures(count: int, side: int) -> torch.Tensor:
    values = np.random.default_rng(3).integers(0, 256, (count, 3, side, side))
    return torch.from_numpy(values.astype(np.float32))


@pytest.mark.parametrize(("name", "side"), EMBEDDERS)
def test_it_agrees_with_the_engine(name: str, side: int) -> None:
    batch = pictures(2, side)
    (expected,) = Session(name, precision=Precision.F32, threads=1).run(
        np.ascontiguousarray(batch.numpy().transpose(0, 2, 3, 1).astype(np.uint8))
    )
    with torch.no_grad():
        result = TorchNetwork(name)(batch)
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-3)


@pytest.mark.parametrize(("name", "side"), EMBEDDERS)
def test_its_gradient_is_the_slope(name: str, side: int) -> None:
    network, batch = TorchNetwork(name), pictures(1, side).requires_grad_()
    with torch.no_grad():
        own = network(batch)
    direction = torch.from_numpy(np.random.default_rng(4).normal(size=own.shape).astype(np.float32))
    (slope,) = torch.autograd.grad((network(batch) * direction).sum(), batch)
    step = 0.05 * slope / slope.abs().max()
    with torch.no_grad():
        ahead, behind = ((network(batch + s * step) * direction).sum() for s in (1, -1))
    assert float(ahead - behind) == pytest.approx(2 * float((slope * step).sum()), rel=0.05)


def test_an_operator_it_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph([helper.make_node("Sinh", ["x"], ["y"])], "g", [value], [value])
    model = helper.make_model(graph).SerializeToString()
    monkeypatch.setattr(ModelCard, "weights", lambda _: model)
    with pytest.raises(ModelError, match="Sinh"):
        TorchNetwork("faceres")


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(UsageError, match=r"eyelid\[cloak\] \(torch missing\)"):
        TorchNetwork("faceres")
