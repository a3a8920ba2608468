"""No encoder takes the cores of the machine for itself."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eyelid.media.priority import kept_priority
from eyelid.media.video import VideoEncoding, VideoReader, VideoWriter
from eyelid.types import _SEAL, SafeFrame

from .clips import Clip

if TYPE_CHECKING:
    from collections.abc import Iterator

THREADS = Path("/proc/self/task")

pytestmark = pytest.mark.skipif(not THREADS.is_dir(), reason="shows the threads of a process on Linux only")


@pytest.fixture(autouse=True)
def _kept() -> Iterator[None]:
    """Whatever happens to the priority here ends with the test."""
    with kept_priority():
        yield


def _real_time() -> list[int]:
    found = []
    for thread in (int(path.name) for path in THREADS.iterdir()):
        with suppress(ProcessLookupError):  # it has ended since it was listed
            if os.sched_getscheduler(thread) != os.SCHED_OTHER:
                found.append(thread)
    return found


def _may_be_real_time() -> bool:
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libvpx-vp9", "libsvtav1"])
def test_no_thread_is_real_time_while_a_video_is_written(encoder: str, tmp_path: Path) -> None:
    source = Clip(width=128, height=128, frames=60).write(tmp_path / "in.mp4")
    with VideoReader(source) as reader:
        writer = VideoWriter(tmp_path / "out.mkv", reader, VideoEncoding(encoder=encoder))
        assert _real_time() == []
        for raw in reader:
            writer.write(SafeFrame(raw, _SEAL))
            assert _real_time() == []
        writer.close()
    assert _real_time() == []


@pytest.mark.skipif(not _may_be_real_time(), reason="needs the right to make a thread real-time")
def test_what_the_body_does_to_the_priority_is_undone_for_it_and_its_threads() -> None:
    over = threading.Event()
    with kept_priority():
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        heir = threading.Thread(target=over.wait)
        heir.start()
        assert len(_real_time()) == 2
    left = _real_time()
    over.set()
    heir.join()
    assert left == []


def test_nothing_is_set_that_did_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service whose system calls are filtered may not set a priority, and needs to set none."""

    def refused(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refused)
    over = threading.Event()
    with kept_priority():
        started = threading.Thread(target=over.wait, daemon=True)
        started.start()
    over.set()
    started.join()
