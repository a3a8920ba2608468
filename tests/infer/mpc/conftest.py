"""Parties on loopback, each a process in SPU's environment; skipped with a reason where that is not made."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from eyelid.errors import EyelidError
from eyelid.infer import network as net
from eyelid.infer.mpc import setup
from eyelid.infer.mpc.rehearsal import peers_here
from eyelid.infer.mpc.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from eyelid.infer.mpc.peers import Peers
    from eyelid.infer.mpc.statistics import Answer


@pytest.fixture(scope="session")
def spu() -> Path:
    """The Python of SPU's environment."""
    if reason := setup.missing():
        pytest.skip(reason)
    return setup.interpreter()


JOIN_S = 120.0
"""So long all may take to be there: each starts SPU anew, side by side, on a machine that has more to do."""


def hold(peers: Peers, kept: ExitStack) -> None:
    """Keep the ports of parties theirs until they listen: nobody else is given them meanwhile.

    Whoever asks the system for a free port gets none that is bound; a party listens on it all the same,
    since it allows the address to be in use.
    """
    for member in peers.party:
        host, _, port = member.address.rpartition(":")
        held = kept.enter_context(socket.socket())
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((host, int(port)))


@dataclass
class Table:
    """Parties that sit together on this machine; all but one run in threads of the test."""

    folder: Path
    peers: Peers
    network: net.Network
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    errors: dict[str, EyelidError] = field(default_factory=dict)
    processes: dict[str, int] = field(default_factory=dict)
    _threads: list[threading.Thread] = field(default_factory=list)
    _seated: dict[str, threading.Event] = field(default_factory=lambda: defaultdict(threading.Event))

    def session(self, who: str, **settings: Any) -> Session:
        network = self.network if who == self.peers.model_owner else None
        return Session(
            self.peers,
            who,
            **{"key": self.folder / f"{who}.key", "network": network, "connect_s": JOIN_S} | settings,
        )

    def start(self, *whom: str, **settings: Any) -> None:
        """Let these parties take part, in threads."""
        for who in whom:
            self._threads.append(threading.Thread(target=self._take_part, args=(who, settings)))
            self._threads[-1].start()

    def pid(self, who: str) -> int:
        """Return the number of a party's process, once that has joined."""
        assert self._seated[who].wait(JOIN_S)
        return self.processes[who]

    def wait(self) -> None:
        for thread in self._threads:
            thread.join(JOIN_S)
            assert not thread.is_alive()
        self._threads.clear()

    def _take_part(self, who: str, settings: dict[str, Any]) -> None:
        try:
            with self.session(who, **settings) as session:
                self.processes[who] = session.pid
                self._seated[who].set()
                for answer in session.serve():
                    self.answers.setdefault(who, []).append(answer)
        except EyelidError as error:
            self.errors[who] = error


@pytest.fixture
def table(spu: Path, tmp_path: Path) -> Iterator[Callable[[int, net.Network], Table]]:
    """Make a table for so many parties and a network."""
    made: list[Table] = []
    kept = ExitStack()

    def make(parties: int, network: net.Network) -> Table:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Table(folder, peers_here(folder, parties), network))
        hold(made[-1].peers, kept)
        return made[-1]

    with kept:
        yield make
        for one in made:
            one.wait()


def chain(shape: tuple[int, int, int], *layers: tuple[str, net.Operation]) -> net.Network:
    """Return a network of layers after each other."""
    nodes, last, now = [], net.INPUT, tuple(shape)
    for name, operation in layers:
        now = net.output_shape(operation, now)
        nodes.append(net.Node(name, operation, (last,), now))
        last = name
    return net.Network(shape, tuple(nodes), "0" * 64)


def tiny() -> net.Network:
    """4 x 4 pixels to 3 scores by way of a rectifier."""
    draw = np.random.default_rng(1)
    return chain(
        (1, 4, 4),
        ("flatten", net.Flatten()),
        ("fc1", net.Linear(draw.normal(0, 0.5, (6, 16)), draw.normal(0, 0.5, 6))),
        ("relu", net.Relu()),
        ("fc2", net.Linear(draw.normal(0, 0.5, (3, 6)), draw.normal(0, 0.5, 3))),
    )


def every_layer() -> net.Network:
    """A residual network with each kind of layer, in shapes that tell rows from columns and groups apart."""
    draw = np.random.default_rng(2)

    def conv(out: int, into: int, kernel: tuple[int, int], **rest: Any) -> net.Convolution:
        return net.Convolution(draw.normal(0, 0.3, (out, into, *kernel)), draw.normal(0, 0.2, out), **rest)

    layers: list[tuple[str, net.Operation, tuple[str, ...]]] = [
        ("conv", conv(4, 2, (3, 2), stride=(2, 1), padding=(1, 0, 0, 2)), ("input",)),
        ("square", net.Square(), ("conv",)),
        ("grouped", conv(4, 2, (3, 3), padding=(1, 1, 1, 1), groups=2), ("square",)),
        ("relu", net.Relu(), ("grouped",)),
        ("depthwise", conv(4, 1, (1, 3), padding=(0, 1, 0, 1), groups=4), ("relu",)),
        ("add", net.Add(), ("depthwise", "square")),
        ("polynomial", net.Polynomial((0.1, 0.5, 0.25, -0.05)), ("add",)),
        ("pool", net.AveragePool((2, 3), (2, 2), (1, 0, 0, 1)), ("polynomial",)),
        ("flatten", net.Flatten(), ("pool",)),
    ]
    shapes: dict[str, tuple[int, ...]] = {"input": (2, 9, 7)}
    nodes = []
    for name, operation, inputs in layers:
        shapes[name] = net.output_shape(operation, shapes[inputs[0]])
        nodes.append(net.Node(name, operation, inputs, shapes[name]))
    features = shapes["flatten"][0]
    last = net.Linear(draw.normal(0, 0.3, (5, features)), draw.normal(0, 0.3, 5))
    nodes.append(net.Node("fc", last, ("flatten",), (5,)))
    return net.Network((2, 9, 7), tuple(nodes), "0" * 64)
