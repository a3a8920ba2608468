"""The life of one party: join the others, agree, share the weights, compute, and end for all or for none."""

from __future__ import annotations

import ctypes
import json
import os
import queue
import socket
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from . import architecture, counting, frames, link
from .link import Failure
from .machine import Machine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

VERSION = 1
KEEP_ALIVES = 3
"""An idle data owner says so this often in the time after which the others would give it up."""
LEAVE_S = 5.0
"""So long the data owner waits at most, at the end, for the others to hear of it and leave."""
GRACE_S = 2.0
"""So long after another has left may come what makes it plain: that the session is over."""
AGREE_S = 20.0
"""So long after another has left may a busy party take to find what is wrong with what all have said."""

LINGER_S = 1.0
"""So long a party that refuses stays, or the others would send again and again what it has taken already."""
OUTLAST_S = 20.0
"""So long SPU waits before it ends a process that could not confirm a message to one that has left."""


def _outlast(_: int | None) -> None:
    """Hold the thread of SPU that calls exit(): this party still says its result, or why there is none."""
    time.sleep(OUTLAST_S)


_OUTLAST = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_outlast)


def _hold_exits() -> None:
    """Have an exit wait before anything that SPU has set up by now is taken down."""
    ctypes.CDLL(None).__cxa_atexit(_OUTLAST, None, None)


class Party:
    """One party of one session, told by eyelid over ``channel`` what to do."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel, self._log = channel, counting.Log()
        self._sending, self._agreed, self._ending = threading.Lock(), threading.Event(), threading.Event()
        self._left = threading.Semaphore(0)
        self._missing: int | None = None
        self._orders: queue.SimpleQueue[tuple[dict[str, Any], list[NDArray[np.float32]]]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._listen, daemon=True).start()

    def live(self) -> NoReturn:
        """Join, compute until the data owner ends the session, and leave the process."""
        try:
            self._join()
            if self.rank == self.roles["data_owner"]:
                self._lead()
            else:
                self._follow()
        except Failure as failure:
            self._fail(failure.why, failure.party, failure.detail)
        except Exception as error:  # SPU raises RuntimeError of its own wording for all that goes wrong
            if self._missing is not None:
                self._fail("gone", self._missing)
            self._fail("broken", detail=type(error).__name__)
        self._say({"event": "ended"})
        os._exit(0)

    def _join(self) -> None:
        order, weights = self._orders.get()
        self.rank, self.roles, self.size = order["rank"], order["roles"], len(order["addresses"])
        self.others = [number for number in range(self.size) if number != self.rank]
        self.silence_s = order["silence_s"]
        self.link = link.join(order, self._log, lambda error: self._fail(error.why, error.party))
        _hold_exits()
        for other in self.others:
            link.watch(order["addresses"][other], partial(self._gone, other))
        try:
            plan, self.profile = self._agree(order)
        except Failure:
            time.sleep(LINGER_S)
            raise
        self._agreed.set()
        self.machine = Machine(self.link, order["protocol"], self.size, plan, self.profile)
        owner = self.roles["model_owner"]
        for number, name in enumerate(self.machine.weights):
            if self.rank == owner:
                self._share(name, weights[number], {"do": "weights"})
            else:
                self._keep(name, owner, self._hear(owner)[1])
        self.machine.prepare(1, self.profile)
        _hold_exits()
        self._say({"event": "ready", "plan": plan, "profile": self.profile, "at_once": self.at_once})

    def _agree(self, order: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Return the model owner's architecture and the data owner's wish; all must have the same peers."""
        mine = {
            "version": VERSION,
            "peers": order["peers"],
            "plan": order["plan"],
            "profile": order["profile"],
        }
        for other in self.others:  # until it has arrived: a party that then refuses leaves at once
            with suppress(RuntimeError):  # it has left before it said so: what it sent is heard below
                self.link.send(other, frames.pack([json.dumps(mine).encode()]))
        said = {other: self._hear(other)[0] for other in self.others} | {self.rank: mine}
        for other in self.others:
            if said[other].get("version") != VERSION:
                raise Failure("version", other)
            if said[other].get("peers") != order["peers"]:
                raise Failure("peers", other)
        plan = said[self.roles["model_owner"]].get("plan")
        try:
            self.at_once = architecture.check(plan)
        except ValueError as error:
            raise Failure("architecture", self.roles["model_owner"], str(error)) from None
        return plan, bool(said[self.roles["data_owner"]].get("profile"))

    def _lead(self) -> None:
        """The data owner: carry out eyelid's orders, and tell the others that it lives."""
        while True:
            try:
                order, arrays = self._orders.get(timeout=self.silence_s / KEEP_ALIVES)
            except queue.Empty:
                order, arrays = {"do": "wait"}, []
            if order["do"] == "predict":
                order = {"do": "predict", "count": len(arrays[0])}
                self._share(architecture.INPUT, arrays[0], order)
                self._compute(len(arrays[0]))
                continue
            if order["do"] == "end":
                return self._end(order)
            for other in self.others:
                self._tell(other, order)

    def _follow(self) -> None:
        """Any other party: do what the data owner says."""
        owner = self.roles["data_owner"]
        while True:
            order, share = self._hear(owner)
            match order:
                case {"do": "end"}:
                    return self._ending.set()
                case {"do": "predict", "count": int(count)} if 0 < count <= self.at_once:
                    self._keep(architecture.INPUT, owner, share)
                    self._compute(count)
                case {"do": "wait"}:
                    continue
                case _:
                    raise Failure("malformed", owner)

    def _keep(self, name: str, owner: int, share: list[bytes]) -> None:
        """Keep a share that another sent."""
        try:
            self.machine.put(name, share)
        except (RuntimeError, IndexError):
            raise Failure("malformed", owner) from None

    def _compute(self, count: int) -> None:
        self.machine.prepare(count, self.profile)
        before, start, layers = counting.bytes_on_the_wire(), time.perf_counter(), []
        if self.profile:
            layers = self.machine.run_layers(count, self._log)
        else:
            self.machine.run(count)
        seconds, after = time.perf_counter() - start, counting.bytes_on_the_wire()
        own, receiver = self.machine.take(self.machine.output), self.roles["receiver"]
        done = {
            "count": count,
            "seconds": seconds,
            "sent": after[0] - before[0],
            "received": after[1] - before[1],
            "layers": layers,
        }
        if self.rank != receiver:  # until it has arrived: the session may end before anything else is sent
            self.link.send(receiver, frames.pack([json.dumps({"do": "result"}).encode(), *own]))
            return self._say({"event": "computed"} | done)
        shares = {other: self._hear(other)[1] for other in self.others} | {self.rank: own}
        scores = self.machine.join([shares[number] for number in range(self.size)])
        return self._say({"event": "result"} | done, [scores])

    def _share(self, name: str, values: NDArray[np.float32], order: dict[str, Any]) -> None:
        """Split an array, keep this party's share, and send each other party its own alone."""
        shares = self.machine.split(values)
        for other in self.others:
            self._tell(other, order, shares[other])
        self.machine.put(name, shares[self.rank])

    def _tell(self, other: int, order: dict[str, Any], share: list[bytes] | None = None) -> None:
        self.link.send_async(other, frames.pack([json.dumps(order).encode(), *(share or [])]))

    def _hear(self, other: int) -> tuple[dict[str, Any], list[bytes]]:
        try:
            message = self.link.recv(other)
        except RuntimeError:
            raise Failure("silent", other) from None
        try:
            parts = frames.unpack(message)
            order = json.loads(parts[0])
        except (ValueError, IndexError, RecursionError):
            raise Failure("malformed", other) from None
        if not isinstance(order, dict):
            raise Failure("malformed", other)
        return order, parts[1:]

    def _end(self, order: dict[str, Any]) -> None:
        """Tell the others, and stay until they are gone: SPU's own end waits for them without a limit."""
        self._ending.set()
        for other in self.others:
            self._tell(other, order)
        ends = time.monotonic() + LEAVE_S
        for _ in self.others:
            self._left.acquire(timeout=max(0.0, ends - time.monotonic()))

    def _gone(self, other: int) -> None:
        """A party's process ended: in the middle of a session so does this one."""
        self._left.release()
        self._missing = other
        self._agreed.wait(AGREE_S)  # it may have left for a reason that this party is about to find, too
        owner = self.roles["data_owner"]
        if not self._ending.wait(0 if owner in (self.rank, other) else GRACE_S):
            self._fail("gone", other)

    def _listen(self) -> None:
        """Take eyelid's orders; when eyelid itself is gone, so is this process."""
        try:
            while True:
                self._orders.put(frames.receive(self._channel))
        except (EOFError, OSError, ValueError):
            os._exit(1)

    def _say(self, event: dict[str, Any], arrays: list[NDArray[np.float32]] | None = None) -> None:
        with self._sending:
            frames.send(self._channel, event, arrays or [])

    def _fail(self, why: str, party: int | None = None, detail: str = "") -> NoReturn:
        self._say({"event": "failed", "why": why, "party": party, "detail": detail})
        os._exit(1)


def main() -> NoReturn:
    """Run a party over the inherited socket whose number is the last argument."""
    Party(socket.socket(fileno=int(sys.argv[-1]))).live()
