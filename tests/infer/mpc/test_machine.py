"""SPU keeps what it compiled by the Python function: another network must never run an old one's circuit."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np

from eyelid.infer import network as net
from eyelid.infer.mpc import plan
from eyelid.infer.mpc.party import frames
from tests.infer.mpc.conftest import chain

PARTY = Path(frames.__file__).parent
RUN = """
import importlib, importlib.util, json, sys
import numpy as np
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "party", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["party"] = importlib.util.module_from_spec(spec)
machines = importlib.import_module("party.machine")
from spu import libspu
machines.PROTOCOLS["alone"] = libspu.ProtocolKind.REF2K
desc = libspu.link.Desc()
desc.add_party("0", "0")
link = libspu.link.create_mem(desc, 0)
for plan, weights, image in json.load(sys.stdin):
    machine = machines.Machine(link, "alone", 1, plan, False)
    for name, values in zip(machine.weights, weights):
        machine.put(name, machine.split(np.array(values, np.float32))[0])
    machine.put("input", machine.split(np.array(image, np.float32))[0])
    machine.prepare(1, False)
    machine.run(1)
    print("RESULT", *machine.join([machine.take(machine.output)]).ravel())
"""


def test_two_networks_of_equal_shapes_in_one_process_are_two_circuits(spu: Path) -> None:
    draw = np.random.default_rng(7)
    layer = net.Linear(draw.normal(0, 1, (3, 4)), draw.normal(0, 1, 3))
    image = draw.random((1, 1, 2, 2))
    first = chain((1, 2, 2), ("flatten", net.Flatten()), ("fc", layer), ("act", net.Relu()))
    second = chain((1, 2, 2), ("flatten", net.Flatten()), ("fc", layer), ("act", net.Square()))
    runs = []
    for network in (first, second, first):
        architecture, weights = plan.split(network)
        runs.append([architecture, [values.tolist() for values in weights], image.tolist()])
    done = subprocess.run(
        [spu, "-I", "-c", RUN, PARTY], input=json.dumps(runs), capture_output=True, text=True, check=True
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    for line, network in zip(lines, (first, second, first), strict=True):
        np.testing.assert_allclose(np.array(line.split()[1:], float), network.run(image)[0], atol=1e-3)
