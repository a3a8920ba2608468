"""What an artefact offers to clients, and what a server asks of it: the seam between compiler and service."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from eyelid.errors import InferenceError
from eyelid.infer.he.scheme import Demands

if TYPE_CHECKING:
    from collections.abc import Sequence

    import seal
    from numpy.typing import NDArray

    from eyelid.infer.he.evaluation_keys import EvaluationKeys

MAX_CIPHERTEXTS = 4096


class UncalibratedError(InferenceError):
    """Scores not to be relied on, for they outgrew those of calibration; ``rows`` says whose they are."""

    def __init__(self, rows: Sequence[int]) -> None:
        self.rows = tuple(rows)
        super().__init__(
            f"image {', '.join(str(row + 1) for row in self.rows)} of the request lies outside of what the "
            "network was calibrated for, and the scores are not to be relied on; compile with images like it"
        )


class Wire(BaseModel):
    """The form of ciphertexts on their way: how many, over how many primes, at which scale."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int = Field(ge=1, le=MAX_CIPHERTEXTS)
    primes: int = Field(ge=1, le=64)
    scale: float = Field(gt=1.0, le=2.0**120)


class Offer(BaseModel, ABC):
    """The public part of an artefact, all that a client needs; ``artefact`` is its SHA-256, hexadecimal.

    Every request has the form ``request``, whatever it holds; responses have the form ``response``. Clients
    round scores to multiples of ``rounding``, which is above the noise of decryption.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(max_length=200)
    artefact: str = Field(pattern=r"^[0-9a-f]{64}$")
    demands: Demands
    request: Wire
    response: Wire
    rounding: float = Field(gt=0.0, lt=2.0**64)

    @abstractmethod
    def pack(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], int]:
        """Return the slots to encrypt, (request.count, slots), and how many rows the answer will have."""

    @abstractmethod
    def unpack(self, slots: NDArray[np.complex128], rows: int) -> NDArray[np.float64]:
        """Return the scores, (rows, scores), of an answer's slots, (response.count, slots)."""

    def outgrown(
        self,
        slots: NDArray[np.complex128],  # noqa: ARG002 - of those that have a use for it
        scores: NDArray[np.float64],
    ) -> NDArray[np.bool_]:
        """Return which rows of scores, (rows,), cannot be right, by themselves or by the slots around."""
        return np.zeros(len(scores), np.bool_)


class Program(ABC):
    """Computes on ciphertexts with evaluation keys alone; safe to run from several threads."""

    @property
    @abstractmethod
    def offer(self) -> Offer:
        """What clients are told."""

    @abstractmethod
    def run(self, inputs: Sequence[seal.Ciphertext], keys: EvaluationKeys) -> list[seal.Ciphertext]:
        """Return as many ciphertexts as ``offer.response`` says, for as many as ``offer.request`` says."""
