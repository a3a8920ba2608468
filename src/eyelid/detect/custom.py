"""Detectors of the user's own: an ONNX file, or a callable that returns ``supervision.Detections``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from eyelid.detect.base import Detector, clip, origin_of
from eyelid.detect.onnx_detector import OnnxDetector, OnnxDetectorSpec
from eyelid.detect.supervision import from_supervision
from eyelid.errors import DetectionError, ModelError, UsageError
from eyelid.types import Bgr, Detections, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import supervision

    from eyelid.models.session import Device
    from eyelid.types import RawFrame


class SupervisionDetector(Detector):
    """Turns a callable from a picture to ``supervision.Detections`` into a detector.

    ``find`` gets uint8 (height, width, 3) in the order of ``channels``, at the frame's own size.
    ``targets`` is the target of all it finds, or of each class number; other classes are ignored.

    >>> def find(picture: Bgr) -> supervision.Detections:
    ...     return supervision.Detections.from_ultralytics(model(picture)[0])
    >>> detector = SupervisionDetector(find, {0: Target.PERSON})
    >>> eyelid.anonymize("street.mp4", detectors=[detector])  # doctest: +SKIP
    """

    name = "supervision"

    def __init__(
        self,
        find: Callable[[Bgr], supervision.Detections],
        targets: Target | Mapping[int, Target],
        *,
        channels: Literal["bgr", "rgb"] = "bgr",
    ) -> None:
        self.targets = frozenset((targets,) if isinstance(targets, Target) else targets.values())
        self._find = find
        self._by_class = targets
        self._channels = channels

    @property
    def origin(self) -> str:
        """The name of the callable, as on the command line."""
        return origin_of(self._find, self.targets)

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return what the callable finds; raises DetectionError where it fails or returns nonsense."""
        return [self._look(frame) for frame in frames]

    def _look(self, frame: RawFrame) -> Detections:
        picture = frame.bgr()
        if self._channels == "rgb":
            picture = np.ascontiguousarray(picture[..., ::-1])
        try:
            found = from_supervision(self._find(picture), self._by_class)
        except DetectionError:
            raise
        except Exception as error:  # the user's code may fail in any way
            raise DetectionError(
                f"your detector failed with {type(error).__name__}; cover the whole frame"
            ) from error
        boxes = clip(found.boxes, frame.width, frame.height)
        return Detections(boxes, found.scores, found.targets, found.tracks, found.polygons)


def load_detector(spec: str, *, device: Device, threads: int | None) -> Detector:
    """Load the detector that a command line names.

    ``spec`` is ``model.onnx:target``; or ``model.onnx`` with a model.eyelid.json beside it (see
    :class:`OnnxDetectorSpec`), which a target after a colon narrows down; or
    ``package.module:callable:target``, which imports that module, from the current folder too, and so runs
    its code. Raises UsageError where ``spec`` has another form, ModelError where what it names cannot be
    loaded.
    """
    if spec.endswith(".onnx"):
        return _from_onnx(Path(spec), None, device, threads)
    name, _, last = spec.rpartition(":")
    try:
        target = Target(last)
    except ValueError as error:
        raise UsageError(
            f"--detector {spec} must end in a target, one of {', '.join(Target)}: model.onnx:plate"
        ) from error
    if name.endswith(".onnx"):
        return _from_onnx(Path(name), target, device, threads)
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        raise UsageError(f"--detector {spec} is neither model.onnx:target nor package.module:callable:target")
    return SupervisionDetector(_callable(module, attribute), target)


def _from_onnx(path: Path, target: Target | None, device: Device, threads: int | None) -> OnnxDetector:
    if not path.is_file():
        raise ModelError(f"the model {path} does not exist; check its path")
    description = path.with_suffix(".eyelid.json")
    if description.exists():
        spec = OnnxDetectorSpec.read(description)
        if target is not None:
            spec = _narrowed(spec, target, description)
    elif target is not None:
        spec = OnnxDetectorSpec(target=target)
    else:
        raise UsageError(
            f"name the target after a colon, {path}:plate, or write {description.name} beside it"
        )
    return OnnxDetector(path, spec, device=device, threads=threads)


def _narrowed(spec: OnnxDetectorSpec, target: Target, description: Path) -> OnnxDetectorSpec:
    if target not in spec.targets:
        raise UsageError(f"{description} names {', '.join(sorted(spec.targets))}, not {target}")
    mine = {number: name for number, name in spec.classes.items() if name is target}
    return spec.model_copy(update={"classes": mine})


def _callable(module: str, attribute: str) -> Callable[[Bgr], supervision.Detections]:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # the user's module may fail in any way
        raise ModelError(
            f"the detector {module}:{attribute} cannot be imported ({type(error).__name__}); check its name"
        ) from error
    if not callable(found):
        raise ModelError(f"{module}:{attribute} is not callable; name a function that takes a picture")
    return found
