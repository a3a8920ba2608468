"""A frame inside a network's input of another shape: scaled alike both ways, centred, grey around."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from eyelid.detect.base import Boxes
    from eyelid.types import Bgr, RawFrame

GREY: Final = 114
"""The value around the frame that YOLO networks are trained with."""


@dataclass(frozen=True, slots=True)
class Letterbox:
    """Where a frame of ``frame`` pixels (width, height) lies in an input: ``size`` at ``left``, ``top``."""

    frame: tuple[int, int]
    input: tuple[int, int]
    size: tuple[int, int]
    left: int
    top: int

    @classmethod
    def of(cls, width: int, height: int, input_width: int, input_height: int) -> Letterbox:
        """Fit a frame of ``width`` x ``height`` pixels into an input."""
        scale = min(input_width / width, input_height / height)
        columns = min(input_width, max(1, round(width * scale)))
        rows = min(input_height, max(1, round(height * scale)))
        left, top = (input_width - columns) // 2, (input_height - rows) // 2
        return cls((width, height), (input_width, input_height), (columns, rows), left, top)

    def draw(self, frame: RawFrame) -> Bgr:
        """Return the input for a frame: uint8 BGR (input height, input width, 3)."""
        picture = np.full((self.input[1], self.input[0], 3), GREY, np.uint8)
        columns, rows = self.size
        picture[self.top : self.top + rows, self.left : self.left + columns] = frame.bgr(columns, rows)
        return picture

    def undo(self, boxes: Boxes) -> Boxes:
        """Return boxes (n, 4) of the input in pixels of the frame."""
        start = np.array([self.left, self.top] * 2, np.float32)
        scale = np.array([self.frame[0] / self.size[0], self.frame[1] / self.size[1]] * 2, np.float32)
        return (boxes - start) * scale
