"""What runs inside: a shipped detector or a user's network, from a picture to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import cv2
import numpy as np

from eyelid.errors import ModelError
from eyelid.infer.enclave.messages import Answer, Found, Tensor
from eyelid.models.session import Device, Precision, Session
from eyelid.types import Quality, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.infer.enclave.manifest import Configuration
    from eyelid.types import Bgr

Workload: TypeAlias = "Callable[[Bgr], Answer]"


def build(configuration: Configuration, model: Path | None) -> Workload:
    """Return what answers pictures; raises ModelError where the model is no picture's."""
    if configuration.detector is not None:
        return _detector(Target(configuration.detector), configuration.threads, configuration.least)
    assert model is not None
    return _network(model, configuration.threads)


def _detector(target: Target, threads: int, least: float) -> Workload:
    from eyelid.detect.registry import build as build_detector

    detector = build_detector(target, Quality.BALANCED, device=Device.CPU, threads=threads, moving=False)

    def answer(picture: Bgr) -> Answer:
        height, width = picture.shape[:2]

        def render(columns: int, rows: int) -> Bgr:
            if (columns, rows) == (width, height):
                return picture
            smaller = columns <= width and rows <= height
            way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            return np.asarray(cv2.resize(picture, (columns, rows), interpolation=way), np.uint8)

        found = detector.detect([RawFrame(width, height, (), render)])[0]
        boxes = ((float(a), float(b), float(c), float(d)) for a, b, c, d in found.boxes)
        return Answer(
            found=tuple(
                Found(box=box, score=min(1.0, float(score)))
                for box, score in zip(boxes, found.scores, strict=True)
                if score >= least
            )
        )

    return answer


def _network(model: Path, threads: int) -> Workload:
    session = Session(model, threads=threads, steady=True, precision=Precision.F32)
    if len(session.shape) != 4 or session.shape[1] not in (1, 3):
        raise ModelError(
            f"the model takes {session.shape}, not pictures (n, 1 or 3, height, width); export it so"
        )
    if session.shape[0] not in (1, None):
        raise ModelError(f"the model takes {session.shape[0]} pictures at once; export it for one")

    def answer(picture: Bgr) -> Answer:
        height, width = picture.shape[:2]
        size = session.shape[3] or width, session.shape[2] or height
        smaller = size[0] <= width and size[1] <= height
        way = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        sized = cv2.resize(picture, size, interpolation=way) if size != (width, height) else picture
        outputs = session.run(_batch(np.asarray(sized), grey=session.shape[1] == 1))
        return Answer(
            outputs=tuple(
                Tensor(name=name, shape=values.shape, data=values.astype("<f4").tobytes())
                for name, values in zip(session.outputs, outputs, strict=True)
            )
        )

    return answer


def _batch(picture: NDArray[np.uint8], *, grey: bool) -> NDArray[np.float32]:
    """Return a picture as networks take it: float32 (1, c, h, w) in [0, 1], grey (BT.601) or RGB."""
    if grey:
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))[None, None]
    else:
        planes = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)).transpose(2, 0, 1)[None]
    return np.ascontiguousarray(planes, np.float32) / np.float32(255)
