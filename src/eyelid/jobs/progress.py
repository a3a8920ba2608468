"""How long work reports how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Progress:
    """``done`` of ``total`` units of the work on ``path``; ``total`` is None while nobody knows."""

    path: Path
    done: int
    total: int | None
    unit: Literal["frames", "pages", "files", "attacks"]


ProgressListener: TypeAlias = "Callable[[Progress], None]"


def silent(_: Progress) -> None:
    """Listen to nothing."""
