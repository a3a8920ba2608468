"""Model cards: what ships, where it comes from, what it was trained on, and what was measured with it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from eyelid.errors import ModelError
from eyelid.types import Target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.types import Bgr

WEIGHTS: Final = Path(__file__).parent / "weights"
"""The folder of the shipped networks: for each a NAME.onnx and its card NAME.json."""

Triple = tuple[float, float, float]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InputConvention(BaseModel):
    """How pictures become the input of a network.

    A pixel value v of a channel becomes ``(v - mean) / scale``; ``mean`` and ``scale`` are in the order of
    ``channels``. Height and width must be multiples of ``multiple`` pixels; where ``width`` and ``height``
    are given, the network takes that size alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Literal["nchw", "nhwc"]
    channels: Literal["bgr", "rgb"]
    mean: Triple
    scale: Annotated[Triple, Field(description="divisors, not factors")]
    multiple: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1)] | None = None
    height: Annotated[int, Field(ge=1)] | None = None

    def prepare(self, pictures: Bgr) -> NDArray[np.float32]:
        """Return the network's input for uint8 BGR pictures of shape (n, height, width, 3)."""
        ordered = pictures[..., ::-1] if self.channels == "rgb" else pictures
        n, height, width, _ = pictures.shape
        planar = self.layout == "nchw"
        values = np.empty((n, 3, height, width) if planar else pictures.shape, np.float32)
        for i, (mean, scale) in enumerate(zip(self.mean, self.scale, strict=True)):
            channel = values[:, i] if planar else values[..., i]
            np.subtract(ordered[..., i], np.float32(mean), out=channel)
            if scale != 1:
                channel /= np.float32(scale)
        return values


class Measurement(BaseModel):
    """One figure: what was measured, its value, on which data, and the command that prints it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Annotated[str, Field(min_length=1)]
    value: float
    unit: str = ""
    data: Annotated[str, Field(min_length=1)]
    command: Annotated[str, Field(min_length=1)]


class ModelCard(BaseModel):
    """What is known of one shipped network; read from its JSON file beside the weights.

    ``bf16`` says whether automatic precision may pick bfloat16; ``outputs`` describes each output in order.
    Where a network takes no pictures, ``after`` names the one whose output it takes; ``input`` is that one's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    file: Annotated[str, Field(pattern=r"^[a-z0-9_]+\.onnx$")]
    task: str
    targets: tuple[Target, ...]
    source: str
    source_version: str
    licence: str
    training_data: str
    recipe: str
    input: InputConvention
    after: str | None = None
    outputs: tuple[str, ...]
    bf16: bool
    sha256: Sha256
    measured: tuple[Measurement, ...] = ()

    @property
    def path(self) -> Path:
        """The file of the weights."""
        return WEIGHTS / self.file

    def weights(self) -> bytes:
        """Return the weights after comparing them with ``sha256``; raises ModelError where they differ."""
        try:
            data = self.path.read_bytes()
        except OSError as error:
            raise ModelError(
                f"the weights {self.file} cannot be read ({error.strerror}); reinstall eyelid"
            ) from error
        if hashlib.sha256(data).hexdigest() != self.sha256:
            raise ModelError(
                f"the weights {self.file} are not the ones that their card names; reinstall eyelid"
            )
        return data


@cache
def card(name: str) -> ModelCard:
    """Return the card of the shipped network ``name``; raises ModelError where there is none."""
    path = WEIGHTS / f"{name}.json"
    if name not in names():
        raise ModelError(f"there is no network named {name!r}; choose one of {', '.join(names())}")
    try:
        found = ModelCard.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise ModelError(f"the model card {path.name} is damaged; reinstall eyelid") from error
    if found.name != name:
        raise ModelError(f"the model card {path.name} describes {found.name!r}; reinstall eyelid")
    return found


def names() -> tuple[str, ...]:
    """Return the names of the shipped networks, sorted."""
    return tuple(sorted(path.stem for path in WEIGHTS.glob("*.json")))


def cards() -> tuple[ModelCard, ...]:
    """Return the cards of all shipped networks, sorted by name."""
    return tuple(card(name) for name in names())
