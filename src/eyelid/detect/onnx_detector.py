"""A detector of the user's own, as an ONNX file in one of the common export layouts."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from eyelid.detect.base import Boxes, Detector, Scores, clip, detections, merge, require_finite
from eyelid.detect.letterbox import Letterbox
from eyelid.errors import DetectionError, EyelidError, ModelError
from eyelid.models.cards import InputConvention
from eyelid.models.session import Precision, Session
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.models.session import Device
    from eyelid.types import RawFrame

COCO_CLASSES: Final = 80
MOST_FINAL_BOXES: Final = 1000
"""An end-to-end export returns fewer boxes than this; one that has not removed duplicates returns more."""


LARGEST_FRACTION: Final = 2.0
"""No box of a few pixels is meant where all coordinates are smaller."""


class Layout(StrEnum):
    """What the output of a network means; N candidates, C classes.

    ``columns`` (1, 4 + C, N) and ``rows`` (1, N, 4 + C): centre x, centre y, width, height, class scores.
    ``rows-objectness`` (1, N, 5 + C): the same with an objectness before the classes, which scales them.
    ``end-to-end`` (1, N, 6): x0, y0, x1, y1, score, class; duplicates already removed.
    """

    COLUMNS = "columns"
    ROWS = "rows"
    ROWS_OBJECTNESS = "rows-objectness"
    END_TO_END = "end-to-end"


class OnnxDetectorSpec(BaseModel):
    """What eyelid must know of a user's network; read from MODEL.eyelid.json beside MODEL.onnx.

    The network takes one float32 input (1, 3, height, width), letterboxed. Either ``target`` (every class is
    this target) or ``classes`` (class number to target; other classes are ignored) is given. ``layout`` None
    means by the shape of the output. ``coordinates``: pixels of the network's input, or fractions of it.
    ``peak``: the value of white in the input. ``side``: the input's side where the network takes any.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Target | None = None
    classes: dict[Annotated[int, Field(ge=0)], Target] = {}
    score: Annotated[float, Field(gt=0, le=1)] = 0.25
    iou: Annotated[float, Field(gt=0, le=1)] = 0.5
    layout: Layout | None = None
    coordinates: Literal["pixels", "fractions"] = "pixels"
    channels: Literal["rgb", "bgr"] = "rgb"
    peak: Annotated[float, Field(gt=0)] = 1.0
    side: Annotated[int, Field(ge=32)] = 640

    @model_validator(mode="after")
    def _names_targets(self) -> Self:
        if (self.target is None) == (not self.classes):
            raise ValueError("give either target or classes")
        return self

    @classmethod
    def read(cls, path: Path) -> OnnxDetectorSpec:
        """Read a specification from JSON; raises ModelError where it cannot be read or understood."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise ModelError(f"{path} is not a detector's description: {place} {first['msg']}") from error

    @property
    def targets(self) -> frozenset[Target]:
        """Every target that the network can find."""
        return frozenset(self.classes.values() if self.target is None else (self.target,))


class OnnxDetector(Detector):
    """Runs a user's network, one letterboxed look at each frame.

    Raises :class:`~eyelid.errors.ModelError` when it is made, where the network cannot be loaded or one trial
    run shows that its output is not understood.
    """

    name = "onnx"

    def __init__(self, path: Path, spec: OnnxDetectorSpec, *, device: Device, threads: int | None) -> None:
        self.targets = spec.targets
        self.start_score = spec.score
        self._spec = spec
        self._file = path.name
        peak = 255 / spec.peak
        convention = InputConvention(
            layout="nchw", channels=spec.channels, mean=(0, 0, 0), scale=(peak, peak, peak)
        )
        self._session = Session(
            path, device=device, precision=Precision.F32, threads=threads, steady=True, convention=convention
        )
        shape = self._session.shape
        if len(shape) != 4 or shape[0] not in (1, None) or shape[1] != 3:
            raise ModelError(f"{path} must take one input (1, 3, height, width), but takes {shape}")
        self._height, self._width = shape[2] or spec.side, shape[3] or spec.side
        try:
            output = self._run(np.full((1, self._height, self._width, 3), 114, np.uint8))
        except EyelidError as error:
            raise ModelError(f"{path} fails on a grey picture; check the file") from error
        self._layout = spec.layout or guess(output.shape, path)
        if not fits(self._layout, output.shape):
            raise ModelError(f"the output {output.shape} of {path} does not have the layout {self._layout}")
        count = read(self._layout, output[0])[1].shape[1]
        if self._layout is not Layout.END_TO_END and max(spec.classes, default=0) >= count:
            raise ModelError(f"{path} has {count} classes, numbered from 0; correct the numbers in its JSON")

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        """Return the user's targets; raises DetectionError where the output makes no sense."""
        return [self._find(frame) for frame in frames]

    def _run(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        outputs = self._session.run(pictures)
        if len(outputs) != 1:
            raise ModelError(f"{self._file} has {len(outputs)} outputs; export it with one")
        return outputs[0]

    def _find(self, frame: RawFrame) -> Detections:
        box = Letterbox.of(frame.width, frame.height, self._width, self._height)
        output = self._run(box.draw(frame)[None])
        require_finite([output], self._file)
        if not fits(self._layout, output.shape):
            raise DetectionError(f"{self._file} changed the shape of its output; cover the whole frame")
        boxes, confidences = read(self._layout, output[0])
        if confidences.size and (confidences.min() < -1e-3 or confidences.max() > 1 + 1e-3):
            raise DetectionError(f"the scores of {self._file} are not in 0..1; export it with its sigmoid")
        found = []
        for target in sorted(self.targets):
            scores = self._scores(target, output[0], confidences)
            seen = scores >= self._spec.score
            inside = clip(box.undo(self._pixels(boxes[seen])), frame.width, frame.height)
            found.append(detections(*merge(inside, scores[seen], self._spec.iou), target))
        return Detections.concatenate(found)

    def _scores(self, target: Target, output: NDArray[np.float32], confidences: Scores) -> Scores:
        """Return for each candidate its score (n,) as ``target``: the best among the classes behind it."""
        if self._spec.target is not None:
            every: Scores = confidences.max(axis=1)
            return every
        wanted = [number for number, name in self._spec.classes.items() if name is target]
        if self._layout is Layout.END_TO_END:
            return np.where(np.isin(output[:, 5].round(), wanted), confidences[:, 0], np.float32(0))
        best: Scores = confidences[:, wanted].max(axis=1)
        return best

    def _pixels(self, boxes: Boxes) -> Boxes:
        """Return boxes in pixels of the input."""
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise DetectionError(f"{self._file} returned boxes turned inside out; cover the whole frame")
        if self._spec.coordinates == "fractions":
            return boxes * np.array([self._width, self._height] * 2, np.float32)
        if len(boxes) and np.abs(boxes).max() <= LARGEST_FRACTION:
            raise DetectionError(
                f"the boxes of {self._file} look like fractions; set coordinates to fractions in its JSON"
            )
        return boxes


def guess(shape: tuple[int, ...], path: Path) -> Layout:
    """Return the layout that an output shape has beyond doubt; raises ModelError where there is doubt."""
    if len(shape) == 3 and shape[0] == 1:
        _, rows, columns = shape
        if columns == 6 and rows <= MOST_FINAL_BOXES:
            return Layout.END_TO_END
        if 5 <= rows < columns:
            return Layout.COLUMNS
        if columns in (5, 4 + COCO_CLASSES) and rows > columns:
            return Layout.ROWS
        if columns == 5 + COCO_CLASSES and rows > columns:
            return Layout.ROWS_OBJECTNESS
    raise ModelError(
        f"it is not clear what the output {shape} of {path} means; "
        f'write {{"target": ..., "layout": ...}} to {path.with_suffix(".eyelid.json").name} beside it, '
        f"where layout is one of {', '.join(Layout)}"
    )


def fits(layout: Layout, shape: tuple[int, ...]) -> bool:
    """Return whether an output of that shape can have the layout."""
    if len(shape) != 3 or shape[0] != 1:
        return False
    _, rows, columns = shape
    return {
        Layout.COLUMNS: rows >= 5,
        Layout.ROWS: columns >= 5,
        Layout.ROWS_OBJECTNESS: columns >= 6,
        Layout.END_TO_END: columns == 6,
    }[layout]


def read(layout: Layout, output: NDArray[np.float32]) -> tuple[Boxes, Scores]:
    """Return boxes (n, 4) as corners and scores (n, C) from one output without its batch axis.

    An end-to-end output has one column of scores: that of the class in its last column.
    """
    if layout is Layout.END_TO_END:
        return output[:, :4], output[:, 4:5]
    rows = output.T if layout is Layout.COLUMNS else output
    scores = rows[:, 5:] * rows[:, 4:5] if layout is Layout.ROWS_OBJECTNESS else rows[:, 4:]
    centres, halves = rows[:, :2], rows[:, 2:4] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1), scores
