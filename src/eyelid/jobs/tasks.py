"""One file to anonymise, and what became of it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from eyelid.errors import EvidenceError, InputError, OutputError, UsageError
from eyelid.evidence.file import evidence_path, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.evidence.model import Evidence


@dataclass(frozen=True, slots=True)
class Task:
    """One input, and where its output, its evidence and (for ``lock``) its locked pixels go.

    ``name`` is how the input is called in COCO files and reports: its path below the folder of the run.
    ``in_folder``: the task is part of a folder; the folders of its output are made, and an output that this
    very task made before is left as it is. ``views`` are other photos of the same command, perhaps of the
    same place.
    """

    source: Path
    output: Path
    evidence: Path
    name: str
    force: bool = False
    in_folder: bool = False
    views: tuple[Path, ...] = ()

    @property
    def alone(self) -> bool:
        """Whether the command is about this file only; several files are a set, which is to stay whole."""
        return not (self.in_folder or self.views)

    def sidecar(self, suffix: str) -> Path:
        """Return the path of a file that a method writes beside the output."""
        return self.output.with_name(self.output.name + suffix)


class Outcome(StrEnum):
    """What became of one input."""

    DONE = "done"
    SKIPPED = "already done"
    UNSUPPORTED = "unsupported"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one input; ``evidence`` is there when it is done or was done before.

    ``message`` is the sentence that says why an input was not done.
    """

    task: Task
    outcome: Outcome
    evidence: Evidence | None = None
    message: str = ""

    @property
    def output(self) -> Path:
        """The anonymised file."""
        return self.task.output


def tasks_for(sources: Sequence[Path], output: Path | None, *, force: bool) -> list[Task]:
    """Return one task a file: for a file itself, for a folder everything below it, in order of name.

    A file ``a.mp4`` becomes ``a.anon.mp4`` beside it, a folder ``photos`` becomes ``photos.anon`` with the
    same tree. ``output`` names another file or folder. Raises InputError where a source is missing and
    UsageError where ``output`` does not fit the sources, or two of them would get the same name.
    """
    for source in sources:
        if not os.path.exists(source):  # noqa: PTH110  # never raises, whatever the name
            raise InputError(f"{source} does not exist; check the path")
    if len(sources) == 1 and sources[0].is_dir():
        return list(_folder(sources[0], output or _beside(sources[0]), force=force))
    folders = [source for source in sources if source.is_dir()]
    if folders:
        raise UsageError(f"{folders[0]} is a folder; give it alone, or give files only")
    if len(sources) > 1 and output is not None and not output.is_dir():
        raise UsageError(f"{output} must be an existing folder to take the output of {len(sources)} files")
    tasks = [_file(source, output, force=force) for source in sources]
    for name, count in Counter(task.output for task in tasks).items():
        if count > 1:
            raise UsageError(f"{count} sources would become {name}; give them in turn, each with an --output")
    shared = Counter(task.evidence for task in tasks)
    tasks = [_with_own_evidence(task, shared=shared[task.evidence] > 1) for task in tasks]
    return [replace(task, views=tuple(s for s in sources if s != task.source)) for task in tasks]


def _beside(source: Path) -> Path:
    """Return ``a.anon.jpg`` for ``a.jpg``, and ``photos.anon`` for a folder ``photos``."""
    source = source.absolute() if source.name in {"", ".", ".."} else source
    if source.is_dir():
        folder = source.resolve()
        return folder.with_name(folder.name + ".anon")
    return source.with_name(f"{source.stem}.anon{source.suffix}")


def _file(source: Path, output: Path | None, *, force: bool) -> Task:
    if output is None:
        output = _beside(source)
    elif os.path.isdir(output):  # noqa: PTH112  # never raises, whatever the name
        output = output / _beside(source).name
    return Task(source, output, evidence_path(output), source.name, force)


def _with_own_evidence(task: Task, *, shared: bool) -> Task:
    """Let ``a.anon.jpg`` not write over the evidence of ``a.anon.png``, nor over a file of the user's."""
    longer = evidence_path(task.output, full_name=True)
    if shared or os.path.exists(longer) or _is_taken(task):  # noqa: PTH110  # as above
        return replace(task, evidence=longer)
    return task


def _is_taken(task: Task) -> bool:
    try:
        return task.evidence.is_file() and read(task.evidence).output.name != task.output.name
    except EvidenceError:
        return True
    except OSError:  # a name that no file can have: whoever writes the output says so
        return False


def _folder(source: Path, output: Path, *, force: bool) -> Iterator[Task]:
    root, target = source.resolve(), output.resolve()
    if root == target or root in target.parents or target in root.parents:
        raise OutputError(f"{output} and {source} lie in one another; choose an output folder elsewhere")
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output} is a file; choose a folder for the output")
    for path in _walk(source):
        relative = path.relative_to(source)
        final = output / relative
        yield Task(
            path, final, evidence_path(final, full_name=True), relative.as_posix(), force, in_folder=True
        )


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder in order; linked folders are not entered, so nothing outside is read."""

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename} cannot be read ({error.strerror}); check its permissions")

    for where, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        yield from (Path(where, name) for name in sorted(files))


def make_folder(folder: Path) -> None:
    """Create a folder of the output and those above it; raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"the folder {folder} cannot be created ({error.strerror})") from None
