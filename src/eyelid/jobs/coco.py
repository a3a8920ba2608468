"""Detections as COCO json: what would be covered, to be read, edited and given back. No pixels.

Format: https://cocodataset.org/#format-data, with ``frame_index``, ``time`` and ``track_id`` added.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from eyelid.errors import InputError
from eyelid.jobs.finder import FARTHEST
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.types import RawFrame

_TARGETS = tuple(Target)

_SLACK = 2.0
"""Pixels by which a box may be larger than its polygon and still be the same outline."""


class _Lenient(BaseModel):
    """Other tools add fields of their own to COCO; they are read over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class CocoCategory(_Lenient):
    """A kind of target."""

    id: int
    name: str


class CocoImage(_Lenient):
    """One frame of a video, one page of a still."""

    id: int
    file_name: str
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frame_index: int | None = Field(default=None, ge=0)
    time: float | None = None


class CocoAnnotation(_Lenient):
    """One detection; ``bbox`` is x, y, width, height in pixels, ``segmentation`` polygons as x, y pairs."""

    id: int
    image_id: int
    category_id: int
    bbox: tuple[float, float, float, float]
    area: float | None = None
    iscrowd: int = 0
    segmentation: tuple[tuple[float, ...], ...] = ()
    score: float = Field(default=1.0, ge=-1e9, le=1e9)
    track_id: int = Field(default=-1, ge=-(2**62), le=2**62)

    @field_validator("segmentation")
    @classmethod
    def _in_pairs(cls, polygons: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
        if any(len(polygon) % 2 for polygon in polygons):
            raise ValueError("a polygon is a list of x, y pairs")
        return polygons

    @property
    def reach(self) -> float:
        """How far from the corner of the frame anything of it lies, in pixels."""
        x, y, width, height = self.bbox
        values = (x, y, x + width, y + height, *(value for polygon in self.segmentation for value in polygon))
        return max(map(abs, values))

    @property
    def outline(self) -> NDArray[np.float32] | None:
        """The corners (k, 2) in pixels whose hull is to be covered, None where that is the box itself.

        The box counts too where it reaches beyond its polygons, since a person may have edited either.
        """
        points = [value for polygon in self.segmentation for value in polygon]
        if not points:
            return None
        corners = np.array(points, np.float32).reshape(-1, 2)
        x, y, width, height = self.bbox
        box = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
        if (box < corners.min(axis=0) - _SLACK).any() or (box > corners.max(axis=0) + _SLACK).any():
            return np.concatenate([corners, box])
        return corners


class CocoFile(_Lenient):
    """The whole file."""

    categories: tuple[CocoCategory, ...]
    annotations: tuple[CocoAnnotation, ...]
    images: tuple[CocoImage, ...]


class CocoWriter:
    """Write COCO json frame by frame, in constant memory but for one short line a frame."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._images: list[str] = []
        self._annotations = 0
        categories = ",".join(
            CocoCategory(id=number, name=target).model_dump_json()
            for number, target in enumerate(_TARGETS, start=1)
        )
        self._file.write(f'{{"categories":[{categories}],\n"annotations":[')

    def write(self, file_name: str, frame: RawFrame, found: Detections) -> None:
        """Add one frame of the media file ``file_name`` with what was found in it."""
        image = CocoImage(
            id=len(self._images) + 1,
            file_name=file_name,
            width=frame.width,
            height=frame.height,
            frame_index=frame.index,
            time=None if frame.time is None else float(frame.time),
        )
        self._images.append(image.model_dump_json(exclude_none=True))
        for entry in range(len(found)):
            x0, y0, x1, y1 = (round(float(v), 2) for v in found.boxes[entry])
            polygon = found.polygons[entry]
            annotation = CocoAnnotation(
                id=self._annotations + 1,
                image_id=image.id,
                category_id=_TARGETS.index(found.targets[entry]) + 1,
                bbox=(x0, y0, round(x1 - x0, 2), round(y1 - y0, 2)),
                area=round((x1 - x0) * (y1 - y0), 2),
                segmentation=() if polygon is None else (tuple(round(float(v), 2) for v in polygon.ravel()),),
                score=round(float(found.scores[entry]), 4),
                track_id=int(found.tracks[entry]),
            )
            self._file.write(",\n" if self._annotations else "\n")
            self._file.write(annotation.model_dump_json())
            self._annotations += 1

    def close(self) -> None:
        """Write the list of images and end the file."""
        if not self._file.closed:
            images = ",\n".join(self._images)
            self._file.write(f'\n],\n"images":[\n{images}\n]}}\n')
            self._file.close()


class CocoDetections:
    """Detections that a person may have edited, by media file and frame."""

    def __init__(self, path: Path) -> None:
        try:
            content = CocoFile.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(
                f"cannot read the detections in {path}: {error.strerror}; "
                "name a file that 'eyelid detect --format coco' wrote"
            ) from None
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            raise InputError(
                f"{path} is not COCO json as 'eyelid detect' writes it: {place}: {first['msg']}"
            ) from None
        self._path = path
        self._names = {category.id: category.name for category in content.categories}
        self._images = _images_by_frame(content.images)
        self._annotations: dict[int, list[CocoAnnotation]] = defaultdict(list)
        known = {image.id for image in content.images}
        for annotation in content.annotations:
            if annotation.image_id not in known:
                raise InputError(
                    f"annotation {annotation.id} in {path} names image {annotation.image_id}, "
                    "which is not in its list of images; correct the image_id"
                )
            self._annotations[annotation.image_id].append(annotation)
        self._targets = {number: self._target(name) for number, name in self._names.items()}

    def _target(self, name: str) -> Target:
        try:
            return Target(name)
        except ValueError:
            raise InputError(
                f"{self._path} has a category {name!r}; eyelid knows {', '.join(Target)}: rename the category"
            ) from None

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that are detected anywhere in the file, in the order of :class:`Target`."""
        entries = (entry for annotations in self._annotations.values() for entry in annotations)
        found = {self._targets.get(entry.category_id) for entry in entries}
        return tuple(target for target in Target if target in found)

    def check(self, file_name: str) -> None:
        """Raise InputError where the file lists no frame of that media file."""
        names = sorted({name for name, _ in self._images})
        if file_name not in names:
            raise InputError(
                f"{self._path} lists no frame of {file_name}, but of {', '.join(names[:3]) or 'no file'}; "
                "give the file that 'eyelid detect' wrote for it, or correct file_name"
            )

    def check_end(self, file_name: str, frames: int) -> None:
        """Raise InputError where the file lists a frame beyond the last of ``frames``, with what it holds."""
        last = max((index for name, index in self._images if name == file_name), default=0)
        if last >= frames:
            raise InputError(
                f"{self._path} lists frame {last} of {file_name}, which has {frames}; correct its frame_index"
            )

    def of(self, file_name: str, frame: RawFrame) -> Detections | None:
        """Return what to cover in a frame, or None when the file says nothing about that frame."""
        images = self._images.get((file_name, frame.index))
        if images is None:
            return None
        for image in images:
            if (image.width, image.height) != (frame.width, frame.height):
                raise InputError(
                    f"{self._path} was made for frames of {image.width}x{image.height}, but {file_name} has "
                    f"{frame.width}x{frame.height}; run 'eyelid detect' on this file again"
                )
        entries = [entry for image in images for entry in self._annotations.get(image.id, [])]
        if not entries:
            return Detections.none()
        for entry in entries:
            if entry.reach > FARTHEST * max(frame.width, frame.height):
                raise InputError(
                    f"annotation {entry.id} in {self._path} lies far outside of its frame, where it covers "
                    "nothing or everything; correct its bbox and segmentation"
                )
        boxes = np.array([entry.bbox for entry in entries], np.float32)
        boxes[:, 2:] += boxes[:, :2]
        try:
            targets = tuple(self._targets[entry.category_id] for entry in entries)
        except KeyError as error:
            raise InputError(f"{self._path} has no category with id {error}; add it or correct it") from None
        return Detections(
            boxes,
            np.array([entry.score for entry in entries], np.float32),
            targets,
            np.array([entry.track_id for entry in entries], np.int64),
            tuple(entry.outline for entry in entries),
        )


def _images_by_frame(images: tuple[CocoImage, ...]) -> dict[tuple[str, int], list[CocoImage]]:
    """Index images by file and frame; without ``frame_index``, ids in order are frames in order.

    A frame may stand in the file several times, as where the work of two people was joined.
    """
    found: dict[tuple[str, int], list[CocoImage]] = defaultdict(list)
    following: dict[str, int] = defaultdict(int)
    for image in sorted(images, key=lambda image: image.id):
        index = following[image.file_name] if image.frame_index is None else image.frame_index
        following[image.file_name] = index + 1
        found[image.file_name, index].append(image)
    return dict(found)
