"""SPU alone on the same network, as its own examples use it: run by mpc.py inside SPU's environment.

Arguments: a JSON object with rank, addresses, protocol, batch, folder (plan, weights, images), tls (a folder
with certificates, or null) and party (the folder of eyelid's graph). Each line of standard input is a run,
after which it prints the wall seconds from image to scores at the data owner, and this party's
processor seconds.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
import spu
from spu import libspu
from spu.utils import frontend

SECRET = libspu.Visibility.VIS_SECRET


def load(party: Path):
    spec = importlib.util.spec_from_file_location(
        "party", party / "__init__.py", submodule_search_locations=[str(party)]
    )
    sys.modules["party"] = importlib.util.module_from_spec(spec)
    from party import graph

    return graph


def join(order):
    desc = libspu.link.Desc()
    desc.id, desc.recv_timeout_ms, desc.connect_retry_times = "raw", 60000, 1000
    desc.connect_retry_interval_ms = 200
    for number, address in enumerate(order["addresses"]):
        desc.add_party(str(number), address)
    if tls := order["tls"]:
        desc.enable_ssl = True
        for options in (desc.client_ssl_opts, desc.server_ssl_opts):
            options.cert.certificate_path = f"{tls}/{order['rank']}.pem"
            options.cert.private_key_path = f"{tls}/{order['rank']}.key"
            options.verify.verify_depth = 1
            options.verify.ca_file_path = f"{tls}/all.pem"
    return libspu.link.create_brpc(desc, order["rank"])


def main() -> None:
    order = json.loads(sys.argv[1])
    rank, parties = order["rank"], len(order["addresses"])
    folder, graph = Path(order["folder"]), load(Path(order["party"]))
    plan = json.loads((folder / "plan.json").read_text())
    weights = list(np.load(folder / "weights.npz").values())
    images = np.load(folder / "images.npy")[: order["batch"]]
    link = join(order)
    config = libspu.RuntimeConfig()
    config.protocol = {"aby3": libspu.ProtocolKind.ABY3, "cheetah": libspu.ProtocolKind.CHEETAH}[
        order["protocol"]
    ]
    config.field = libspu.FieldType.FM64
    io, runtime = spu.Io(parties, config), spu.Runtime(link, config)

    def share(name, values, owner):
        if rank == owner:
            shares = io.make_shares(np.ascontiguousarray(values, np.float32), SECRET)
            for other in range(parties):
                if other != rank:
                    link.send(other, shares[other].meta)
                    link.send(other, shares[other].share_chunks[0])
            mine = shares[rank]
        else:
            mine = libspu.Share()
            mine.meta = link.recv(owner)
            mine.share_chunks = [link.recv(owner)]
        runtime.set_var(name, mine)

    names = ["input", *(name for node in plan["nodes"] for name in graph.weights_of(node))]
    for name, values in zip(names[1:], weights, strict=True):
        share(name, values, 0)
    program, _ = frontend.compile(
        frontend.Kind.JAX,
        graph.whole(plan),
        [images, *weights],
        {},
        names,
        [SECRET] * len(names),
        lambda _: ["output"],
    )
    print("ready", flush=True)
    for _ in sys.stdin:
        link.barrier()
        start, before = time.perf_counter(), time.process_time()
        share("input", images, 1)
        runtime.run(program)
        mine = runtime.get_var("output")
        if rank == 1:
            shares = []
            for other in range(parties):
                theirs = mine
                if other != 1:
                    theirs = libspu.Share()
                    theirs.meta = link.recv(other)
                    theirs.share_chunks = [link.recv(other)]
                shares.append(theirs)
            io.reconstruct(shares)
        else:
            link.send(1, mine.meta)
            link.send(1, mine.share_chunks[0])
        wall, cpu = time.perf_counter() - start, time.process_time() - before
        print("RUN", json.dumps([wall, cpu]), flush=True)
    link.barrier()
    link.stop_link()


main()
