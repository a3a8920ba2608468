"""Detections as a MOT challenge csv: frame, track, box, score, class, visibility (arXiv 1603.00831, table 4).

Frames count from 1 and classes are the targets in the order of :class:`eyelid.types.Target`, from 1.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from eyelid.types import Target

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import Detections, RawFrame

_TARGETS = tuple(Target)


class MotWriter:
    """Write the csv frame by frame; a MOT file describes one media file."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file, lineterminator="\n")

    def write(self, file_name: str, frame: RawFrame, found: Detections) -> None:  # noqa: ARG002  # as CocoWriter
        """Add what was found in one frame."""
        for entry in range(len(found)):
            x0, y0, x1, y1 = (float(v) for v in found.boxes[entry])
            self._rows.writerow(
                [
                    frame.index + 1,
                    int(found.tracks[entry]),
                    f"{x0:.2f}",
                    f"{y0:.2f}",
                    f"{x1 - x0:.2f}",
                    f"{y1 - y0:.2f}",
                    f"{float(found.scores[entry]):.4f}",
                    _TARGETS.index(found.targets[entry]) + 1,
                    1,
                ]
            )

    def close(self) -> None:
        """End the file."""
        self._file.close()
