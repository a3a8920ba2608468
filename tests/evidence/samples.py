"""Evidence for the tests, of a short clip and of a still."""

from datetime import UTC, datetime
from pathlib import Path

from hypothesis import strategies as st

from eyelid.evidence.file import input_file, output_file
from eyelid.evidence.model import (
    CoveredFrames,
    CoverReason,
    Evidence,
    Frames,
    Kept,
    Media,
    ModelUsed,
    Settings,
    Stage,
    Step,
    TargetCount,
)
from eyelid.evidence.scope import with_scope
from eyelid.evidence.software import software
from eyelid.types import Guarantee, GuaranteeKind, Quality, Target

SOLID = Guarantee(
    kind=GuaranteeKind.EMPIRICAL,
    statement="no sample of a covered region survives",
    assumption="the region covers the target",
    not_covered=("the position and size of what is covered",),
)


def clip_evidence(output: Path) -> Evidence:
    """Evidence of a clip of 96 frames in which one whole frame was covered and one face was kept."""
    kept = Kept(references=1, detections=40, tracks=1)
    return Evidence(
        created=datetime(2026, 11, 23, 0, 10, 1, tzinfo=UTC),
        software=software(),
        models=(ModelUsed(name="centerface", sha256="ab" * 32, precision="fp32", device="cpu"),),
        input=input_file(output),
        output=output_file(output, output.name),
        media=Media(kind="video", format="mp4", width=640, height=360, duration=4.0),
        settings=Settings(
            targets=(Target.FACE, Target.PLATE),
            quality=Quality.BALANCED,
            method=Step(name="solid"),
            coverage=(),
            tracking=Step(name="tracker", parameters={"hold_s": 0.5, "on_lost": "hold"}),
        ),
        frames=Frames(
            total=96,
            held=12,
            covered=(CoveredFrames(first=7, last=7, reason=CoverReason.DETECTOR_FAILED),),
        ),
        counts=(
            TargetCount(target=Target.FACE, detections=180, tracks=3, frames=90),
            TargetCount(target=Target.PLATE, detections=0, tracks=0, frames=0),
        ),
        kept=kept,
        audio=("aac",),
        dropped=("GPS position", "cover art"),
        guarantee=with_scope(SOLID, {Target.FACE, Target.PLATE}, audio=True, kept=kept),
        timings=(Stage(name="total", seconds=1.5),),
        warnings=("the detector failed on frame 7, which is covered whole",),
    )


def still_evidence(output: Path, *, faces: int) -> Evidence:
    """Evidence of a photo with that many faces."""
    return Evidence(
        created=datetime(2026, 11, 23, tzinfo=UTC),
        software=(),
        models=(),
        input=input_file(output),
        output=output_file(output, output.name),
        media=Media(kind="still", format="JPEG", width=64, height=48),
        settings=Settings(
            targets=(Target.FACE,), quality=Quality.BALANCED, method=Step(name="solid"), coverage=()
        ),
        frames=Frames(total=1),
        counts=(TargetCount(target=Target.FACE, detections=faces, tracks=None, frames=min(faces, 1)),),
        guarantee=with_scope(SOLID, {Target.FACE}),
    )


def flipped(data: bytes, at: int, mask: int) -> bytes:
    """Return ``data`` with some bits of one byte changed."""
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


MASKS = st.integers(1, 255)
