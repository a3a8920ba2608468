"""Embeddings of faces and the keep list, with a stand-in network where its answer must be known."""

from collections.abc import Sequence
from typing import ClassVar

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.detect import identity
from eyelid.detect.base import Boxes, Detector, detections
from eyelid.detect.identity import SMALLEST, THRESHOLD, Embeddings, FaceEmbedder, KeepList
from eyelid.errors import DetectionError, InputError
from eyelid.types import Bgr, Detections, RawFrame, Target

EMBEDDER = FaceEmbedder(threads=1)
FACE = np.array([[10, 10, 110, 110]], np.float32)


def frame(picture: Bgr) -> RawFrame:
    def render(width: int, height: int) -> Bgr:
        return cv2.resize(picture, (width, height)).astype(np.uint8)

    return RawFrame(picture.shape[1], picture.shape[0], (), render)


def texture(seed: int, side: int = 120) -> Bgr:
    """A smooth random picture; the same seed gives the same "person"."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


class Fixed(Detector):
    """Finds the same boxes in every frame."""

    name: ClassVar[str] = "fixed"
    targets = frozenset({Target.FACE})

    def __init__(self, boxes: Boxes, target: Target = Target.FACE) -> None:
        self._found = detections(boxes, np.ones(len(boxes), np.float32), target)

    def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
        return [self._found for _ in frames]


class Told(FaceEmbedder):
    """Answers with the embeddings that it was told, one for each box, by the box's left side."""

    def __init__(self, vectors: dict[int, Sequence[float]]) -> None:
        self._vectors = vectors

    def embed(self, frame: RawFrame, boxes: Boxes) -> Embeddings:
        rows = np.zeros((len(boxes), 1024), np.float32)
        for row, box in zip(rows, boxes, strict=True):
            vector = self._vectors[int(box[0])]
            row[: len(vector)] = vector
        return rows


def boxes_at(*lefts: int, side: float = 100) -> Boxes:
    return np.array([[x, 0, x + side, side] for x in lefts], np.float32).reshape(-1, 4)


def cosine(value: float) -> tuple[float, float]:
    """A vector whose similarity to (1, 0) is ``value``."""
    return value, float(np.sqrt(1 - value**2))


def keep_list(vectors: dict[int, Sequence[float]], lefts: Sequence[int] = (0,)) -> KeepList:
    pictures = {f"p{left}.jpg": frame(texture(1)) for left in lefts}
    answers = iter([boxes_at(left) for left in lefts])

    class OneByOne(Fixed):
        def detect(self, frames: Sequence[RawFrame]) -> list[Detections]:
            return Fixed(next(answers)).detect(frames)

    return KeepList(pictures, OneByOne(boxes_at()), Told(vectors))


def test_an_embedding_has_length_one_and_is_the_same_each_time() -> None:
    first = EMBEDDER.embed(frame(texture(1)), FACE)
    assert first.shape == (1, 1024)
    assert first.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(first, EMBEDDER.embed(frame(texture(1)), FACE))


def test_a_picture_is_more_like_itself_brighter_than_like_another() -> None:
    faces = [EMBEDDER.embed(frame(picture), FACE)[0] for picture in (texture(1), texture(2))]
    brighter = EMBEDDER.embed(frame(np.minimum(texture(1), 235) + np.uint8(20)), FACE)[0]
    assert brighter @ faces[0] > max(0.9, brighter @ faces[1])


def test_a_mirrored_face_is_the_same_face() -> None:
    picture = texture(3)
    mirrored = np.ascontiguousarray(picture[:, ::-1])
    similarity = EMBEDDER.embed(frame(picture), FACE) @ EMBEDDER.embed(frame(mirrored), FACE).T
    np.testing.assert_allclose(similarity, 1, atol=1e-3)


def test_many_boxes_give_what_each_alone_gives() -> None:
    picture = frame(texture(4, 300))
    boxes = np.array([[7 * i, 5 * i, 90 + 9 * i, 120 + 4 * i] for i in range(19)], np.float32)
    together = EMBEDDER.embed(picture, boxes)
    alone = np.concatenate([EMBEDDER.embed(picture, box[None]) for box in boxes])
    np.testing.assert_allclose(together, alone, atol=1e-4)


@pytest.mark.parametrize("box", [[-50, 0, 0, 40], [120, 0, 190, 40], [30, 30, 20, 60], [500, 500, 400, 400]])
def test_a_box_without_a_pixel_is_similar_to_nobody(box: list[float]) -> None:
    found = EMBEDDER.embed(frame(texture(1)), np.array([box, FACE[0]], np.float32))
    assert not found[0].any()
    assert found[1].any()


def test_no_boxes_give_no_embeddings() -> None:
    assert EMBEDDER.embed(frame(texture(1)), np.zeros((0, 4), np.float32)).shape == (0, 1024)


def test_values_that_are_not_numbers_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = FaceEmbedder(threads=1)
    monkeypatch.setattr(
        embedder._session, "run", lambda batch: [np.full((len(batch), 1024), np.nan, np.float32)]
    )
    with pytest.raises(DetectionError):
        embedder.embed(frame(texture(1)), FACE)


def test_the_same_face_is_kept_and_another_picture_is_not() -> None:
    known = KeepList({"me.jpg": frame(texture(1))}, Fixed(FACE), EMBEDDER)
    found = detections(FACE, np.ones(1, np.float32), Target.FACE)
    stripes = np.repeat(np.arange(120, dtype=np.uint8)[None, :, None] % 8 * 30, 120, axis=0).repeat(3, axis=2)
    assert known.matches(frame(texture(1)), found).tolist() == [True]
    assert known.matches(frame(stripes), found).tolist() == [False]


@pytest.mark.parametrize(("offset", "kept"), [(0.001, True), (-0.001, False)])
def test_the_threshold_decides(offset: float, kept: bool) -> None:
    known = keep_list({0: (1, 0), 200: cosine(THRESHOLD + offset)})
    found = detections(boxes_at(200), np.ones(1, np.float32), Target.FACE)
    assert known.matches(frame(texture(1)), found).tolist() == [kept]


def test_of_two_faces_like_one_picture_only_the_nearer_is_kept() -> None:
    known = keep_list({0: (1, 0), 200: cosine(0.93), 400: cosine(0.96), 600: cosine(0.1)})
    found = detections(boxes_at(200, 400, 600), np.ones(3, np.float32), Target.FACE)
    assert known.matches(frame(texture(1)), found).tolist() == [False, True, False]


def test_two_people_are_kept_at_once() -> None:
    known = keep_list({0: (1, 0), 100: (0, 1), 200: cosine(0.97), 400: (0.05, 0.99)}, lefts=(0, 100))
    found = detections(boxes_at(200, 400), np.ones(2, np.float32), Target.FACE)
    assert known.matches(frame(texture(1)), found).tolist() == [True, True]


@given(side=st.floats(0, SMALLEST - 0.01))
@settings(max_examples=20, deadline=None)
def test_a_small_face_is_never_kept(side: float) -> None:
    known = keep_list({0: (1, 0), 200: (1, 0)})
    found = detections(boxes_at(200, side=side), np.ones(1, np.float32), Target.FACE)
    assert known.matches(frame(texture(1)), found).tolist() == [False]


@pytest.mark.parametrize("target", [target for target in Target if target is not Target.FACE])
def test_only_faces_are_kept(target: Target) -> None:
    known = keep_list({0: (1, 0), 200: (1, 0)})
    found = detections(boxes_at(200), np.ones(1, np.float32), target)
    assert known.matches(frame(texture(1)), found).tolist() == [False]


def test_nothing_found_and_nobody_known_keep_nothing() -> None:
    known = keep_list({0: (1, 0)})
    assert known.matches(frame(texture(1)), Detections.none()).tolist() == []
    nobody = KeepList({}, Fixed(FACE), EMBEDDER)
    found = detections(FACE, np.ones(1, np.float32), Target.FACE)
    assert nobody.matches(frame(texture(1)), found).tolist() == [False]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (boxes_at(), r"no face was found in me\.jpg"),
        (boxes_at(0, 60), r"2 faces were found in me\.jpg"),
        (boxes_at(0, side=12), r"the face in me\.jpg is too small"),
    ],
)
def test_a_picture_that_does_not_show_one_clear_face_is_refused(boxes: Boxes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        KeepList({"me.jpg": frame(texture(1))}, Fixed(boxes), EMBEDDER)


def test_a_plate_in_the_picture_is_no_face() -> None:
    with pytest.raises(InputError, match="no face"):
        KeepList({"me.jpg": frame(texture(1))}, Fixed(FACE, Target.PLATE), EMBEDDER)


@given(
    corners=st.lists(st.floats(-50, 200), min_size=4, max_size=4),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
@settings(max_examples=60, deadline=None)
def test_a_crop_is_always_of_the_networks_size(corners: list[float], size: tuple[int, int]) -> None:
    picture: Bgr = np.full((*size, 3), 77, np.uint8)
    crop = identity._crop(picture, np.array(corners, np.float32))
    assert crop is None or (crop.shape == (224, 224, 3) and (crop == 77).all())
