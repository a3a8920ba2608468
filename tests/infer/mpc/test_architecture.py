"""What the model's owner sends is checked by every party before anything is built from it."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.errors import InferenceError, UnsupportedError
from eyelid.infer import network as net
from eyelid.infer.mpc import plan as plans
from eyelid.infer.mpc import process
from eyelid.infer.mpc.party import architecture
from tests.infer.mpc.conftest import chain, every_layer, tiny
from tests.infer.mpc.mutants import MARK, mutant

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.infer.mpc.conftest import Table

    MakeTable = Callable[[int, net.Network], Table]

SOUND = [plans.split(network)[0] for network in (tiny(), every_layer())]
TRACE = """
import importlib, importlib.util, json, sys
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "party", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["party"] = importlib.util.module_from_spec(spec)
graph = importlib.import_module("party.graph")
import jax
for plan in json.load(sys.stdin):
    of = lambda shape: jax.ShapeDtypeStruct(tuple(shape), "float32")
    made = jax.eval_shape(graph.whole(plan), of([2, *plan["input_shape"]]), *map(of, plan["weights"]))
    assert made.shape == (2, *plan["nodes"][-1]["shape"]), plan
    print("ok")
"""


def accepted(plan: Any) -> bool:
    """Whether a plan passes; where it does not, the reason is a sentence without the sender's words."""
    reason = ""
    try:
        assert 1 <= architecture.check(plan) <= architecture.MOST_IMAGES
    except ValueError as error:
        reason = str(error)
    if not reason:
        return True
    assert MARK not in reason
    assert reason.isprintable()
    assert 10 < len(reason) < 200
    return False


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**62), st.sampled_from(SOUND))
def test_a_changed_architecture_is_sound_or_refused_with_a_reason(seed: int, plan: dict[str, Any]) -> None:
    accepted(mutant(plan, random.Random(seed)))


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=9)
)
def test_anything_else_is_refused(plan: object) -> None:
    assert not accepted(plan)
    assert not accepted({"input_shape": [1, 4, 4], "nodes": [plan], "weights": []})
    assert not accepted({"input_shape": plan, "nodes": SOUND[0]["nodes"], "weights": SOUND[0]["weights"]})


def test_what_is_accepted_can_be_built_and_makes_what_it_says(spu: Path) -> None:
    draw = random.Random(7)
    found = [mutant(plan, draw) for _ in range(2_000) for plan in SOUND]
    passed = [plan for plan in found if accepted(plan)]
    different = [plan for plan in passed if plan not in SOUND]
    assert all(accepted(plan) for plan in SOUND)
    assert len(different) > 20
    assert len(passed) < len(found) / 4
    done = subprocess.run(
        [str(spu), "-I", "-c", TRACE, str(Path(architecture.__file__).parent)],
        input=json.dumps([*SOUND, *different[:100]]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert done.stdout.split() == ["ok"] * (2 + len(different[:100]))


def _node(**changes: Any) -> dict[str, Any]:
    plan = json.loads(json.dumps(SOUND[1]))
    plan["nodes"][0] |= changes
    return dict(plan)


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (_node(kernel=[4096, 1]), "kernel"),
        (_node(padding=[10**7, 0, 0, 0]), "out of bounds|more than"),
        (_node(stride=[0, 1]), "out of bounds"),
        (_node(inputs=["relu"]), "no layer before it"),
        (_node(inputs=["input", "input"]), "number of inputs"),
        (_node(kind="eval"), "no kind"),
        (_node(name="conv/weight"), "layer 0|takes what"),
        (_node(shape=[4, 5, 9]), "is said to make"),
        (SOUND[1] | {"input_shape": [2, 2**13, 2**13]}, "more than"),
        (SOUND[1] | {"weights": [[2**20, 2**20], *SOUND[1]["weights"][1:]]}, "weights"),
        (SOUND[1] | {"nodes": []}, "layers"),
        (SOUND[0] | {"nodes": [SOUND[0]["nodes"][0]] * 1_001}, "layers"),
        (SOUND[0] | {"nodes": [SOUND[0]["nodes"][0]] * 2}, "takes what|name of another|flatten"),
    ],
)
def test_each_fault_has_its_reason(plan: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        architecture.check(plan)


def test_large_networks_take_fewer_images_at_once_and_the_largest_none() -> None:
    wide = chain((64, 256, 256), ("relu", net.Relu()), ("square", net.Square()))
    assert architecture.check(plans.split(wide)[0]) == architecture.MOST_WORK // (3 * 64 * 256 * 256)
    with pytest.raises(UnsupportedError, match=r"^The parties would refuse this network: .* more than .*\.$"):
        plans.split(chain((64, 1024, 1024), ("relu", net.Relu())))


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize(
    ("changes", "parties"),
    [({"weights": [[2**20, 2**20]]}, 3), ({"input_shape": None}, 2), ({"nodes": [{"name": MARK}]}, 2)],
)
def test_the_parties_name_the_owner_of_an_architecture_that_makes_no_sense(
    table: MakeTable, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], parties: int
) -> None:
    here = table(parties, tiny())
    split = plans.split

    def malformed(network: net.Network) -> tuple[Any, plans.Weights]:
        plan, weights = split(network)
        return plan | changes, weights

    monkeypatch.setattr(plans, "split", malformed)
    here.start("model", *(["helper"] if parties == 3 else []))
    with (
        pytest.raises(
            InferenceError, match=r"^model sent an architecture that makes no sense: .*no result\.$"
        ),
        here.session("data") as session,
    ):
        session.predict(np.zeros((1, 1, 4, 4)))
    here.wait()
    assert all("makes no sense" in str(error) for error in here.errors.values())
    assert MARK not in str(here.errors)


BUSY = """
import time
from party.main import Party
hear = Party._hear
def late(self, other):
    if self.rank == {rank}:
        time.sleep(2)  # with two others: four seconds behind them
    return hear(self, other)
Party._hear = late
agree = Party._agree
class Unconfirmed:
    def __init__(self, link):
        self.link = link
    def __getattr__(self, name):
        return getattr(self.link, name)
    def send(self, other, message):
        self.link.send(other, message)
        raise RuntimeError  # it has arrived, and the other has left before it could say so
def unconfirmed(self, order):
    link, self.link = self.link, Unconfirmed(self.link)
    agreed = agree(self, order)
    self.link = link
    return agreed
Party._agree = unconfirmed
main()
"""


@pytest.mark.enable_socket
@pytest.mark.allow_hosts(["127.0.0.1"])
@pytest.mark.parametrize("late", ["data", "model", "helper"])
def test_a_party_that_is_slow_to_see_it_finds_the_same_reason(
    table: MakeTable, monkeypatch: pytest.MonkeyPatch, late: str
) -> None:
    here = table(3, tiny())
    split = plans.split
    monkeypatch.setattr(
        plans, "split", lambda network: (split(network)[0] | {"nodes": []}, split(network)[1])
    )
    busy = BUSY.format(rank=here.peers.number(late))
    monkeypatch.setattr(process, "LOAD", process.LOAD.removesuffix("main()\n") + busy)
    here.start("model", "helper")
    with pytest.raises(InferenceError, match=r"^model sent an architecture"), here.session("data"):
        pass
    here.wait()
    assert all("makes no sense" in str(error) for error in here.errors.values())
