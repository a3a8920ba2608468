"""SPU at one party: its settings, shares in and out, and runs of the whole network or layer by layer."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import spu
from spu import libspu
from spu.utils import frontend

from . import architecture, counting, graph

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

PROTOCOLS = {
    "aby3": libspu.ProtocolKind.ABY3,
    "cheetah": libspu.ProtocolKind.CHEETAH,
    "semi2k-trusted-dealer-INSECURE": libspu.ProtocolKind.SEMI2K,
}
SECRET = libspu.Visibility.VIS_SECRET
WHOLE = "the whole network"


class Machine:
    """SPU's runtime with one network; ``plan`` is its architecture, checked; ``parties`` is their number."""

    def __init__(self, link: Any, protocol: str, parties: int, plan: dict[str, Any], profile: bool) -> None:
        self.link, self.plan = link, plan
        self.output = str(plan["nodes"][-1]["name"])
        config = libspu.RuntimeConfig()
        config.protocol = PROTOCOLS[protocol]
        config.field = libspu.FieldType.FM64
        config.enable_pphlo_profile = profile
        self._io = spu.Io(parties, config)
        self._runtime = spu.Runtime(link, config)
        self._compiled: dict[tuple[str, int], Any] = {}
        self.weights = [name for node in plan["nodes"] for name in architecture.weights_of(node)]
        self._shapes: dict[str, tuple[int, ...]] = {
            name: tuple(shape) for name, shape in zip(self.weights, plan["weights"], strict=True)
        }
        self._shapes[architecture.INPUT] = tuple(plan["input_shape"])
        self._shapes |= {node["name"]: tuple(node["shape"]) for node in plan["nodes"]}

    def split(self, values: NDArray[np.float32]) -> list[list[bytes]]:
        """Return an array as one share a party, each as byte strings; any but all of them tell nothing."""
        shares = self._io.make_shares(np.ascontiguousarray(values, np.float32), SECRET)
        return [[share.meta, *share.share_chunks] for share in shares]

    def join(self, shares: Sequence[Sequence[bytes]]) -> NDArray[np.float32]:
        """Return the array whose shares are given, one a party."""
        return np.asarray(self._io.reconstruct([_share(parts) for parts in shares]), np.float32)

    def put(self, name: str, share: Sequence[bytes]) -> None:
        """Keep this party's share under a name."""
        self._runtime.set_var(name, _share(share))

    def take(self, name: str) -> list[bytes]:
        """Return this party's share of what was computed under a name, and forget it."""
        share = self._runtime.get_var(name)
        self._runtime.del_var(name)
        return [share.meta, *share.share_chunks]

    def prepare(self, count: int, layers: bool) -> None:
        """Compile the network, or each of its layers, for ``count`` images at once, unless it is done."""
        if layers:
            for node in self.plan["nodes"]:
                names = [*node["inputs"], *architecture.weights_of(node)]
                self._compile(node["name"], count, partial(graph.layer, node), names, node["name"])
        else:
            names = [architecture.INPUT, *self.weights]
            self._compile(WHOLE, count, partial(graph.whole, self.plan), names, self.output)

    def run(self, count: int) -> None:
        """Run the whole network on ``count`` images at once; what it makes is under :attr:`output`."""
        self._runtime.run(self._compiled[WHOLE, count])
        self._runtime.del_var(architecture.INPUT)

    def run_layers(self, count: int, log: counting.Log) -> list[dict[str, Any]]:
        """Run layer by layer, as :meth:`run` otherwise, and return what each cost at this party."""
        found = []
        for node in self.plan["nodes"]:
            self.link.barrier()
            log.new()
            before, start = counting.bytes_on_the_wire(), time.perf_counter()
            self._runtime.run(self._compiled[node["name"], count])
            seconds, after = time.perf_counter() - start, counting.bytes_on_the_wire()
            found.append(
                {
                    "name": node["name"],
                    "kind": node["kind"],
                    "seconds": seconds,
                    "sent": after[0] - before[0],
                    "received": after[1] - before[1],
                    "rounds": counting.rounds(log.new()),
                }
            )
        for name in (architecture.INPUT, *(node["name"] for node in self.plan["nodes"][:-1])):
            self._runtime.del_var(name)
        return found

    def _compile(
        self, key: str, count: int, build: Callable[[], Callable[..., Any]], names: list[str], output: str
    ) -> None:
        if (key, count) not in self._compiled:
            self._compiled[key, count] = frontend.compile(
                frontend.Kind.JAX,
                build(),
                [np.zeros(self._shape(name, count), np.float32) for name in names],
                {},
                names,
                [SECRET] * len(names),
                lambda _: [output],
            )[0]

    def _shape(self, name: str, count: int) -> tuple[int, ...]:
        return self._shapes[name] if name in self.weights else (count, *self._shapes[name])


def _share(parts: Sequence[bytes]) -> Any:
    share = libspu.Share()
    share.meta = parts[0]
    share.share_chunks = list(parts[1:])
    return share
