"""What every attack is: it says what the attacker wants, knows and can do, and how far that got."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar, Generic, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

TargetT = TypeVar("TargetT", contravariant=True)

Listener: TypeAlias = Callable[[int, int], None]
"""Is told how many steps of an attack are done, of how many."""


def silent(_done: int, _of: int) -> None:
    """Listen to nothing."""


class Knowledge(StrEnum):
    """What the attacker knows of the obfuscation, weakest first (Tekli et al., MTAP 2023, threat levels)."""

    NAIVE = "naive"
    METHOD = "knows the method"
    RETRAINED = "retrained"


class Threat(BaseModel):
    """An attacker: what it wants to do, what it knows, and what it has, as words to go into a sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    goal: str
    knowledge: Knowledge
    capability: str


class AttackResult(BaseModel):
    """How far one attack got: ``success`` in the unit of ``measure``, beside what no knowledge at all gives.

    Rates and AUC are in 0..1, PSNR in dB (cap an exact restoration: all numbers are finite). ``interval`` is
    the 95 % interval of ``success``, ``n`` the number of probes behind it. Larger is better for the attacker.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    attack: str
    threat: Threat
    measure: str
    success: FiniteFloat
    chance: FiniteFloat
    interval: tuple[FiniteFloat, FiniteFloat]
    n: int = Field(ge=1)
    note: str = ""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.interval[0] > self.interval[1]:
            raise ValueError(f"the interval {self.interval} is upside down")
        return self

    @property
    def beats_chance(self) -> bool:
        """Whether the whole interval lies above chance."""
        return self.interval[0] > self.chance


class Attack(ABC, Generic[TargetT]):
    """One attack against one kind of target: a subclass is a file of its own."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def threat(self) -> Threat:
        """The attacker: goal, knowledge, capability."""

    @abstractmethod
    def run(self, target: TargetT) -> AttackResult:
        """Attack ``target`` and measure the success."""
