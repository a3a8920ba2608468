"""Multi-party inference beside SPU alone on the same graph: wall and processor seconds, bytes, agreement.

The network is that of TenSEAL's tutorial with rectifiers: 28 x 28 digits, conv 4@7x7/3, fc 256-64, fc 64-10.
On loopback, or behind an emulated line of 20 ms and 100 Mbit/s. Needs 'eyelid infer mpc setup'.
"""

from __future__ import annotations

import argparse
import json
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.infer import networks
from tests.infer.conftest import load_digits

from eyelid.infer.mpc import plan, rehearsal, setup
from eyelid.infer.mpc.party import frames
from eyelid.infer.mpc.session import Session
from eyelid.infer.onnx_reader import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from eyelid.infer.network import Network

HERE = Path(__file__).parent
PROTOCOLS = {"aby3": 3, "cheetah": 2}
NAMES = rehearsal.NAMES


def network(folder: Path) -> tuple[Network, np.ndarray]:
    from torch import nn

    digits = load_digits(28)
    layers: list[Any] = [nn.Conv2d(1, 4, 7, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 64), nn.ReLU()]
    layers.append(nn.Linear(64, 10))
    networks.train(layers, digits.train_images, digits.train_labels, epochs=15)
    return read(networks.write(layers, (1, 28, 28), folder / "relu.onnx")), digits.test_images


def ports(count: int) -> list[int]:
    with ExitStack() as kept:
        probes = [kept.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def line(real: list[int], slow: bool) -> Iterator[list[list[str]]]:
    """Yield the addresses as each party sees them: its own, and the others at once or behind a slow line."""
    if not slow:
        yield [[f"127.0.0.1:{port}" for port in real] for _ in real]
        return
    doors = ports(len(real))
    pairs = [f"{door}:{port}" for door, port in zip(doors, real, strict=True)]
    command = [sys.executable, str(HERE / "_slow_link.py"), *pairs]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield [
            [f"127.0.0.1:{real[i] if i == rank else doors[i]}" for i in range(len(real))]
            for rank in range(len(real))
        ]
        process.kill()


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def ours(
    model: Network, images: np.ndarray, protocol: str, batch: int, runs: int, slow: bool
) -> dict[str, Any]:
    """Return wall seconds of each predict(), and the processor seconds of a party and a run."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        peers = rehearsal.peers_here(folder, PROTOCOLS[protocol])
        real = [int(member.address.rpartition(":")[2]) for member in peers.party]
        with line(real, slow) as seen:

            def session(number: int) -> Session:
                who = NAMES[number]
                made = Session(
                    peers, who, key=folder / f"{who}.key", network=model if who == "model" else None
                )
                made._order["addresses"] = seen[number]  # all agree on the true ones
                return made

            def follow(number: int) -> None:
                with session(number) as other:
                    for _ in other.serve():
                        pass

            others = [threading.Thread(target=follow, args=(i,)) for i in range(len(real)) if i != 1]
            for other in others:
                other.start()
            start = time.perf_counter()
            with session(1) as mine:
                joined = time.perf_counter() - start
                wall, cpu, scores, cost = [], [], [], None
                for number in range(runs + 2):
                    part = images[number * batch : (number + 1) * batch]
                    part = part if len(part) == batch else images[:batch]
                    before, start = processor_s(mine.pid), time.perf_counter()
                    (answer,) = mine.predict(part)
                    wall.append(time.perf_counter() - start)
                    cpu.append(processor_s(mine.pid) - before)
                    assert answer.scores is not None
                    scores.append((answer.scores.argmax(1) == model.run(part).argmax(1)).mean())
                    cost = answer.cost
            for other in others:
                other.join()
    assert cost is not None
    return {
        "first": wall[0],
        "wall": wall[2:],
        "cpu": cpu[2:],
        "joined": joined,
        "agree": float(np.mean(scores)),
        "sent": cost.sent,
    }


def raw(folder: Path, protocol: str, batch: int, runs: int, slow: bool, tls: bool) -> dict[str, list[float]]:
    """Return the same of SPU alone, at the data owner."""
    real = ports(PROTOCOLS[protocol])
    with line(real, slow) as seen:
        orders = [
            {
                "rank": rank,
                "addresses": seen[rank],
                "protocol": protocol,
                "batch": batch,
                "runs": runs + 2,
                "folder": str(folder),
                "tls": str(folder) if tls else None,
                "party": str(Path(frames.__file__).parent),
            }
            for rank in range(len(real))
        ]
        processes = [
            subprocess.Popen(
                [str(setup.interpreter()), str(HERE / "_mpc_raw.py"), json.dumps(order)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for order in orders
        ]
        said = [process.communicate(timeout=300)[0] for process in processes]
    found = json.loads(said[1].splitlines()[-1])
    return {"wall": found["wall"][2:], "cpu": found["cpu"][2:]}


def prepare(model: Network, images: np.ndarray, folder: Path) -> None:
    architecture, weights = plan.split(model)
    (folder / "plan.json").write_text(json.dumps(architecture))
    np.savez(folder / "weights.npz", **{f"{number:03}": values for number, values in enumerate(weights)})
    np.save(folder / "images.npy", images)
    peers = rehearsal.peers_here(folder, 3)
    for number, member in enumerate(peers.party):
        (folder / f"{member.name}.pem").rename(folder / f"{number}.pem")
        (folder / f"{member.name}.key").rename(folder / f"{number}.key")
    (folder / "all.pem").write_text("".join((folder / f"{number}.pem").read_text() for number in range(3)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=20, help="runs a block; blocks are interleaved")
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--protocol", choices=[*PROTOCOLS], action="append")
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--slow", action="store_true", help="behind 20 ms and 100 Mbit/s")
    options = parser.parse_args()
    if reason := setup.missing():
        sys.exit(reason)
    where = "20 ms, 100 Mbit/s (emulated)" if options.slow else "loopback"
    print(f"SPU 0.9.5, {platform.processor() or platform.machine()}, {where}")
    print(f"{'':24}{'wall s':>9}{'min':>9}{'cpu s':>8}{'ratio wall':>12}{'min':>7}{'cpu':>7}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model, images = network(folder)
        prepare(model, images, folder)
        for protocol in options.protocol or PROTOCOLS:
            for batch in options.batch or [1, 32]:
                found: dict[str, dict[str, list[float]]] = {
                    key: {"wall": [], "cpu": []} for key in ("SPU, no TLS", "SPU, TLS", "eyelid")
                }
                for _ in range(options.blocks):
                    mine = ours(model, images, protocol, batch, options.runs, options.slow)
                    blocks = {
                        "eyelid": mine,
                        "SPU, no TLS": raw(folder, protocol, batch, options.runs, options.slow, False),
                        "SPU, TLS": raw(folder, protocol, batch, options.runs, options.slow, True),
                    }
                    for key, block in blocks.items():
                        found[key]["wall"] += block["wall"]
                        found[key]["cpu"] += block["cpu"]
                report(f"{protocol}, batch {batch}", found)
                print(
                    f"  argmax agrees {mine['agree']:.2%}; joined in {mine['joined']:.1f} s; first answer "
                    f"{mine['first']:.2f} s; {mine['sent']:,} bytes sent by the data owner"
                )


def report(title: str, found: dict[str, dict[str, list[float]]]) -> None:
    """Print medians, minima, and the ratios to SPU with TLS."""
    base = found["SPU, TLS"]
    cpu = statistics.mean(base["cpu"])
    for key, runs in found.items():
        wall, least, spent = statistics.median(runs["wall"]), min(runs["wall"]), statistics.mean(runs["cpu"])
        print(
            f"{title + ', ' + key:32}{wall:9.4f}{least:9.4f}{spent:8.4f}"
            f"{wall / statistics.median(base['wall']):8.2f}{least / min(base['wall']):7.2f}{spent / cpu:7.2f}"
        )


if __name__ == "__main__":
    main()
