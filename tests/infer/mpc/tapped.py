"""One party without TLS, so that a tap sees what it is sent; run by test_secrecy.py in SPU's environment.

Arguments: the folder of the party's code, its number, the addresses (its own, and the taps of the others),
the plan. Each line of standard input is a file with the pictures of the next run; the result is not revealed.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np

PROTOCOLS = {2: "cheetah", 3: "aby3"}


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


def main() -> None:
    folder, rank, addresses, plan_file = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(","), sys.argv[4]
    where = [folder]
    spec = importlib.util.spec_from_file_location(
        "party", f"{folder}/__init__.py", submodule_search_locations=where
    )
    assert spec is not None
    sys.modules["party"] = importlib.util.module_from_spec(spec)
    frames = importlib.import_module("party.frames")
    machines = importlib.import_module("party.machine")
    libspu = importlib.import_module("spu.libspu")

    desc = libspu.link.Desc()
    desc.id, desc.recv_timeout_ms = "tapped", 30_000
    desc.connect_retry_times, desc.connect_retry_interval_ms = 100, 100
    for number, address in enumerate(addresses):
        desc.add_party(str(number), address)
    link = libspu.link.create_brpc(desc, rank)
    plan = json.loads(Path(plan_file).read_text())
    machine = machines.Machine(link, PROTOCOLS[len(addresses)], len(addresses), plan, False)
    others = [number for number in range(len(addresses)) if number != rank]

    def share(name: str, values: np.ndarray | None, owner: int) -> None:
        if rank == owner:
            parts = machine.split(values)
            for other in others:
                link.send(other, frames.pack(parts[other]))
            machine.put(name, parts[rank])
        else:
            machine.put(name, frames.unpack(link.recv(owner)))

    draw = np.random.default_rng(5)
    for name, shape in zip(machine.weights, plan["weights"], strict=True):
        share(name, draw.normal(0, 0.5, shape).astype(np.float32), 0)
    say("ready")
    for line in sys.stdin:
        images = np.load(line.strip())
        share("input", images, 1)
        machine.prepare(len(images), False)
        machine.run(len(images))
        machine.take(machine.output)
        link.barrier()
        say("done")
    link.stop_link()


main()
