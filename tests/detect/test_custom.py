import json
import sys
from pathlib import Path

import numpy as np
import pytest
import supervision as sv
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from eyelid.detect.base import Detector
from eyelid.detect.custom import SupervisionDetector, load_detector
from eyelid.detect.letterbox import GREY, Letterbox
from eyelid.detect.onnx_detector import Layout, OnnxDetector, OnnxDetectorSpec
from eyelid.detect.supervision import from_supervision, to_supervision
from eyelid.errors import DetectionError, ModelError, UsageError
from eyelid.models.session import Device
from eyelid.types import Bgr, Detections, Target
from tests.detect.pictures import blank, constant_network, frame_of, save

sides = st.integers(1, 5000)
boxes = st.lists(st.tuples(*[st.floats(0, 1)] * 4), min_size=1, max_size=5)


@given(sides, sides, st.integers(32, 700), st.integers(32, 700), boxes)
@settings(max_examples=200, deadline=None)
def test_letterbox_there_and_back(
    width: int, height: int, input_width: int, input_height: int, parts: list[tuple[float, ...]]
) -> None:
    box = Letterbox.of(width, height, input_width, input_height)
    assert min(box.left, box.top) >= 0
    assert box.left + box.size[0] <= input_width
    assert box.top + box.size[1] <= input_height
    assert box.size[0] == input_width or box.size[1] == input_height
    start, size = np.array([box.left, box.top] * 2), np.array(box.size * 2)
    inside = (start + np.array(parts) * size).astype(np.float32)
    expected = np.array(parts) * np.array([width, height] * 2)
    np.testing.assert_allclose(box.undo(inside), expected, atol=max(width, height) * 1e-3)


def test_letterbox_draws_the_frame_in_the_middle_and_grey_around() -> None:
    picture = Letterbox.of(100, 50, 64, 64).draw(blank(100, 50, 200))
    assert (picture[16:48] == 200).all()
    assert (picture[:16] == GREY).all()
    assert (picture[48:] == GREY).all()


def onnx(path: Path, output: ArrayLike, side: int | None = 64) -> Path:
    return constant_network(path / "own.onnx", np.array(output, np.float32), side)


def columns(*rows: list[float], count: int = 40) -> NDArray[np.float32]:
    """Rows of an output (1, columns, count), those not given without any score."""
    output = np.zeros((1, len(rows[0]), count), np.float32)
    output[0, :, : len(rows)] = np.array(rows).T
    return output


def described(path: Path, **values: object) -> str:
    (path / "own.eyelid.json").write_text(json.dumps(values))
    return str(path / "own.onnx")


def load(spec: str) -> Detector:
    return load_detector(spec, device=Device.CPU, threads=1)


BOX = [32, 32, 20, 10]  # centre and size in an input of 64 x 64
TRUTH = [22 * 2, (27 - 16) * 2, 42 * 2, (37 - 16) * 2]  # the same in a frame of 128 x 64


@pytest.mark.parametrize(
    ("output", "layout"),
    [
        (columns([*BOX, 0.9, 0.1]), None),
        (columns([*BOX, 0.9, 0.1]).transpose(0, 2, 1), Layout.ROWS),
        (columns([*BOX, 0.9]).transpose(0, 2, 1), None),
        (columns([*BOX, 1.0, 0.2, 0.9]).transpose(0, 2, 1), Layout.ROWS_OBJECTNESS),
        (columns([*BOX, 0.9, *[0.0] * 79], count=200).transpose(0, 2, 1), None),
        (columns([*BOX, 1.0, 0.9, *[0.0] * 79], count=200).transpose(0, 2, 1), None),
        (columns([22, 27, 42, 37, 0.9, 3]).transpose(0, 2, 1), None),
    ],
)
def test_every_layout_gives_the_same_box(tmp_path: Path, output: ArrayLike, layout: Layout | None) -> None:
    path = onnx(tmp_path, output)
    detector = load(described(tmp_path, target="plate", layout=layout)) if layout else load(f"{path}:plate")
    (found,) = detector.detect([blank(128, 64)])
    assert found.targets == (Target.PLATE,)
    assert found.scores == pytest.approx([0.9])
    np.testing.assert_allclose(found.boxes, [TRUTH], atol=1e-3)
    assert detector.targets == {Target.PLATE}


@pytest.mark.parametrize(
    "shape", [(1, 8400, 6), (1, 8400, 7), (1, 3, 20, 20, 85), (2, 84, 100), (1, 4, 100), (1, 84), (100, 6)]
)
def test_an_output_of_doubtful_shape_is_refused_with_the_way_out(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    path = onnx(tmp_path, np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match=r"own\.eyelid\.json"):
        load(f"{path}:plate")


def test_a_layout_that_the_shape_contradicts_is_refused(tmp_path: Path) -> None:
    onnx(tmp_path, np.zeros((1, 9, 100)))
    with pytest.raises(ModelError, match="does not have the layout"):
        load(described(tmp_path, target="plate", layout="end-to-end"))


def test_classes_go_to_their_targets_and_a_target_narrows_them(tmp_path: Path) -> None:
    rows = [[10 + 15 * i, 32, 8, 8, *np.eye(4)[i] * 0.8] for i in range(4)]
    onnx(tmp_path, columns(*rows))
    name = described(tmp_path, classes={"0": "face", "2": "plate"})
    both, faces = load(name), load(f"{name}:face")
    (found,) = both.detect([blank(64, 64)])
    assert [(t, float(b[0])) for t, b in zip(found.targets, found.boxes, strict=True)] == [
        (Target.FACE, 6),
        (Target.PLATE, 36),
    ]
    assert faces.targets == {Target.FACE}
    assert faces.detect([blank(64, 64)])[0].targets == (Target.FACE,)
    with pytest.raises(UsageError, match="not screen"):
        load(f"{name}:screen")


def test_a_target_counts_even_where_an_ignored_class_scores_better(tmp_path: Path) -> None:
    onnx(tmp_path, columns([*BOX, 0.5, 0.7]))
    (found,) = load(described(tmp_path, classes={"0": "vehicle"})).detect([blank(128, 64)])
    assert found.targets == (Target.VEHICLE,)
    assert found.scores == pytest.approx([0.5])


def test_a_class_that_the_network_lacks_is_refused(tmp_path: Path) -> None:
    onnx(tmp_path, columns([*BOX, 0.5, 0.7]))
    with pytest.raises(ModelError, match="has 2 classes"):
        load(described(tmp_path, classes={"2": "vehicle"}))


def test_one_object_seen_twice_is_one_detection_that_covers_both(tmp_path: Path) -> None:
    path = onnx(tmp_path, columns([30, 32, 20, 20, 0.9], [34, 32, 20, 20, 0.6], [5, 5, 4, 4, 0.1]))
    (found,) = load(f"{path}:person").detect([blank(64, 64)])
    np.testing.assert_allclose(found.boxes, [[20, 22, 44, 42]])


def test_fractions_are_scaled_where_told_and_an_error_where_not(tmp_path: Path) -> None:
    path = onnx(tmp_path, columns([*np.array(BOX) / 64, 0.9]))
    with pytest.raises(DetectionError, match="fractions"):
        load(f"{path}:plate").detect([blank(128, 64)])
    (found,) = load(described(tmp_path, target="plate", coordinates="fractions")).detect([blank(128, 64)])
    np.testing.assert_allclose(found.boxes, [TRUTH], atol=1e-3)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([*BOX, np.nan], "not numbers"),
        ([np.inf, 32, 20, 10, 0.9], "not numbers"),
        ([*BOX, 3.0], "sigmoid"),
        ([*BOX, -4.0], "sigmoid"),
        ([32, 32, -20, 10, 0.9], "inside out"),
    ],
)
def test_nonsense_is_an_error_and_never_nothing(tmp_path: Path, row: list[float], words: str) -> None:
    path = onnx(tmp_path, columns(row))
    with pytest.raises(DetectionError, match=words):
        load(f"{path}:plate").detect([blank(128, 64)])


@pytest.mark.parametrize(("channels", "peak", "expected"), [("rgb", 1, 1.0), ("bgr", 255, 0.0)])
def test_the_picture_enters_in_the_order_and_scale_that_are_named(
    tmp_path: Path, channels: str, peak: float, expected: float
) -> None:
    """The score of this network is the mean of its first channel: 1 for red in RGB of 0..1."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["image", "first"], ["channel"], axis=1),
            helper.make_node("ReduceMean", ["channel"], ["mean"], keepdims=0),
            helper.make_node("Mul", ["mean", "mask"], ["part"]),
            helper.make_node("Add", ["part", "box"], ["output"]),
        ],
        "red",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, (1, 5, 10))],
        [
            numpy_helper.from_array(np.array(0), "first"),
            numpy_helper.from_array(
                np.array([[[0]] * 4 + [[1]]], np.float32) * np.ones((1, 5, 10), np.float32), "mask"
            ),
            numpy_helper.from_array(columns([*BOX, 0.0], count=10), "box"),
        ],
    )
    save(graph, tmp_path / "own.onnx")
    detector = load(
        described(
            tmp_path, target="face", channels=channels, peak=peak, side=64, score=0.001, layout="columns"
        )
    )
    red = np.zeros((64, 64, 3), np.uint8)
    red[..., 2] = 255
    (found,) = detector.detect([frame_of(red)])
    assert (found.scores.max() if len(found) else 0.0) == pytest.approx(expected)


def test_a_missing_file_a_bad_target_and_a_bad_form_say_what_to_do(tmp_path: Path) -> None:
    path = onnx(tmp_path, columns([*BOX, 0.9]))
    with pytest.raises(ModelError, match="does not exist"):
        load(f"{tmp_path / 'other.onnx'}:plate")
    with pytest.raises(UsageError, match="must end in a target"):
        load(f"{path}:plates")
    with pytest.raises(UsageError, match="name the target"):
        load(str(path))
    with pytest.raises(UsageError, match="neither"):
        load("nonsense:face")
    path.write_bytes(b"not a network")
    with pytest.raises(ModelError):
        load(f"{path}:plate")


@pytest.mark.parametrize(
    "text", ["", "{}", '{"target": "face", "classes": {"0": "face"}}', '{"target": "face", "sise": 3}', "[1]"]
)
def test_a_bad_description_is_refused(tmp_path: Path, text: str) -> None:
    path = onnx(tmp_path, columns([*BOX, 0.9]))
    (tmp_path / "own.eyelid.json").write_text(text)
    with pytest.raises(ModelError, match=r"own\.eyelid\.json"):
        load(str(path))


def test_a_network_that_takes_no_picture_is_refused(tmp_path: Path) -> None:
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "vector",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 10])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10])],
    )
    path = save(graph, tmp_path / "own.onnx")
    with pytest.raises(ModelError, match="must take one input"):
        OnnxDetector(path, OnnxDetectorSpec(target=Target.FACE), device=Device.CPU, threads=1)


def seen(
    confidence: NDArray[np.float64] | None = None,
    class_id: NDArray[np.int64] | None = None,
    mask: NDArray[np.bool_] | None = None,
) -> sv.Detections:
    found = np.array([[10.0, 10, 30, 20], [40, 5, 50, 9]])
    return sv.Detections(xyxy=found, confidence=confidence, class_id=class_id, mask=mask)


def spoilt(xyxy: ArrayLike) -> sv.Detections:
    """Detections with boxes that newer versions of supervision would refuse to hold."""
    found = seen()
    found.xyxy = np.array(xyxy, np.float64)
    return found


def test_a_callable_gets_the_frame_and_its_boxes_are_kept() -> None:
    pictures: list[Bgr] = []

    def find(picture: Bgr) -> sv.Detections:
        pictures.append(picture)
        return seen(confidence=np.array([0.9, 0.2]), class_id=np.array([0, 7]))

    picture = np.zeros((40, 60, 3), np.uint8)
    picture[..., 0] = 250
    detector = SupervisionDetector(find, {0: Target.PERSON}, channels="rgb")
    (found,) = detector.detect([frame_of(picture)])
    assert found.targets == (Target.PERSON,)
    assert found.boxes.tolist() == [[10, 10, 30, 20]]
    assert found.scores == pytest.approx([0.9])
    assert (pictures[0][..., 2] == 250).all()
    assert pictures[0].shape == (40, 60, 3)
    (every,) = SupervisionDetector(find, Target.SCREEN).detect([frame_of(picture)])
    assert every.targets == (Target.SCREEN, Target.SCREEN)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [1, 2, 3],
        seen(confidence=np.array([0.9, np.nan])),
        spoilt([[0, 0, np.inf, 4]]),
        spoilt([0, 0, 3, 4]),
        spoilt([[1, 2, 3, 4, 5]]),
        spoilt([[30, 0, 10, 4]]),
        RuntimeError("secret 4711"),
        KeyboardInterrupt(),
    ],
)
def test_a_callable_that_fails_or_answers_nonsense_is_an_error(answer: object) -> None:
    def find(picture: Bgr) -> sv.Detections:
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[return-value]

    expected = KeyboardInterrupt if isinstance(answer, KeyboardInterrupt) else DetectionError
    with pytest.raises(expected) as caught:
        SupervisionDetector(find, Target.FACE).detect([blank(60, 40)])
    assert "4711" not in str(caught.value)


def test_classes_are_needed_where_targets_go_by_class() -> None:
    with pytest.raises(DetectionError, match="no class numbers"):
        from_supervision(seen(), {0: Target.FACE})
    assert len(from_supervision(sv.Detections.empty(), {0: Target.FACE})) == 0


def test_boxes_grow_to_hold_their_masks() -> None:
    masks = np.zeros((2, 40, 60), bool)
    masks[0, 8:25, 12:40] = True
    found = from_supervision(seen(mask=masks), Target.PERSON)
    assert found.boxes.tolist() == [[10, 8, 40, 25], [40, 5, 50, 9]]


@given(st.integers(0, 6), st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_detections_survive_the_way_to_supervision_and_back(n: int, corners: bool, tracked: bool) -> None:
    rng = np.random.default_rng(n)
    start = rng.uniform(0, 50, (n, 2))
    found = Detections(
        np.concatenate([start, start + rng.uniform(1, 9, (n, 2))], axis=1).astype(np.float32),
        rng.uniform(0, 1, n).astype(np.float32),
        tuple(rng.choice(list(Target), n)),
        np.arange(n) if tracked else np.full(n, -1),
        tuple(rng.uniform(0, 50, (4, 2)).astype(np.float32) if corners else None for _ in range(n)),
    )
    back = from_supervision(to_supervision(found))
    np.testing.assert_array_equal(back.boxes, found.boxes)
    np.testing.assert_array_equal(back.scores, found.scores)
    np.testing.assert_array_equal(back.tracks, found.tracks)
    assert back.targets == found.targets
    for a, b in zip(back.polygons, found.polygons, strict=True):
        np.testing.assert_array_equal(np.array(a), np.array(b))


def test_a_callable_is_imported_by_name_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_street_model.py").write_text(
        "import numpy as np, supervision as sv\n"
        "class Model:\n"
        "    def find(self, picture):\n"
        "        return sv.Detections(xyxy=np.array([[1.0, 2, 3, 4]]))\n"
        "model = Model()\n"
        "number = 4\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    detector = load("own_street_model:model.find:vehicle")
    (found,) = detector.detect([blank(10, 10)])
    assert found.targets == (Target.VEHICLE,)
    assert found.boxes.tolist() == [[1, 2, 3, 4]]
    for name in ("own_street_model:nothing", "own_missing_model:find"):
        with pytest.raises(ModelError, match="cannot be imported"):
            load(f"{name}:vehicle")
    with pytest.raises(ModelError, match="not callable"):
        load("own_street_model:number:vehicle")
