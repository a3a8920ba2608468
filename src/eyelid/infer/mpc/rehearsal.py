"""All parties on this machine, to see what a network costs and that it agrees: a rehearsal hides nothing."""

from __future__ import annotations

import socket
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyelid.errors import EyelidError
from eyelid.infer import pictures
from eyelid.infer.mpc import certificates
from eyelid.infer.mpc.peers import Member, Peers
from eyelid.infer.mpc.session import Session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.infer.mpc.statistics import Answer
    from eyelid.infer.network import Network

NAMES = ("model", "data", "helper")


def peers_here(folder: Path, parties: int, *, host: str = "127.0.0.1") -> Peers:
    """Make certificates, keys (``NAME.pem``, ``NAME.key``) and peers on free ports of this machine."""
    members = []
    with ExitStack() as kept:
        for name in NAMES[:parties]:
            certificates.make(name, folder / f"{name}.pem", folder / f"{name}.key")
            probe = kept.enter_context(socket.socket())
            probe.bind((host, 0))
            port = probe.getsockname()[1]
            members.append(Member(name=name, address=f"{host}:{port}", certificate=folder / f"{name}.pem"))
    return Peers(party=tuple(members), model_owner="model", data_owner="data", receiver="data")


def rehearse(
    network: Network,
    images: NDArray[Any],
    *,
    parties: int = 3,
    protocol: str | None = None,
    profile: bool = False,
    batch: int = 1,
) -> list[Answer]:
    """Compute on images (n, c, h, w) with all parties on this machine, ``batch`` at once.

    Returns the answers of the data owner. Raises what :class:`Session` raises; with several failures, that of
    the data owner.
    """
    with tempfile.TemporaryDirectory(prefix="eyelid-mpc-") as name:
        folder = Path(name)
        peers = peers_here(folder, parties)

        def take_part(who: str) -> None:
            own = network if who == peers.model_owner else None
            try:
                with Session(
                    peers, who, key=folder / f"{who}.key", network=own, protocol=protocol
                ) as session:
                    for _ in session.serve():
                        pass
            except EyelidError:
                pass  # the data owner's own error says it

        lead = Session(peers, "data", key=folder / "data.key", protocol=protocol, profile=profile)
        checked = pictures.check(images, network.input_shape)
        others = [threading.Thread(target=take_part, args=(who,)) for who in NAMES[:parties] if who != "data"]
        for other in others:
            other.start()
        try:
            with lead as session:
                starts = range(0, len(checked), batch)
                return [answer for at in starts for answer in session.predict(checked[at : at + batch])]
        finally:
            for other in others:
                other.join()


def scores(answers: list[Answer]) -> NDArray[np.float32]:
    """Return the scores of all answers together, float32 (n, classes)."""
    return np.concatenate([answer.scores for answer in answers if answer.scores is not None])
