"""Builds the shipped detector of a target; the networks' libraries are imported only when one is built."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from eyelid.types import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.detect.base import Detector
    from eyelid.models.session import Device
    from eyelid.types import Quality

DETECTORS: Final[dict[Target, tuple[str, str]]] = {
    Target.FACE: ("eyelid.detect.faces", "FaceDetector"),
    Target.PLATE: ("eyelid.detect.plates", "PlateDetector"),
    Target.PERSON: ("eyelid.detect.objects", "PersonDetector"),
    Target.VEHICLE: ("eyelid.detect.objects", "VehicleDetector"),
    Target.SCREEN: ("eyelid.detect.objects", "ScreenDetector"),
    Target.TEXT: ("eyelid.detect.text", "TextDetector"),
}
"""The module and class that find each target; adding a detector is one line here."""


def build(target: Target, quality: Quality, *, device: Device, threads: int | None, moving: bool) -> Detector:
    """Return the detector of ``target``.

    ``moving`` is True for the frames of a video, where a tracker fills gaps and speed counts, and False for
    stills, where there is one chance. ``threads`` None means as many as there are cores. Raises
    :class:`~eyelid.errors.ModelError` where the weights or the device cannot be used.
    """
    module, name = DETECTORS[target]
    detector = getattr(import_module(module), name)
    return cast("Detector", detector(quality, device=device, threads=threads, moving=moving))


def build_all(
    targets: Sequence[Target], quality: Quality, *, device: Device, threads: int | None, moving: bool
) -> list[Detector]:
    """Return detectors for all ``targets``: one for each network, so that none runs twice on a frame.

    Parameters and exceptions as :func:`build`.
    """
    from eyelid.detect.objects import CLASSES, ObjectDetector

    objects = [target for target in targets if target in CLASSES]
    alone = [target for target in targets if target not in CLASSES]
    found = [build(target, quality, device=device, threads=threads, moving=moving) for target in alone]
    if objects:
        found.append(ObjectDetector(quality, device=device, threads=threads, moving=moving, targets=objects))
    return found
