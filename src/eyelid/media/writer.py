"""What every writer of media is to a job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from eyelid.types import SafeFrame


class Writer(ABC):
    """Takes safe frames; leaving its context without an exception finishes the file."""

    @property
    def changes(self) -> tuple[str, ...]:
        """What the file holds otherwise than the input, in sentences."""
        return ()

    @property
    def encoder(self) -> Mapping[str, str]:
        """The encoder, under ``encoder``, and its options by name; empty where the input decides them."""
        return {}

    @abstractmethod
    def write(self, frame: SafeFrame) -> None:
        """Take the next frame."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""

    @abstractmethod
    def abandon(self) -> None:
        """Let go of the file; what is written so far is of no use."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()
