"""The process of one party, in SPU's environment, and what it says when it fails, as sentences."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from eyelid.errors import InferenceError, UsageError
from eyelid.infer.mpc import setup
from eyelid.infer.mpc.party import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from eyelid.infer.mpc.peers import Peers

LOAD = """
import importlib.util, os, sys
if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
folder = sys.argv[1]
spec = importlib.util.spec_from_file_location(
    "party", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["party"] = importlib.util.module_from_spec(spec)
from party.main import main
main()
"""
"""Loads the folder ``party`` alone: eyelid itself is not, and need not be, in that environment.

Real-time priority is given back first, where it was inherited (SVT-AV1, run by root, takes it for whoever
encodes): threads of SPU that spin at it would keep those from the processor for which they wait.
"""

SENTENCES = {
    "port": "The address {address} of {party} is taken by another program; free it, or change peers.toml.",
    "address": "The address {address} of {party} is not one of this machine; is --id right?",
    "unreachable": "{party} ({address}) does not answer; start 'eyelid infer mpc party' there first.",
    "certificate": "{party} ({address}) shows another certificate than that in peers.toml; nothing was sent.",
    "refused": "A party refuses this party's certificate; give it the one that stands in this peers.toml.",
    "version": "{party} runs a version of eyelid that speaks another protocol; use the same version.",
    "peers": "{party} has another peers.toml or protocol; use the same file and certificates everywhere.",
    "silent": "{party} ({address}) is silent for too long; the session is over and there is no result.",
    "gone": "{party} ({address}) has left in the middle of the session; it is over and there is no result.",
    "malformed": "{party} sent a message that makes no sense; the session is over and there is no result.",
    "architecture": (
        "{party} sent an architecture that makes no sense: {detail}; the session is over, there is no result."
    ),
    "broken": "SPU stopped with an error ({detail}); the session is over and there is no result.",
}

WRONG_USE = {"port", "address"}
"""Failures that no other party can mend."""


LEAVE_S = 10.0
"""More than a party that ends the session takes to see the others leave."""


class PartyProcess:
    """One party's process; a context manager that ends it in any case."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        python = setup.interpreter()
        ours, theirs = socket.socketpair()
        kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 -- our own script in our own environment
                [str(python), "-I", "-c", LOAD, str(Path(frames.__file__).parent), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env=kept | {"JAX_PLATFORMS": "cpu"},
            )
        self._channel = ours

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    def tell(self, order: dict[str, Any], arrays: Sequence[NDArray[np.float32]] = ()) -> None:
        """Give the party an order; when it is gone, :meth:`hear` says why."""
        with suppress(OSError):
            frames.send(self._channel, order, arrays)

    def hear(self) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
        """Wait for what the party says.

        Raises :class:`InferenceError` when it failed or is gone, :class:`UsageError` where it cannot listen.
        """
        try:
            event, arrays = frames.receive(self._channel)
        except (EOFError, OSError, ValueError) as error:
            code = self._process.wait()
            how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
            raise InferenceError(
                f"This party's process ended {how}; the session is over and there is no result."
            ) from error
        if event["event"] == "failed":
            kind = UsageError if event["why"] in WRONG_USE else InferenceError
            raise kind(self._sentence(event))
        return event, arrays

    def leave(self) -> None:
        """Wait until the process has ended by itself, for a limited time."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(LEAVE_S)

    def kill(self) -> None:
        """End the process if it still runs, and wait for it."""
        self._channel.close()
        self._process.kill()
        self._process.wait()

    def _sentence(self, event: dict[str, Any]) -> str:
        number = event["party"]
        member = self._peers.party[number] if number is not None else None
        return SENTENCES[event["why"]].format(
            party=member.name if member else "Another party",
            address=member.address if member else "its address",
            detail=event.get("detail", ""),
        )
