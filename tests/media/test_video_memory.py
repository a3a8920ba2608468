"""A film of any length is copied in constant memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from .clips import Clip

if TYPE_CHECKING:
    from pathlib import Path

_PROGRAM = """
import sys
from pathlib import Path
from eyelid.media.video import VideoEncoding, VideoReader, VideoWriter
from eyelid.types import _SEAL, SafeFrame
with VideoReader(Path(sys.argv[1])) as reader:
    with VideoWriter(Path(sys.argv[2]), reader, VideoEncoding(preset="ultrafast")) as writer:
        for frame in reader:
            frame.bgr(64, 48)
            writer.write(SafeFrame(frame, _SEAL))
status = Path("/proc/self/status").read_text()  # ru_maxrss would count the parent before exec
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def _peak(source: Path, target: Path) -> int:
    """Kilobytes of a process of its own."""
    program = [sys.executable, "-c", _PROGRAM, str(source), str(target)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_memory_is_flat_over_a_ten_times_longer_clip(tmp_path: Path, suffix: str) -> None:
    peaks = []
    for frames in (60, 600):
        clip = Clip(width=320, height=240, frames=frames, audio="aac", options={"preset": "ultrafast"})
        source = clip.write(tmp_path / f"in{frames}{suffix}")
        peaks.append(_peak(source, tmp_path / f"out{frames}{suffix}"))
    frame = 320 * 240 * 3 // 2 // 1024
    assert peaks[1] - peaks[0] < 60 * frame  # 540 frames more
