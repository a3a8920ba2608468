"""Multi-party computation: two or three parties compute on shares that tell none of them the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyelid.infer.mpc.peers import Peers
    from eyelid.infer.mpc.session import Session

__all__ = ["Peers", "Session"]


def __getattr__(name: str) -> object:
    if name == "Session":
        from eyelid.infer.mpc.session import Session

        return Session
    if name == "Peers":
        from eyelid.infer.mpc.peers import Peers

        return Peers
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
