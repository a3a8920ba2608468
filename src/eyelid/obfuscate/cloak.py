"""Cloak: faces stay visible, and some face recognisers see somebody else in them. It hides nobody.

The weakest method here by far: it moves what the recognisers that it names compute, no human notices it, and
a recogniser that learns from cloaked pictures need not be moved at all (Radiya-Dixit et al., "Data poisoning
won't save you from facial recognition", ICLR 2022). It is here to be measured, and for those who must stay
recognisable.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Final, Literal

import numpy as np
from pydantic import Field

from eyelid.errors import UnsupportedError
from eyelid.obfuscate.base import NOT_COVERED, Obfuscator, blacken
from eyelid.obfuscate.method import Parameters
from eyelid.obfuscate.regions import Region, is_finite, regions
from eyelid.types import _SEAL, Detections, Guarantee, GuaranteeKind, Plane, RawFrame, SafeFrame, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.obfuscate.cloak_search import Embedder
    from eyelid.obfuscate.regions import Coverage, Patch
    from eyelid.types import Bgr

FOOLED: Final = ("faceres", "dlibface")
"""The embedders that the search runs against; all others are strangers to the cloak."""

ALIGNED: Final = frozenset({"dlibface"})
"""Those that look at an upright square about the face, not at its box."""

_BRIGHTNESS: Final = {("L",), ("L", "A"), ("R", "G", "B"), ("R", "G", "B", "A"), ("L", "Cb", "Cr")}
"""The planes of pictures whose brightness is changed by adding to L, or the same to R, G and B."""


class Cloak(Parameters):
    """Change the brightness of faces by at most ``levels`` of 255, found in ``steps`` steps."""

    moving: ClassVar[bool] = False
    needs: ClassVar[frozenset[Target]] = frozenset((Target.FACE,))

    name: Literal["cloak"] = "cloak"
    levels: int = Field(default=8, ge=1, le=32)
    steps: int = Field(default=40, ge=1, le=1000)

    def build(self, coverage: Coverage, _sidecar: Path | None = None, /) -> CloakObfuscator:
        """Return the obfuscator; it writes no sidecar."""
        return CloakObfuscator(self, coverage)


class CloakObfuscator(Obfuscator):
    """Cloaks the faces of photos; what else was detected, and a frame in doubt, become black.

    The start of the search is random, from the operating system: two runs differ. ``against`` are the
    embedders to fool, by the names of their cards.
    """

    def __init__(
        self, parameters: Cloak, coverage: Coverage | None = None, against: Sequence[str] = FOOLED
    ) -> None:
        super().__init__(coverage)
        self.parameters = parameters
        self._against = tuple(against)

    @property
    def models(self) -> tuple[str, ...]:
        """The embedders that the search runs against."""
        return self._against

    @property
    def guarantee(self) -> Guarantee:
        """None: who is in the picture stays visible."""
        return Guarantee(
            kind=GuaranteeKind.NONE,
            statement=(
                "No guarantee: every face stays visible and people recognise it. Its brightness was changed "
                f"by at most {self.parameters.levels} of 255 levels so that the recognisers "
                f"{' and '.join(self._against)} may take it for another; others may not be fooled. "
                "Everything else that was detected is black."
            ),
            assumption="Whoever searches uses one of these recognisers, untrained on cloaked pictures.",
            not_covered=(
                "THE FACES THEMSELVES: they stay visible to everyone who looks",
                "other face recognisers, and any that learns from cloaked pictures",
                *NOT_COVERED,
            ),
        )

    def apply(self, frame: RawFrame, detections: Detections) -> SafeFrame:
        """Cloak the faces and blacken all other detections, in place.

        Raises UnsupportedError for moving pictures, whose frames together show the faces as they were, and
        for colours other than grey, RGB and YCbCr.
        """
        if frame.time is not None:
            raise UnsupportedError(
                "a cloak is for photos, since the frames of a moving picture undo it together; "
                "choose --method solid"
            )
        if tuple(plane.name for plane in frame.planes) not in _BRIGHTNESS:
            raise UnsupportedError("a cloak needs a grey or RGB picture, not CMYK; convert it to RGB first")
        if not is_finite(detections):
            return self.cover_frame(frame)
        faces = np.array([target is Target.FACE for target in detections.targets], np.bool_)
        if faces.any():
            change = self._search(frame, detections.select(faces))
            for plane in frame.planes:
                if plane.name in ("L", "R", "G", "B"):
                    _add(plane, change)
        others = detections.select(~faces)
        self._cover(frame, regions(others, self.coverage, frame.width, frame.height))
        return SafeFrame(frame, _SEAL)

    def _paint(self, plane: Plane, patches: Sequence[Patch]) -> None:
        blacken(plane, patches)

    def _search(self, frame: RawFrame, faces: Detections) -> NDArray[np.int32]:
        """Return the change of brightness of every pixel, (height, width), in levels of 255."""
        picture = frame.bgr()
        total = np.zeros((frame.height, frame.width), np.float32)
        for i in range(len(faces)):
            face = faces.select(np.array([i]))
            for region in regions(face, self.coverage, frame.width, frame.height):
                total[region.y0 : region.y1, region.x0 : region.x1] += self._change(picture, region, face)
        levels = self.parameters.levels  # where faces overlap, the bound holds for their sum
        return np.asarray(np.rint(total.clip(-levels, levels)), np.int32)

    def _change(self, picture: Bgr, region: Region, face: Detections) -> NDArray[np.float32]:
        from eyelid.models.torch_network import one_thread
        from eyelid.obfuscate.cloak_search import search

        shape = region.y1 - region.y0, region.x1 - region.x0
        corners = face.boxes[0] - np.array([region.x0, region.y0] * 2)
        x0, x1 = sorted((float(corners[0]), float(corners[2])))
        y0, y1 = sorted((float(corners[1]), float(corners[3])))
        embedders = self._embedders  # first of all it says whether PyTorch is there
        with one_thread():
            return search(
                picture[region.y0 : region.y1, region.x0 : region.x1],
                np.ones(shape, np.bool_) if region.mask is None else region.mask,
                (x0, y0, x1, y1),
                embedders,
                levels=self.parameters.levels,
                steps=self.parameters.steps,
                random=np.random.default_rng(),  # from the operating system
            )

    @cached_property
    def _embedders(self) -> tuple[Embedder, ...]:
        from eyelid.models.torch_network import TorchNetwork
        from eyelid.obfuscate.cloak_search import Embedder

        networks = [TorchNetwork(name) for name in self._against]
        return tuple(
            Embedder(network, network.card.input.width or 0, square=network.card.name in ALIGNED)
            for network in networks
        )


def _add(plane: Plane, change: NDArray[np.int32]) -> None:
    scale = (plane.peak + 1) // 256
    samples = plane.samples.astype(np.int64) + change * scale
    plane.samples[...] = samples.clip(0, plane.peak).astype(plane.samples.dtype)
