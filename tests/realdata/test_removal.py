from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from eyelid.obfuscate.remove import fill
from eyelid.obfuscate.remove.obfuscator import RemoveObfuscator
from eyelid.types import Detections
from tests.obfuscate.remove.scenes import frame, person, psnr, with_thing

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from numpy.typing import NDArray

FILLED = {12: (72, 120)}
"""The frame in which something stands before a bottle, and where."""


def filled(views: list[NDArray[np.float32]]) -> float:
    stream = [
        (frame(with_thing(view, *FILLED[i], i), i, rate=25), person(*FILLED[i]))
        if i in FILLED
        else (frame(view, i, rate=25), Detections.none())
        for i, view in enumerate(views)
    ]
    safe = list(RemoveObfuscator().stream(stream))
    return float(np.mean([psnr(safe[i].planes, views[i], *place) for i, place in FILLED.items()]))


def test_depth_is_followed_behind_a_camera_moved_by_hand(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = sorted((data_dir / "video" / "dlib_frames").glob("*.jpg"))[6:30]
    greys = [np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float32) for path in paths]
    views = [np.stack([light, 0 * light + 128, 0 * light + 128], axis=-1) for light in greys]
    deep = filled(views)
    monkeypatch.setattr(fill, "swept", lambda *_: [])
    assert deep > filled(views) + 1.5
    assert deep > 31
