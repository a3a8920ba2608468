"""A session of parties: one of them owns the model, another the images, and one alone receives the scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from eyelid.errors import InferenceError, UsageError
from eyelid.infer import pictures
from eyelid.infer.mpc import certificates, plan
from eyelid.infer.mpc.peers import ASSUMPTIONS, Peers
from eyelid.infer.mpc.process import PartyProcess
from eyelid.infer.mpc.statistics import Answer, Cost

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from eyelid.infer.network import Network

CONNECT_S = 60.0
SILENCE_S = 60.0


class Session:
    """One party of a session, from joining the others to the end; a context manager.

    ``party`` is this party's name or number in ``peers``, ``key`` the private key (PEM) of its certificate,
    ``network`` the model at its owner and None at all others. ``connect_s``: how long to wait for the others;
    ``silence_s``: after how long one that sends nothing is given up (a party whose process ends is noticed
    at once). ``profile``, at the data owner: run layer by layer, and say what each costs.

    Raises :class:`UsageError`, :class:`InputError` for what does not fit, and :class:`InferenceError` when a
    party is unreachable, shows a wrong certificate, or leaves: then nobody has a result.
    """

    def __init__(
        self,
        peers: Peers,
        party: str | int,
        *,
        key: Path,
        network: Network | None = None,
        protocol: str | None = None,
        profile: bool = False,
        connect_s: float = CONNECT_S,
        silence_s: float = SILENCE_S,
    ) -> None:
        self.peers, self.number = peers, peers.number(str(party))
        self.me = peers.party[self.number]
        self.protocol = peers.choose(protocol)
        self.assumption = ASSUMPTIONS[self.protocol]
        self.leads = self.me.name == peers.data_owner
        self.receives = self.me.name == peers.receiver
        owns = self.me.name == peers.model_owner
        if owns and network is None:
            raise UsageError(f"{self.me.name} owns the model; name it with --model.")
        if not owns and network is not None:
            raise UsageError(
                f"{self.me.name} must not have the model, which is {peers.model_owner}'s; leave it out."
            )
        if profile and not self.leads:
            raise UsageError(f"Only the data owner, {peers.data_owner}, can ask for a profile.")
        certificates.check(self.me.pem, key, self.me.name)
        architecture, self._weights = plan.split(network) if network else (None, [])
        self._order = {
            "do": "join",
            "rank": self.number,
            "addresses": [member.address for member in peers.party],
            "certificates": [member.pem for member in peers.party],
            "certificate": str(self.me.certificate.resolve()),
            "key": str(key.resolve()),
            "peers": peers.digest(self.protocol),
            "roles": {
                role: peers.number(getattr(peers, role)) for role in ("model_owner", "data_owner", "receiver")
            },
            "protocol": self.protocol.value,
            "plan": architecture,
            "profile": profile,
            "connect_s": connect_s,
            "silence_s": silence_s,
        }
        self._process: PartyProcess | None = None
        self._over = False
        self.input_shape: tuple[int, int, int] = (0, 0, 0)
        self._at_once = 1

    def __enter__(self) -> Self:
        """Join the others; returns when all are there, agree, and hold their shares of the weights."""
        self._process = PartyProcess(self.peers)
        try:
            self._process.tell(self._order, self._weights)
            ready, _ = self._process.hear()
        except BaseException:
            self._process.kill()
            raise
        channels, height, width = ready["plan"]["input_shape"]
        self.input_shape = (channels, height, width)
        self._at_once = int(ready["at_once"])
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the session: at the data owner for all parties in good order, after an error at once."""
        if self.leads and kind is None and not self._over:
            self._joined.tell({"do": "end"})
            self._joined.leave()
        self._joined.kill()

    def predict(self, images: NDArray[Any]) -> list[Answer]:
        """Compute on images (n, c, h, w) in [0, 1], which only this party has; one answer a part of them.

        Only the data owner can. Images out of range or shape are refused here, before anything is shared.
        """
        if not self.leads:
            raise UsageError(
                f"Only the data owner, {self.peers.data_owner}, brings images; this is {self.me.name}."
            )
        process = self._joined
        checked = pictures.check(images, self.input_shape)
        if not len(checked):
            raise UsageError("There is no image to compute on; name at least one.")
        found = []
        for start in range(0, len(checked), self._at_once):
            process.tell({"do": "predict"}, [checked[start : start + self._at_once]])
            found.append(_answer(*self._hear()))
        return found

    def serve(self) -> Iterator[Answer]:
        """Take part until the data owner ends the session; yields each answer (scores at the receiver)."""
        if self.leads:
            raise UsageError(f"{self.me.name} is the data owner and must bring images.")
        while True:
            event, arrays = self._hear()
            if event["event"] == "ended":
                return
            yield _answer(event, arrays)

    def _hear(self) -> tuple[dict[str, Any], list[NDArray[np.float32]]]:
        try:
            return self._joined.hear()
        except InferenceError:
            self._over = True
            raise

    @property
    def pid(self) -> int:
        """Return the number of this party's process."""
        return self._joined.pid

    @property
    def _joined(self) -> PartyProcess:
        if self._process is None:
            raise UsageError("The session has not been joined; use it in a 'with' block.")
        return self._process


def _answer(event: dict[str, Any], arrays: list[NDArray[np.float32]]) -> Answer:
    return Answer(arrays[0] if event["event"] == "result" else None, Cost.read(event))
