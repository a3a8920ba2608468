"""What the parameters of every method have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from eyelid.types import Target

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.base import Obfuscator
    from eyelid.obfuscate.regions import Coverage


class Parameters(BaseModel, ABC):
    """The parameters of a method; ``sidecar`` is the suffix of the file it writes beside the output.

    ``targets`` is what it hides where nobody says; ``moving`` tells whether it takes videos. ``needs``: where
    none of these targets is found there is nothing for the method to do, and its name on the output would say
    more than is true; empty for a method whose output is a good copy all the same. ``brief``: targets that a
    film covers for less long before, between and after their detections.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    sidecar: ClassVar[str | None] = None
    moving: ClassVar[bool] = True
    targets: ClassVar[tuple[Target, ...]] = (Target.FACE, Target.PLATE)
    needs: ClassVar[frozenset[Target]] = frozenset()
    brief: ClassVar[frozenset[Target]] = frozenset()

    @abstractmethod
    def build(self, coverage: Coverage, sidecar: Path | None, /) -> Obfuscator:
        """Return the obfuscator; ``sidecar`` is where to write the file beside the output, if any."""
