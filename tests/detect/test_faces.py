"""Faces: decoding against a plain loop, the looks at a still, the second opinion, and the whole detector."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyelid.detect import centerface, closer, faces, realface
from eyelid.detect.base import iou
from eyelid.detect.centerface import Faces, decode, join, look
from eyelid.detect.faces import FaceDetector, still_sides, weigh
from eyelid.detect.realface import RealFace, crop
from eyelid.errors import DetectionError, ModelError
from eyelid.models import cards
from eyelid.models.session import Device, Precision, Session
from eyelid.types import Quality, Target
from tests.detect.pictures import blank, frame_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.types import Bgr, RawFrame

Maps = list["NDArray[np.float32]"]


def maps_of(height: int, width: int, seed: int) -> Maps:
    """Four maps as CenterFace returns them, with some cells that look like faces."""
    rng = np.random.default_rng(seed)
    heat = rng.random((1, 1, height, width)) ** 3
    return [
        heat.astype(np.float32),
        rng.normal(1, 0.5, (1, 2, height, width)).astype(np.float32),
        rng.uniform(-0.5, 0.5, (1, 2, height, width)).astype(np.float32),
        rng.random((1, 10, height, width)).astype(np.float32),
    ]


def one_face(size: tuple[int, int], row: int, column: int, score: float = 0.95, side: float = 40.0) -> Maps:
    """Maps for a network input of ``size`` with one square face in a cell."""
    width, height = size[0] // 4, size[1] // 4
    maps = [np.zeros((1, channels, height, width), np.float32) for channels in (1, 2, 2, 10)]
    maps[0][0, 0, row, column] = score
    maps[1][0, :, row, column] = math.log(side / 4)
    return maps


class Network:
    """A stand-in for CenterFace: finds one face at the brightest pixel of what it is shown."""

    def __init__(self, score: float = 0.95) -> None:
        self.score = score
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: Bgr) -> Maps:
        """Return maps with one face of 40 pixels."""
        self.shapes.append(batch.shape)
        row, column = np.unravel_index(batch[0, :, :, 0].argmax(), batch.shape[1:3])
        return one_face((batch.shape[2], batch.shape[1]), int(row) // 4, int(column) // 4, self.score)


def with_network(
    monkeypatch: pytest.MonkeyPatch, network: object, *, moving: bool, quality: Quality = Quality.BALANCED
) -> FaceDetector:
    monkeypatch.setattr(faces, "Session", lambda *_, **__: network)
    return FaceDetector(quality, moving=moving)


def spotted(width: int, height: int, x: int, y: int) -> RawFrame:
    """A dark frame with one bright square around x, y."""
    picture = np.full((height, width, 3), 20, np.uint8)
    picture[y - 8 : y + 8, x - 8 : x + 8] = 250
    return frame_of(picture)


@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 1000))
def test_decoding_is_that_of_a_plain_loop(height: int, width: int, seed: int) -> None:
    maps = maps_of(height, width, seed)
    heat = maps[0][0, 0]
    expected = []
    for row in range(height):
        for column in range(width):
            score = heat[row, column]
            neighbours = heat[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            if score < 0.3 or score < neighbours.max():
                continue
            tall, broad = (4 * math.exp(maps[1][0, i, row, column]) for i in range(2))
            middle_y = 4 * (row + maps[2][0, 0, row, column] + 0.5)
            middle_x = 4 * (column + maps[2][0, 1, row, column] + 0.5)
            box = (middle_x - broad / 2, middle_y - tall / 2, middle_x + broad / 2, middle_y + tall / 2)
            expected.append((score, box))
    expected.sort(key=lambda entry: -entry[0])
    kept: list[tuple[float, tuple[float, ...]]] = []
    for score, box in expected:
        others = np.array([other for _, other in kept], np.float32).reshape(-1, 4)
        if not len(others) or iou(np.array([box], np.float32), others).max() <= centerface.SAME_FACE:
            kept.append((score, box))
    found = decode(maps, 0.3)
    np.testing.assert_allclose(found.scores, [score for score, _ in kept])
    np.testing.assert_allclose(
        found.boxes, np.reshape([box for _, box in kept], (-1, 4)), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_maps_that_are_not_finite_are_an_error(which: int, value: float) -> None:
    maps = one_face((64, 64), 3, 3)
    maps[which][0, -1, 5, 5] = value
    with pytest.raises(DetectionError, match="centerface"):
        decode(maps, 0.3)


def test_a_look_speaks_in_pixels_of_the_frame() -> None:
    frame = spotted(400, 200, 100, 60)
    found = look(Network(), frame, (640, 320), 0.3)  # type: ignore[arg-type]
    assert len(found) == 1
    middle = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
    assert np.abs(middle - (100, 60)).max() < 12
    np.testing.assert_allclose(found.boxes[0, 2:] - found.boxes[0, :2], 40 * 400 / 640, rtol=1e-5)


def test_joined_looks_hold_each_face_once_as_seen_best() -> None:
    near = Faces(np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32), np.array([0.5, 0.4], np.float32))
    far = Faces(np.array([[1, 0, 11, 10]], np.float32), np.array([0.8], np.float32))
    both = join([near, far])
    assert both.boxes.tolist() == [[1, 0, 11, 10], [50, 50, 60, 60]]
    np.testing.assert_allclose(both.scores, [0.8, 0.4])


@given(st.integers(1, 30_000), st.integers(1, 30_000), st.sampled_from(list(Quality)))
def test_looks_at_a_still_are_never_larger_than_they_help(width: int, height: int, quality: Quality) -> None:
    frame = blank(1, 1)
    object.__setattr__(frame, "width", width)
    object.__setattr__(frame, "height", height)
    sides = still_sides(frame, quality)
    own = max(width, height)
    assert all(0 < side <= 2 * own + 1 for side in sides)
    for side in sides:
        pixels = side * side * min(width, height) / own
        assert pixels <= 2560 * 1920 * 1.01 + 2 * own
    if quality is Quality.BALANCED:
        assert list(sides) == sorted(sides)
        assert all(b <= faces.STEEPEST * a + 2 for a, b in pairwise(sides))


def test_thorough_looks_at_more_than_balanced_and_balanced_at_more_than_fast() -> None:
    frame = blank(1600, 1200)
    work = [sum(side * side for side in still_sides(frame, quality)) for quality in Quality]
    assert work == sorted(work)
    assert len(set(work)) == 3


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(-2, 2)), min_size=1, max_size=9))
def test_doubt_lowers_and_never_raises(entries: list[tuple[float, float]]) -> None:
    scores = np.array([score for score, _ in entries], np.float32)
    verdicts = np.array([verdict for _, verdict in entries], np.float32)
    weighed = weigh(scores, verdicts)
    assert (weighed <= scores).all()
    assert (weighed >= 0).all()
    if verdicts.min() >= 0:
        np.testing.assert_array_equal(weighed, scores)


def test_a_photographed_face_survives_among_drawings() -> None:
    verdicts = np.array([0.6, -1, -1, -1], np.float32)
    weighed = weigh(np.full(4, 0.7, np.float32), verdicts)
    assert weighed[0] > faces.STILL_SCORE
    assert (weighed[1:] < faces.STILL_SCORE).all()


class Critic:
    """A second opinion that says the same of all, and counts whom it judged."""

    def __init__(self, verdict: float) -> None:
        self.verdict = verdict
        self.judged: list[Sequence[float]] = []

    def judge(self, _: Bgr, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the same verdict for each box."""
        self.judged += boxes.tolist()
        return np.full(len(boxes), self.verdict, np.float32)


def doubted(critic: Critic, widths: Sequence[float], score: float, enlarged: int = 1) -> Faces:
    boxes = np.array([[0, 0, width, width] for width in widths], np.float32)
    found = Faces(boxes, np.full(len(boxes), score, np.float32))
    frame = blank(400 * enlarged, 300 * enlarged)
    return faces._doubted(found, frame, critic)  # type: ignore[arg-type]


def test_small_and_sure_faces_are_covered_unasked() -> None:
    critic = Critic(-1)
    assert doubted(critic, [10, 23], 0.5).scores.tolist() == [0.5, 0.5]
    sure = np.float32(faces.SURE)
    assert doubted(critic, [80], faces.SURE).scores.tolist() == [sure]
    assert doubted(critic, [40], 0.5, enlarged=10).scores.tolist() == [0.5]
    assert critic.judged == []


def test_a_crowd_is_judged_in_full_only_where_it_looks_wrong() -> None:
    widths = list(range(30, 50))
    kind, harsh = Critic(0.5), Critic(-1)
    assert (doubted(kind, widths, 0.5).scores == 0.5).all()
    assert [box[2] for box in kind.judged] == [max(widths)]
    assert (doubted(harsh, widths, 0.5).scores == 0).all()
    assert len(harsh.judged) == len(widths)


def test_a_crop_is_grey_and_blind_to_exposure() -> None:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 120, (80, 80, 3), dtype=np.uint8)
    box = np.array([20, 20, 60, 60], np.float32)
    bright, dark = crop(picture, box), crop((picture // 4).astype(np.uint8), box)
    assert bright.shape == (224, 224, 3)
    assert (bright[..., 0] == bright[..., 2]).all()
    assert np.abs(bright.astype(int) - dark).mean() < 12


@pytest.mark.parametrize("box", [[0, 0, 0, 0], [-50, -50, -10, -10], [0, 0, 4000, 4000]])
def test_a_crop_of_any_box_can_be_made(box: list[float]) -> None:
    assert crop(np.full((9, 7, 3), 40, np.uint8), np.array(box, np.float32)).shape == (224, 224, 3)


def test_noise_and_flat_colour_are_no_photographed_faces() -> None:
    picture = np.full((300, 600, 3), 120, np.uint8)
    picture[:, 300:] = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    boxes = np.array([[50, 50, 250, 250], [350, 50, 550, 250]], np.float32)
    verdicts = RealFace(device=Device.CPU, threads=1).judge(picture, boxes)
    assert (verdicts < 0).all()


@pytest.mark.parametrize("damage", [b"\0", b"missing"])
def test_an_altered_judge_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, damage: bytes) -> None:
    for path in cards.WEIGHTS.iterdir():
        if path.name != "realface.onnx":
            (tmp_path / path.name).symlink_to(path)
        elif damage != b"missing":
            (tmp_path / path.name).write_bytes(path.read_bytes() + damage)
    monkeypatch.setattr(cards, "WEIGHTS", tmp_path)
    with pytest.raises(ModelError, match="reinstall"):
        RealFace(device=Device.CPU, threads=1)


def test_every_network_in_use_is_named() -> None:
    assert FaceDetector(threads=1).models == ("centerface", "faceres", "realface")
    assert FaceDetector(threads=1, moving=True).models == ("centerface",)


def test_the_verdict_is_what_the_two_networks_give() -> None:
    picture = np.random.default_rng(1).integers(0, 255, (200, 300, 3), dtype=np.uint8)
    boxes = np.array([[10 * i, 5 * i, 60 + 12 * i, 90 + 4 * i] for i in range(9)], np.float32)
    verdicts = RealFace(device=Device.CPU, threads=1, precision=Precision.F32).judge(picture, boxes)
    crops = np.stack([crop(picture, box) for box in boxes])
    embeddings = Session(realface.EMBEDDER, threads=1).run(crops)[0]
    expected = Session(realface.JUDGE, threads=1).run(embeddings)[0][:, 0]
    np.testing.assert_allclose(verdicts, expected, atol=1e-3)


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("quality", list(Quality))
def test_a_picture_of_nothing_has_no_faces(moving: bool, quality: Quality) -> None:
    detector = FaceDetector(quality, moving=moving, threads=1)
    gradient = np.linspace(0, 255, 320, dtype=np.uint8)[None, :, None].repeat(200, axis=0).repeat(3, axis=2)
    found = detector.detect([frame_of(gradient), blank(1, 1), blank(3, 701)])
    assert [len(one) for one in found] == [0, 0, 0]


def test_a_sure_face_needs_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = spotted(1280, 720, 700, 300)
    for moving in (False, True):
        network = Network()
        found = with_network(monkeypatch, network, moving=moving).detect([frame])[0]
        assert len(network.shapes) == 1
        assert all(side % centerface.MULTIPLE == 0 for side in network.shapes[0][1:3])
        assert set(found.targets) == {Target.FACE}
        middle = (found.boxes[0, :2] + found.boxes[0, 2:]) / 2
        assert np.abs(middle - (700, 300)).max() < 20


@pytest.mark.parametrize(("x", "y"), [(700, 300), (12, 12), (1268, 708), (640, 12)])
def test_a_doubtful_face_is_looked_at_closer(monkeypatch: pytest.MonkeyPatch, x: int, y: int) -> None:
    network = Network(faces.STILL_SCORE + 0.01)
    monkeypatch.setattr(faces, "RealFace", lambda **_: Critic(1))
    found = with_network(monkeypatch, network, moving=False).detect([spotted(1280, 720, x, y)])[0]
    assert [shape[1:3] for shape in network.shapes[1:]] == [(closer.WINDOW, closer.WINDOW)]
    boxes = found.boxes
    assert ((boxes[:, :2] - 9 <= (x, y)) & (boxes[:, 2:] + 9 >= (x, y))).all()


def test_what_leaves_only_a_hint_in_the_first_look_is_found_by_the_closer_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hint = faces.HINT

    class Sharper(Network):
        def run(self, batch: Bgr) -> Maps:
            self.score = 0.9 if batch.shape[1] == closer.WINDOW else hint
            return super().run(batch)

    frame = spotted(1280, 720, 700, 300)
    assert len(with_network(monkeypatch, Sharper(), moving=False).detect([frame])[0]) == 1
    monkeypatch.setattr(faces, "HINT", 0.1)
    assert len(with_network(monkeypatch, Sharper(), moving=False).detect([frame])[0]) == 0


def test_doubts_everywhere_and_small_pictures_are_looked_at_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    class Doubtful(Network):
        def run(self, batch: Bgr) -> Maps:
            self.shapes.append(batch.shape)
            maps = one_face((batch.shape[2], batch.shape[1]), 0, 0, side=8.0)
            maps[0][0, 0, ::3, ::3] = 0.2
            return maps

    for width, height in ((1280, 720), (200, 150)):
        network = Doubtful()
        with_network(monkeypatch, network, moving=False).detect([blank(width, height)])
        assert len(network.shapes) == 2
        assert network.shapes[1][2] > network.shapes[0][2]
        assert network.shapes[1][1:3] != (closer.WINDOW, closer.WINDOW)


def test_video_keeps_low_scores_for_the_tracker_and_stills_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = spotted(640, 384, 300, 200)
    video = with_network(monkeypatch, Network(0.15), moving=True)
    assert len(video.detect([frame])[0]) == 1
    assert video.start_score > 0.15
    assert len(with_network(monkeypatch, Network(0.15), moving=False).detect([frame])[0]) == 0


def test_boxes_end_at_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = with_network(monkeypatch, Network(), moving=True)
    box = detector.detect([spotted(640, 384, 9, 9)])[0].boxes[0]
    assert box[:2].tolist() == [0, 0]


def test_a_network_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def run(self, batch: Bgr) -> Maps:
            return [np.full((1, channels, 8, 8), np.nan, np.float32) for channels in (1, 2, 2, 10)]

    for moving in (False, True):
        with pytest.raises(DetectionError):
            with_network(monkeypatch, Broken(), moving=moving).detect([blank(64, 64)])
