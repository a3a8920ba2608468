"""Anonymises one file after another."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

from eyelid.errors import EvidenceError, InputError, LockError, OutputError, UnsupportedError, UsageError
from eyelid.evidence.file import input_file, output_file, read, write
from eyelid.jobs.cover import cover, looking
from eyelid.jobs.keep import Keeper, load_people
from eyelid.jobs.needs import check_found
from eyelid.jobs.progress import Progress, silent
from eyelid.jobs.record import asked, evidence_of
from eyelid.jobs.search import Searcher
from eyelid.jobs.source import refusal
from eyelid.jobs.tally import Tally
from eyelid.jobs.tasks import FileResult, Outcome, make_folder
from eyelid.media.atomic import atomic_output, check_output
from eyelid.media.kinds import CONTAINERS, STILL_SUFFIXES, sniff_format
from eyelid.obfuscate.keys import read_key
from eyelid.obfuscate.lock import Lock, LockObfuscator
from eyelid.obfuscate.registry import build as build_obfuscator

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from eyelid.detect.base import Detector
    from eyelid.evidence.model import Evidence
    from eyelid.evidence.model import Settings as EvidenceSettings
    from eyelid.jobs.cover import PlannedFrame
    from eyelid.jobs.progress import ProgressListener
    from eyelid.jobs.search import Search
    from eyelid.jobs.settings import Settings
    from eyelid.jobs.tasks import Task
    from eyelid.obfuscate.base import Obfuscator


class Anonymizer:
    """Anonymises files by one set of settings; what they name is loaded once, before any output begins.

    ``detectors`` are the user's own, in place of the shipped ones for their targets. Raises ModelError,
    UsageError, InputError, LockError and EvidenceError where the settings name what cannot be used.
    """

    def __init__(self, settings: Settings, detectors: Sequence[Detector] = ()) -> None:
        self._settings = settings
        self._searcher = Searcher(settings, detectors)
        named = (*(detector.origin for detector in detectors), *settings.detectors)
        self._told = settings.model_copy(update={"detectors": named})
        if isinstance(settings.method, Lock):
            read_key(settings.method.key)
        self._signing_key = _signing_key(settings)
        device, threads = settings.device, settings.threads
        self._people = load_people(settings.keep, device=device, threads=threads) if settings.keep else None

    def run(self, task: Task, listener: ProgressListener = silent) -> FileResult:
        """Anonymise one file: write its output and evidence whole, or nothing.

        Raises InputError, UnsupportedError, OutputError, UsageError, ModelError and LockError; InputError too
        where a file that stands alone holds nothing of what its method needs.
        """
        started = time.perf_counter()
        refused = refusal(self._settings.method, task.source)
        if refused:
            raise (UnsupportedError if task.in_folder else UsageError)(refused)
        if task.in_folder and not task.force and task.output.exists():
            return FileResult(task, Outcome.SKIPPED, self._earlier(task))
        with self._searcher.search(task.source, task.name) as search:
            if task.in_folder:
                make_folder(task.output.parent)
            self._check_outputs(task)
            _check_suffix(task)
            evidence = self._write(task, search, listener, started)
        return FileResult(task, Outcome.DONE, evidence)

    def _check_outputs(self, task: Task) -> None:
        check_output(task.source, task.output, force=task.force)
        check_output(task.source, task.evidence, force=True)
        if self._settings.method.sidecar:
            check_output(task.source, task.sidecar(self._settings.method.sidecar), force=task.force)

    def _write(self, task: Task, search: Search, listener: ProgressListener, started: float) -> Evidence:
        """Write the output under a partial name, then its evidence, and only then give it its name."""
        given = input_file(task.source)
        tally = Tally(self._searcher.targets)
        keeper = Keeper(self._people) if self._people else None
        with ExitStack() as stack:
            partial = stack.enter_context(atomic_output(task.output, force=task.force))
            obfuscator = self._obfuscator(task, stack)
            obfuscator.prepare(self._searcher.views(task.source, task.views))
            if search.finder is not None:
                obfuscator.recheck(looking(search.finder, keeper))
            with search.open_writer(partial) as writer:
                cover(_counted(search, task.source, listener), obfuscator, keeper, tally, writer.write)
            if task.alone:
                check_found(task.source, self._settings, tally, keeper, obfuscator)
            if isinstance(obfuscator, LockObfuscator):
                obfuscator.finish(partial)
            evidence = evidence_of(
                self._told,
                search.source.with_changes(writer.changes),
                search.finder,
                tally,
                keeper,
                obfuscator,
                writer.encoder,
                (given, output_file(partial, task.output.name)),
                time.perf_counter() - started,
            )
            write(evidence, task.evidence, key=self._signing_key, force=True)
        return evidence

    def _obfuscator(self, task: Task, stack: ExitStack) -> Obfuscator:
        method, coverage = self._settings.method, self._settings.coverage
        if not method.sidecar:
            return build_obfuscator(method, coverage)
        sidecar = stack.enter_context(atomic_output(task.sidecar(method.sidecar), force=task.force))
        obfuscator = build_obfuscator(method, coverage, sidecar)
        if isinstance(obfuscator, LockObfuscator):
            stack.enter_context(closing(obfuscator))
        return obfuscator

    def _earlier(self, task: Task) -> Evidence:
        """Return the evidence of an output that this task made before; raises OutputError for another."""
        try:
            evidence = read(task.evidence)
            same = (
                evidence.input == input_file(task.source)
                and evidence.output == output_file(task.output, task.output.name)
                and evidence.settings == self._asked(task)
            )
            self._check_sidecar(task)
        except (EvidenceError, InputError, LockError):
            same = False
        if not same:
            raise OutputError(
                f"{task.output} exists, but was not made from this input by these settings; "
                "choose another output folder or allow it to be replaced (--force)"
            )
        return evidence

    def _asked(self, task: Task) -> EvidenceSettings:
        return asked(self._told, self._searcher.targets, self._searcher.describe(task.source))

    def _check_sidecar(self, task: Task) -> None:
        """Raise LockError where the locked pixels of an output are not there for this key."""
        method = self._settings.method
        if isinstance(method, Lock):
            from eyelid.obfuscate.lock_format import LockReader  # loads OpenSSL, which only this method needs

            LockReader(task.sidecar(method.sidecar or ""), read_key(method.key), task.output).close()


def _check_suffix(task: Task) -> None:
    """Refuse to write a file under the name of another format; raises UsageError, or UnsupportedError where
    the input itself has such a name.
    """
    held = sniff_format(task.source)
    fitting = STILL_SUFFIXES.get(held)
    suffix, given = task.output.suffix.lower(), task.source.suffix.lower()
    if fitting and suffix not in (*fitting, given):
        raise UsageError(
            f"{task.output} would hold a {held.value}, as {task.source} does; "
            f"give the output a name that ends in {fitting[0]}"
        )
    if not fitting and suffix == given and suffix not in CONTAINERS:
        raise UnsupportedError(
            f"{task.source} holds a video, which its name does not say; end it in one of "
            f"{', '.join(CONTAINERS)}, or name such an --output"
        )


def _counted(search: Search, path: Path, listener: ProgressListener) -> Iterator[PlannedFrame]:
    for done, item in enumerate(search.planned, start=1):
        yield item
        listener(Progress(path, done, search.source.total, search.source.unit))


def _signing_key(settings: Settings) -> Ed25519PrivateKey | None:
    if settings.signing_key is None:
        return None
    from eyelid.evidence.signing import load_signing_key  # loads OpenSSL, which most runs do not need

    return load_signing_key(settings.signing_key)
