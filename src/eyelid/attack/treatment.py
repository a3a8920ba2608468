"""What the attacker sees: a picture after one release of a method.

Two kinds, which share no name:

- ``pixelate:16``, ``blur:25``, ``p3:10``, ...: the method *as published*, with the parameters of the papers,
  on the whole picture. The formal ones (``dp-pixelate``, ...) run through eyelid's own obfuscators.
- ``eyelid:pixelate``, ``eyelid:blur:4,levels=16``, ...: what *eyelid ships*. Behind ``eyelid:`` stands what
  ``eyelid anonymize --method`` takes, and its obfuscator covers the whole picture.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, get_args

import cv2
import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from eyelid.attack.p3_public import public_picture
from eyelid.attack.threads import one_thread
from eyelid.errors import UsageError
from eyelid.obfuscate.p3 import MAX_THRESHOLD, MIN_THRESHOLD
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import build
from eyelid.obfuscate.registry import parse as parse_shipped
from eyelid.types import Detections, Plane, RawFrame, Shape, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelid.attack.dataset import Picture, Pictures
    from eyelid.obfuscate.registry import Method

SHIPPED: Final = "eyelid"
_WHOLE: Final = Coverage(shape=Shape.BOX, margin=0.0)


class Origin(StrEnum):
    """Whose definition of a method is attacked."""

    PUBLISHED = "as published"
    SHIPPED = "as eyelid ships it"


@dataclass(frozen=True, slots=True, eq=False)
class Treatment:
    """A method by ``name``; ``release`` treats one grey picture.

    ``noiseless`` is the same method without its noise, which an attacker who has clear pictures of a person
    can compute; None where a method draws no noise, so that each release of a picture is the same.
    """

    name: str
    origin: Origin
    release: Callable[[Picture], Picture]
    noiseless: Callable[[Picture], Picture] | None = None

    @one_thread()
    def treat(self, pictures: Pictures, draws: int = 1) -> Pictures:
        """Return independent releases of each picture: uint8 (n, draws, height, width).

        A method without noise is released once, whatever ``draws``.
        """
        times = 1 if self.noiseless is None else draws
        return np.stack([np.stack([self.release(p) for _ in range(times)]) for p in pictures])

    @one_thread()
    def ideal(self, pictures: Pictures) -> Pictures:
        """Return each picture without the noise of the method: uint8 (n, height, width)."""
        return np.stack([(self.noiseless or self.release)(p) for p in pictures])


class _Published(BaseModel, ABC):
    """A method of the literature; its first parameter needs no name on the command line."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @abstractmethod
    def release(self, picture: Picture) -> Picture:
        """Treat one whole picture."""


class Clear(_Published):
    """Nothing is hidden: what the attacker can do at best."""

    name: Literal["clear"] = "clear"

    def release(self, picture: Picture) -> Picture:
        """Return the picture."""
        return picture


class Blackened(_Published):
    """The whole picture is black."""

    name: Literal["solid"] = "solid"

    def release(self, picture: Picture) -> Picture:
        """Return black."""
        return np.zeros_like(picture)


class Mosaic(_Published):
    """The classical mosaic: squares of ``cell`` pixels in their mean, 256 tones (McPherson et al., 2016)."""

    name: Literal["pixelate"] = "pixelate"
    cell: int = Field(default=16, ge=1, le=1024)

    def release(self, picture: Picture) -> Picture:
        """Return the mosaic; cells at the right and the lower edge may be smaller."""
        rows, columns = (np.arange(0, side, self.cell) for side in picture.shape)
        sums = np.add.reduceat(np.add.reduceat(picture.astype(np.float64), rows, 0), columns, 1)
        down, across = (
            np.diff(np.append(edges, side))
            for edges, side in zip((rows, columns), picture.shape, strict=True)
        )
        means = np.rint(sums / np.outer(down, across)).astype(np.uint8)
        return np.asarray(means.repeat(down, 0).repeat(across, 1))


class GaussianBlur(_Published):
    """A Gaussian filter of ``kernel`` pixels, as OpenCV derives sigma from it (Hao et al., 2019)."""

    name: Literal["blur"] = "blur"
    kernel: int = Field(default=25, ge=1, le=1023, validation_alias=AliasChoices("kernel", "k"))

    def release(self, picture: Picture) -> Picture:
        """Return the picture after the filter; an even kernel is made odd."""
        side = self.kernel | 1
        return np.asarray(cv2.GaussianBlur(picture, (side, side), 0), np.uint8)


class PublicPart(_Published):
    """The public part of P3, as a viewer shows it (Ra et al., NSDI 2013); McPherson et al. attack it."""

    name: Literal["p3"] = "p3"
    threshold: int = Field(
        default=10, ge=MIN_THRESHOLD, le=MAX_THRESHOLD, validation_alias=AliasChoices("threshold", "T", "t")
    )

    def release(self, picture: Picture) -> Picture:
        """Return the luma around middle grey."""
        return public_picture(picture, self.threshold)


_Classical: TypeAlias = Annotated[
    Clear | Blackened | Mosaic | GaussianBlur | PublicPart, Field(discriminator="name")
]
_CLASSICAL: Final = {c.model_fields["name"].default: c for c in get_args(get_args(_Classical)[0])}

_FORMAL: Final = ("dp-pixelate", "dp-blur", "metric", "svd")
"""Published methods that eyelid's obfuscators carry out; their defaults are the papers' parameters."""

_LETTERS: Final = {"m": "pixels", "b": "cell"}
_NEXT_TO_NOISELESS: Final = 1e6


def parse_list(text: str) -> list[Treatment]:
    """Read methods with commas: ``pixelate:8,dp-pixelate:eps=.1,m=16,eyelid:blur:4,levels=16``.

    A part ``name=value`` without a method before it belongs to the method to its left. Raises UsageError.
    """
    whole: list[str] = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        if whole and "=" in part.partition(":")[0]:
            whole[-1] += f",{part}" if ":" in whole[-1].removeprefix(f"{SHIPPED}:") else f":{part}"
        else:
            whole.append(part)
    if not whole:
        raise UsageError("no method is named; give for example --methods pixelate:16,p3:10")
    return [parse(name) for name in dict.fromkeys(whole)]


def parse(text: str) -> Treatment:
    """Read one method: ``clear``, ``pixelate:16``, ``dp-pixelate:eps=.1``, ``eyelid:pixelate``.

    Raises UsageError for a method or a parameter that does not exist, and for one that cannot be attacked so.
    """
    if text.startswith(f"{SHIPPED}:"):
        return _of_method(text, Origin.SHIPPED, parse_shipped(text.removeprefix(f"{SHIPPED}:")))
    name, _, rest = text.partition(":")
    if name in _CLASSICAL:
        method = _classical(text, name, rest)
        return Treatment(text, Origin.PUBLISHED, method.release)
    if name in _FORMAL:
        letters = _LETTERS | ({"k": "rank"} if name == "svd" else {})
        parts = [part.partition("=") for part in filter(None, rest.split(","))]
        spelled = ",".join(letters.get(key, key) + equals + value for key, equals, value in parts)
        return _of_method(text, Origin.PUBLISHED, parse_shipped(f"{name}:{spelled}"))
    known = ", ".join([*_CLASSICAL, *_FORMAL])
    raise UsageError(
        f"there is no published method {name!r}; choose one of {known}, "
        f"or put '{SHIPPED}:' before a method of 'eyelid anonymize'"
    )


def _classical(text: str, name: str, rest: str) -> _Published:
    model = _CLASSICAL[name]
    values: dict[str, Any] = {"name": name}
    first = next((field for field in model.model_fields if field != "name"), None)
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals and (first is None or first in values):
            raise UsageError(f"the method {name} cannot take {part!r}; leave it out")
        values[key if equals else str(first)] = value if equals else part
    try:
        method: _Published = TypeAdapter[_Published](_Classical).validate_python(values)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = problem["loc"][-1]
        raise UsageError(
            f"the method {name} cannot use {where} in {text!r}: {problem['msg'].lower()}; correct it"
        ) from None
    return method


def _of_method(text: str, origin: Origin, method: Method) -> Treatment:
    if method.sidecar is not None:
        raise UsageError(f"{text} writes a second file, which this attack cannot weigh; attack solid instead")
    noiseless = None
    if "epsilon" in type(method).model_fields:
        noiseless = _release_by(method.model_copy(update={"epsilon": _NEXT_TO_NOISELESS}))
    return Treatment(text, origin, _release_by(method), noiseless)


def _release_by(method: Method) -> Callable[[Picture], Picture]:
    """Return what covers the whole of a picture by a fresh obfuscator, as another file would have it."""

    def release(picture: Picture) -> Picture:
        height, width = picture.shape
        samples = picture.copy()
        plane = Plane("L", samples, black=0)
        frame = RawFrame(width, height, (plane,), lambda w, h: _drawn(samples, w, h))
        box = np.array([[0, 0, width, height]], np.float32)
        everything = Detections(box, np.ones(1, np.float32), (Target.FACE,))
        build(method, _WHOLE).apply(frame, everything)
        return samples

    return release


def _drawn(samples: Picture, width: int, height: int) -> Picture:
    return np.asarray(cv2.cvtColor(cv2.resize(samples, (width, height)), cv2.COLOR_GRAY2BGR), np.uint8)
