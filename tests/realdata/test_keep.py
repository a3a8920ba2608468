"""The keep list's threshold on real portraits: strangers are covered, the person mostly stays visible."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from eyelid.detect.identity import THRESHOLD, FaceEmbedder
from eyelid.types import Bgr, RawFrame

PEOPLE, PORTRAITS = 20, 4


def _drawn(picture: Bgr, width: int, height: int) -> Bgr:
    assert picture.shape == (height, width, 3)
    return picture


@pytest.mark.realdata
def test_strangers_fall_below_the_threshold_and_most_portraits_of_one_person_above(data_dir: Path) -> None:
    embedder = FaceEmbedder(threads=1)
    faces = []
    for folder in sorted((data_dir / "faces_orl").iterdir())[:PEOPLE]:
        for path in sorted(folder.glob("*.pgm"))[:PORTRAITS]:
            picture = cv2.imread(str(path))
            assert picture is not None
            height, width = picture.shape[:2]
            frame = RawFrame(width, height, (), partial(_drawn, picture.astype(np.uint8)))
            box = np.array([[0, 0, width, height]], np.float32)
            faces.append(embedder.embed(frame, box)[0])
    people = np.repeat(np.arange(PEOPLE), PORTRAITS)
    similarity = np.stack(faces) @ np.stack(faces).T
    same = people[:, None] == people
    assert (similarity[~same] >= THRESHOLD).mean() <= 0.001
    assert (similarity[same & ~np.eye(len(people), dtype=bool)] >= THRESHOLD).mean() >= 0.9
