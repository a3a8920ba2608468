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


class Eyelid:
    """A session of ours; each run takes the next images."""

    def __init__(self, model: Network, images: np.ndarray, protocol: str, batch: int, slow: bool) -> None:
        self.model, self.images, self.protocol = model, images, protocol
        self.batch, self.slow, self.at = batch, slow, 0
        self.agree: list[bool] = []
        self.sent = 0

    def __enter__(self) -> Eyelid:
        self.kept = ExitStack()
        folder = Path(self.kept.enter_context(tempfile.TemporaryDirectory()))
        peers = rehearsal.peers_here(folder, PROTOCOLS[self.protocol])
        real = [int(member.address.rpartition(":")[2]) for member in peers.party]
        seen = self.kept.enter_context(line(real, self.slow))

        def session(number: int) -> Session:
            who = NAMES[number]
            own = self.model if who == "model" else None
            made = Session(peers, who, key=folder / f"{who}.key", network=own)
            made._order["addresses"] = seen[number]  # all agree on the true ones
            return made

        def follow(number: int) -> None:
            with session(number) as other:
                for _ in other.serve():
                    pass

        for number in range(len(real)):
            if number != 1:
                threading.Thread(target=follow, args=(number,), daemon=True).start()
        start = time.perf_counter()
        self.session = self.kept.enter_context(session(1))
        self.joined = time.perf_counter() - start
        return self

    def __exit__(self, *_: object) -> None:
        self.kept.close()

    def run(self) -> tuple[float, float]:
        part = self.images[self.at : self.at + self.batch]
        self.at = (self.at + self.batch) % (len(self.images) - self.batch)
        before, start = processor_s(self.session.pid), time.perf_counter()
        (answer,) = self.session.predict(part)
        wall = time.perf_counter() - start
        assert answer.scores is not None
        self.agree += list(answer.scores.argmax(1) == self.model.run(part).argmax(1))
        self.sent = answer.cost.sent
        return wall, processor_s(self.session.pid) - before


class Raw:
    """The same of SPU alone, at the data owner."""

    def __init__(self, folder: Path, protocol: str, batch: int, slow: bool, tls: bool) -> None:
        self.order = {
            "protocol": protocol,
            "batch": batch,
            "folder": str(folder),
            "tls": str(folder) if tls else None,
            "party": str(Path(frames.__file__).parent),
        }
        self.protocol, self.slow = protocol, slow

    def __enter__(self) -> Raw:
        self.kept = ExitStack()
        real = ports(PROTOCOLS[self.protocol])
        seen = self.kept.enter_context(line(real, self.slow))
        self.processes = []
        for rank in range(len(real)):
            order = json.dumps(self.order | {"rank": rank, "addresses": seen[rank]})
            command = [str(setup.interpreter()), str(HERE / "_mpc_raw.py"), order]
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self.processes.append(process)
            self.kept.callback(process.kill)
        self._hear("ready")
        return self

    def __exit__(self, *_: object) -> None:
        self.kept.close()

    def run(self) -> tuple[float, float]:
        for process in self.processes:
            process.stdin.write("run\n")
            process.stdin.flush()
        wall, cpu = json.loads(self._hear("RUN ")[1].removeprefix("RUN "))
        return wall, cpu

    def _hear(self, start: str) -> list[str]:
        said = []
        for process in self.processes:
            while not (text := process.stdout.readline()).startswith(start):
                assert text, "SPU ended"
            said.append(text)
        return said


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
    parser.add_argument("--runs", type=int, default=50, help="runs of each, by turns")
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
                compare(model, images, folder, protocol, batch, options)


def compare(
    model: Network, images: np.ndarray, folder: Path, protocol: str, batch: int, options: argparse.Namespace
) -> None:
    """Keep all sessions open and run them by turns, so that all meet the same noise."""
    with ExitStack() as kept:
        mine = kept.enter_context(Eyelid(model, images, protocol, batch, options.slow))
        sessions = {
            "SPU, no TLS": kept.enter_context(Raw(folder, protocol, batch, options.slow, False)),
            "SPU, TLS": kept.enter_context(Raw(folder, protocol, batch, options.slow, True)),
            "eyelid": mine,
        }
        first, _ = mine.run()
        found: dict[str, dict[str, list[float]]] = {key: {"wall": [], "cpu": []} for key in sessions}
        for number in range(options.runs + 2):
            for key, session in sessions.items():
                wall, cpu = session.run()
                if number >= 2:
                    found[key]["wall"].append(wall)
                    found[key]["cpu"].append(cpu)
        report(f"{protocol}, batch {batch}", found)
        print(
            f"  argmax agrees {np.mean(mine.agree):.2%} of {len(mine.agree)} images; joined in "
            f"{mine.joined:.1f} s; first answer {first:.2f} s; {mine.sent:,} bytes sent by the data owner"
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
