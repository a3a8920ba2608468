"""What a party receives tells nothing about the image: its bytes, tapped, are those of any other image."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.infer import network as net
from eyelid.infer.mpc import plan
from eyelid.infer.mpc.party import frames
from tests.infer.mpc.conftest import chain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
RUNS = 32
"""Of each image; with half as many the image in the clear is seen, but not always by as much as is asked."""
NETWORK = chain(
    (1, 16, 16),
    ("flatten", net.Flatten()),
    ("fc1", net.Linear(np.ones((4, 256)), np.ones(4))),
    ("relu", net.Relu()),
    ("fc2", net.Linear(np.ones((2, 4)), np.ones(2))),
)
PARTY = Path(frames.__file__).parent
HERE = Path(__file__).parent


class Tap:
    """Passes bytes on from its own port to another, and keeps those that go to that other."""

    def __init__(self, to: int) -> None:
        self.to, self.seen = to, bytearray()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.server.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self.server.accept()
                try:
                    called = socket.create_connection(("127.0.0.1", self.to))
                except OSError:
                    caller.close()
                    continue
                threading.Thread(target=self._pass, args=(caller, called, self.seen), daemon=True).start()
                threading.Thread(target=self._pass, args=(called, caller, None), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
        with suppress(OSError), source, target:
            while piece := source.recv(1 << 16):
                if kept is not None:
                    kept += piece
                target.sendall(piece)


class Tapped:
    """Parties whose every link goes through a tap."""

    def __init__(self, python: Path, parties: int, folder: Path, kept: ExitStack) -> None:
        ports = []
        for _ in range(parties):
            held = kept.enter_context(socket.socket())  # as in conftest.hold()
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            ports.append(held.getsockname()[1])
        self.taps = [Tap(port) for port in ports]
        for tap in self.taps:
            kept.callback(tap.server.close)
        (folder / "plan.json").write_text(json.dumps(plan.split(NETWORK)[0]))
        self.parties = []
        for rank in range(parties):
            at = [ports[i] if i == rank else self.taps[i].port for i in range(parties)]
            addresses = ",".join(f"127.0.0.1:{port}" for port in at)
            code = ["-I", str(HERE / "tapped.py"), str(PARTY)]
            script = [str(python), *code, str(rank), addresses, str(folder / "plan.json")]
            party = subprocess.Popen(
                script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            self.parties.append(kept.enter_context(party))
            kept.callback(party.kill)
        self._hear("ready")

    def run(self, images: Path) -> list[bytes]:
        """Compute on images and return what each party was sent."""
        for tap in self.taps:
            tap.seen.clear()
        for party in self.parties:
            assert party.stdin is not None
            party.stdin.write(f"{images}\n")
            party.stdin.flush()
        self._hear("done")
        time.sleep(0.01)
        return [bytes(tap.seen) for tap in self.taps]

    def _hear(self, word: str) -> None:
        for party in self.parties:
            assert party.stdout is not None
            while (line := party.stdout.readline().strip()) != word:
                assert line or party.poll() is None, "a party ended"


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def histograms(messages: list[bytes]) -> NDArray[np.float64]:
    """Return how often each byte comes in each message, float64 (n, 256)."""
    return np.stack([np.bincount(np.frombuffer(m, np.uint8), minlength=256) for m in messages]).astype(float)


def statistic(counts: NDArray[np.float64], label: NDArray[np.bool_]) -> float:
    """Return chi-square, with 256 degrees of freedom, of the difference in means between two kinds of runs.

    The variances are those between runs: the bytes of one run are not independent of each other (framing,
    batches of oblivious transfers made ahead).
    """
    first, second = counts[~label], counts[label]
    spread = first.var(0, ddof=1) / len(first) + second.var(0, ddof=1) / len(second)
    return float((np.square(first.mean(0) - second.mean(0)) / np.maximum(spread, 1e-9)).sum())


def surprise(counts: NDArray[np.float64], label: NDArray[np.bool_], shuffles: int = 100) -> float:
    """Return how many standard deviations the statistic lies above that of labels at random.

    Labels at random give its true distribution, since the order of the runs was random.
    """
    draw = np.random.default_rng(8)
    others = [statistic(counts, draw.permutation(label)) for _ in range(shuffles)]
    return float((statistic(counts, label) - np.mean(others)) / np.std(others))


@pytest.mark.parametrize("parties", [2, 3])
def test_the_bytes_a_party_receives_do_not_depend_on_the_image(
    spu: Path, parties: int, tmp_path: Path, kept: ExitStack
) -> None:
    images = [np.full((1, *NETWORK.input_shape), value, np.float32) for value in (0, 1)]
    for name, image in zip(("black", "white"), images, strict=True):
        np.save(tmp_path / f"{name}.npy", image)
    tapped = Tapped(spu, parties, tmp_path, kept)
    tapped.run(tmp_path / "black.npy")
    label = np.random.default_rng(6).permutation([False, True] * RUNS)
    runs = [tapped.run(tmp_path / ("white.npy" if which else "black.npy")) for which in label]
    for party in range(parties):
        seen = [run[party] for run in runs]
        # A few runs make oblivious transfers ahead and bring far more; they would hide the others.
        usual = np.array([len(message) < 1.15 * np.median([*map(len, seen)]) for message in seen])
        assert usual.mean() > 0.8
        counts, kind = histograms(seen)[usual], label[usual]
        assert surprise(counts, kind) < 6, f"party {party}"
        # The same test sees an image in the clear, with 18 bits after the point, among as many bytes.
        clear = [(np.int64(2**18) * images[which].astype(np.int64)).tobytes() for which in kind.astype(int)]
        assert surprise(counts + histograms(clear), kind) > 12, f"party {party}"


SHARES = """
import importlib, importlib.util, sys
import numpy as np
folder, protocol, parties, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
spec = importlib.util.spec_from_file_location(
    "party", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["party"] = importlib.util.module_from_spec(spec)
machines = importlib.import_module("party.machine")
import spu
from spu import libspu
config = libspu.RuntimeConfig()
config.protocol, config.field = machines.PROTOCOLS[protocol], libspu.FieldType.FM64
machine = machines.Machine.__new__(machines.Machine)
machine._io = spu.Io(parties, config)
for value in (0.0, 1.0):
    image = np.full((16, 16), value, np.float32)
    counts = np.zeros((parties, 256), np.int64)
    for _ in range(runs):
        for party, share in enumerate(machine.split(image)):
            counts[party] += np.bincount(np.frombuffer(share[1][-image.size * 8:], np.uint8), minlength=256)
    assert np.array_equal(machine.join(machine.split(image)), image)
    print(*counts.ravel())
"""


@pytest.mark.parametrize(("protocol", "parties"), [("cheetah", 2), ("aby3", 3)])
def test_every_share_is_uniform_whatever_the_image(spu: Path, protocol: str, parties: int) -> None:
    stats = pytest.importorskip("scipy.stats", reason="needs scipy, which scikit-learn brings")
    script = [str(spu), "-I", "-c", SHARES, str(PARTY), protocol, str(parties), "100"]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
    assert len(lines) == 2
    for line in lines:
        for counts in np.array(line.split(), np.int64).reshape(parties, 256):
            assert counts.sum() == 100 * 16 * 16 * 8
            assert stats.chisquare(counts).pvalue > 1e-5
