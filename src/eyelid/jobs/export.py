"""Writes down what would be covered, as COCO json or MOT csv; no pixels leave."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InputError, UsageError
from eyelid.jobs.coco import CocoWriter
from eyelid.jobs.mot import MotWriter
from eyelid.jobs.progress import Progress, silent
from eyelid.jobs.tally import Tally
from eyelid.media.atomic import atomic_output, check_output
from eyelid.types import Detections, Target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from eyelid.evidence.model import TargetCount
    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.search import Searcher
    from eyelid.jobs.tasks import Task
    from eyelid.types import RawFrame


class ExportFormat(StrEnum):
    """How detections are written."""

    COCO = "coco"
    MOT = "mot"

    @property
    def suffix(self) -> str:
        """The end of the usual file name."""
        return ".coco.json" if self is ExportFormat.COCO else ".mot.csv"


@dataclass(frozen=True, slots=True)
class Export:
    """What an export holds; ``failures`` are sentences about files that could not be searched."""

    output: Path
    frames: int
    counts: tuple[TargetCount, ...]
    failures: tuple[str, ...]


def export_detections(
    searcher: Searcher,
    tasks: Sequence[Task],
    output: Path,
    kind: ExportFormat,
    *,
    force: bool,
    listener: ProgressListener = silent,
) -> Export:
    """Write what would be covered in all files to ``output``, in pixels, before shape and margin.

    A frame on which a detector failed is written as one face as large as the frame, so that it is covered
    when the file is given back. Raises UsageError for several files in a MOT csv, OutputError, and for a
    single file whatever is wrong with it.
    """
    if kind is ExportFormat.MOT and len(tasks) > 1:
        raise UsageError("a MOT csv describes one video; choose --format coco for several files")
    for task in tasks:
        check_output(task.source, output, force=force)
    failures: list[str] = []
    tally = Tally(searcher.targets)
    with (
        atomic_output(output, force=force) as partial,
        closing(CocoWriter(partial) if kind is ExportFormat.COCO else MotWriter(partial)) as writer,
    ):
        for task in tasks:
            try:
                _export_file(searcher, task, writer, tally, listener)
            except InputError as error:
                if len(tasks) == 1:
                    raise
                failures.append(str(error))
    return Export(output, tally.total, tally.counts(tracked=False), tuple(failures))


def _export_file(
    searcher: Searcher, task: Task, writer: CocoWriter | MotWriter, tally: Tally, listener: ProgressListener
) -> None:
    with searcher.search(task.source, task.name) as search:
        for done, item in enumerate(search.planned, start=1):
            found = _everything(item.frame) if item.whole else item.found
            tally.add(found)
            writer.write(task.name, item.frame, found)
            listener(Progress(task.source, done, search.source.total, search.source.unit))


def _everything(frame: RawFrame) -> Detections:
    """Return a detection of the whole frame, reaching so far beyond it that an ellipse covers its corners."""
    width, height = frame.width, frame.height
    box = np.array([[-width, -height, 2 * width, 2 * height]], np.float32)
    return Detections(box, np.zeros(1, np.float32), (Target.FACE,))
