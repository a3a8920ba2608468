"""Everything that a user can ask of a run, in one checked and immutable value."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from eyelid.media.encoding import VideoEncoding
from eyelid.models.session import Device
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.registry import Method
from eyelid.obfuscate.solid import Solid
from eyelid.track.settings import OnLost
from eyelid.types import Quality, Target


class Settings(BaseModel):
    """How to anonymise.

    ``targets`` is what to hide, ``method`` how, ``coverage`` how much around each detection. ``quality`` is
    the work spent on detection. ``on_lost`` says what happens where a tracked target is no longer seen.
    ``keep`` are pictures of people whose faces stay visible. ``detections`` is a COCO file that takes the
    place of the detectors. ``detectors`` are detectors of the user's own, as ``model.onnx:target`` or
    ``package.module:callable:target``. ``views`` is a folder with more photos of the place of a photo.
    ``threads`` None means one for each core.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    targets: tuple[Target, ...] = Field(default=(Target.FACE, Target.PLATE), min_length=1)
    method: Method = Solid()
    coverage: Coverage = Coverage()
    quality: Quality = Quality.BALANCED
    on_lost: OnLost = OnLost.HOLD
    keep: tuple[Path, ...] = ()
    detections: Path | None = None
    detectors: tuple[str, ...] = ()
    views: Path | None = None
    encoding: VideoEncoding = VideoEncoding()
    device: Device = Device.CPU
    threads: int | None = Field(default=None, ge=1)
    signing_key: Path | None = None
