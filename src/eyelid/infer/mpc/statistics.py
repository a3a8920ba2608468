"""What a computation cost one party: seconds, bytes on the wire, rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer: seconds of wall time, bytes sent and received (TCP payload with TLS), rounds of messages."""

    name: str
    kind: str
    seconds: float
    sent: int
    received: int
    rounds: int


@dataclass(frozen=True, slots=True)
class Cost:
    """One computation on ``count`` images, seen from one party; ``layers`` only where they ran one by one."""

    count: int
    seconds: float
    sent: int
    received: int
    layers: tuple[LayerCost, ...] = ()

    @classmethod
    def read(cls, event: dict[str, Any]) -> Cost:
        """Return what a party's process said of a computation."""
        return cls(
            count=event["count"],
            seconds=event["seconds"],
            sent=event["sent"],
            received=event["received"],
            layers=tuple(LayerCost(**layer) for layer in event["layers"]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Scores, float32 (n, classes), at the party that receives them and None at all others; and the cost."""

    scores: NDArray[np.float32] | None
    cost: Cost
