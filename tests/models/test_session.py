"""Sessions compute what another engine computes, refuse what is broken, and keep to themselves."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from eyelid.errors import DetectionError, ModelError
from eyelid.models import cards as room
from eyelid.models import cpu, cuda
from eyelid.models.cards import WEIGHTS, InputConvention, card, cards
from eyelid.models.session import Batch, Device, Precision, Session

NAMES = [found.name for found in cards() if not found.after]
DOUBLE = InputConvention(layout="nchw", channels="rgb", mean=(1, 2, 3), scale=(2, 4, 8))


def pictures(name: str, count: int = 1, width: int = 128, height: int = 96) -> NDArray[np.uint8]:
    """Smooth pictures with structure, of a size that the network takes."""
    convention = card(name).input
    height, width = convention.height or height, convention.width or width
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (5 + c)) * np.cos(y / (7 + i)) for i in range(count) for c in range(3)]
    stack = np.stack(waves).reshape(count, 3, height, width).transpose(0, 2, 3, 1)
    return np.ascontiguousarray((stack * 120 + 128).astype(np.uint8))


def write_model(path: Path, *, inputs: int = 1, kind: int = TensorProto.FLOAT) -> Path:
    """A user's network: the sum of its inputs, times two."""
    shape: list[str | int | None] = ["n", 3, "h", "w"]
    names = [f"x{i}" for i in range(inputs)]
    nodes = [helper.make_node("Sum", [*names, names[0]], ["y"])]
    graph = helper.make_graph(
        nodes,
        "double",
        [helper.make_tensor_value_info(name, kind, shape) for name in names],
        [helper.make_tensor_value_info("y", kind, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("name", NAMES)
def test_float32_agrees_with_onnxruntime(name: str) -> None:
    batch = card(name).input.prepare(pictures(name))
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    reference = ort.InferenceSession(card(name).weights(), options, providers=["CPUExecutionProvider"])
    expected = reference.run(None, {reference.get_inputs()[0].name: batch})
    session = Session(name, precision=Precision.F32, threads=1)
    results = session.run(batch)
    assert session.outputs == tuple(output.name for output in reference.get_outputs())
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == np.float32
        np.testing.assert_allclose(result, wanted, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_pictures_enter_by_the_convention_of_the_card(name: str) -> None:
    session = Session(name, precision=Precision.F32, threads=1)
    batch = pictures(name, count=2)
    for result, wanted in zip(session.run(batch), session.run(card(name).input.prepare(batch)), strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-3)


def test_a_network_may_take_what_another_gives() -> None:
    judge = card("realface")
    assert judge.after == "faceres"
    assert judge.input == card(judge.after).input
    embedding = Session(judge.after, threads=1).run(pictures(judge.after, count=3))[0]
    (verdict,) = Session(judge.name, threads=1).run(embedding)
    reference = ort.InferenceSession(judge.weights(), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(verdict, reference.run(None, {"embedding": embedding})[0], atol=1e-3)
    layer = cpu.constants(judge.weights())
    np.testing.assert_allclose(verdict, embedding @ layer["w0"] + layer["w1"], atol=1e-3)
    with pytest.raises(ValueError, match="takes"):
        Session(judge.name, threads=1).run(pictures(judge.after))


@pytest.mark.skipif(not cpu.has_bf16(), reason="this processor has no bfloat16")
@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_is_close(name: str) -> None:
    exact = Session(name, precision=Precision.F32, threads=1).run(pictures(name))
    short = Session(name, precision=Precision.BF16, threads=1).run(pictures(name))
    for result, wanted in zip(short, exact, strict=True):
        assert np.abs(result - wanted).mean() < 0.02 * np.abs(wanted).max()
        assert not np.array_equal(result, wanted)


def test_automatic_precision_follows_processor_and_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "has_bf16", lambda: True)
    assert Session("plate", threads=1).precision is Precision.BF16
    assert Session("faceres", threads=1).precision is Precision.F32
    monkeypatch.setattr(cpu, "has_bf16", lambda: False)
    assert Session("plate", threads=1).precision is Precision.F32
    with pytest.raises(ModelError, match="no bfloat16"):
        Session("plate", precision=Precision.BF16)


@given(width=st.integers(1, 6), height=st.integers(1, 6), count=st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_any_size_and_batch_goes_and_pictures_of_a_batch_are_independent(
    width: int, height: int, count: int
) -> None:
    session = SMALL_SESSION
    batch = pictures("centerface", count, width * 32, height * 32)
    (heatmap, *_) = session.run(batch)
    assert heatmap.shape == (count, 1, height * 8, width * 8)
    for i in range(count):
        np.testing.assert_allclose(heatmap[i], session.run(batch[i : i + 1])[0][0], atol=1e-4)


SMALL_SESSION = Session("centerface", precision=Precision.F32, threads=1)


def test_a_steady_session_gives_the_same_for_changing_sizes() -> None:
    steady = Session("centerface", precision=Precision.F32, threads=1, steady=True)
    for width, height in ((128, 96), (64, 64), (128, 96)):
        batch = pictures("centerface", 1, width, height)
        for result, wanted in zip(steady.run(batch), SMALL_SESSION.run(batch), strict=True):
            np.testing.assert_allclose(result, wanted, atol=1e-4)


@pytest.mark.parametrize("steady", [False, True])
def test_two_threads_share_a_session(steady: bool) -> None:
    session = Session("plate", precision=Precision.F32, threads=1, steady=steady)
    batches = [np.roll(pictures("plate"), 9 * i, axis=2) for i in range(12)]
    alone = [session.run(batch) for batch in batches]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(session.run, batches))
    for result, wanted in zip(together, alone, strict=True):
        for a, b in zip(result, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_results_belong_to_the_caller() -> None:
    first = SMALL_SESSION.run(pictures("centerface"))
    before = [output.copy() for output in first]
    SMALL_SESSION.run(255 - pictures("centerface"))
    for output, copy in zip(first, before, strict=True):
        np.testing.assert_array_equal(output, copy)


def test_a_view_that_is_not_contiguous_gives_the_same() -> None:
    wide = pictures("centerface", 1, 192, 96)
    np.testing.assert_array_equal(
        SMALL_SESSION.run(wide[:, :, ::-1][:, :, :128])[0],
        SMALL_SESSION.run(np.ascontiguousarray(wide[:, :, ::-1][:, :, :128]))[0],
    )


def test_weights_that_are_not_those_of_the_card_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("plate.onnx", "plate.json"):
        (tmp_path / name).write_bytes((WEIGHTS / name).read_bytes())
    monkeypatch.setattr(room, "WEIGHTS", tmp_path)
    (tmp_path / "plate.onnx").write_bytes((WEIGHTS / "plate.onnx").read_bytes()[:-1])
    with pytest.raises(ModelError, match="not the ones that their card names"):
        Session("plate")


@pytest.mark.parametrize("keep", [0, 1, 100, 10_000, 400_000])
def test_a_truncated_file_of_a_user_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes((WEIGHTS / "plate.onnx").read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"mine\.onnx"):
        Session(path)


def test_damaged_files_of_a_user_are_refused_or_run(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    sound = np.frombuffer(write_model(tmp_path / "sound.onnx").read_bytes(), np.uint8)
    path = tmp_path / "mine.onnx"
    refused = 0
    for _ in range(60):
        damaged = sound.copy()
        damaged[random.integers(len(sound), size=3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            Session(path, threads=1)
        except ModelError:
            refused += 1
    assert refused > 20


def test_a_file_that_is_missing_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.onnx", tmp_path):
        with pytest.raises(ModelError, match="cannot be read"):
            Session(path)


@pytest.mark.parametrize(("inputs", "kind"), [(2, TensorProto.FLOAT), (1, TensorProto.DOUBLE)])
def test_a_user_network_with_other_inputs_is_refused(tmp_path: Path, inputs: int, kind: int) -> None:
    with pytest.raises(ModelError, match="exactly one input, of type float32"):
        Session(write_model(tmp_path / "mine.onnx", inputs=inputs, kind=kind))


def test_a_user_network_runs_on_floats_and_with_a_convention_on_pictures(tmp_path: Path) -> None:
    path = write_model(tmp_path / "mine.onnx")
    session = Session(path, precision=Precision.F32, convention=DOUBLE)
    picture = pictures("plate", 1, 5, 4)
    assert session.shape == (None, 3, None, None)
    np.testing.assert_allclose(session.run(picture)[0], 2 * DOUBLE.prepare(picture), rtol=1e-6)
    with pytest.raises(ValueError, match="no input convention"):
        Session(path).run(picture)


@pytest.mark.parametrize(
    "batch",
    [
        np.zeros((1, 4, 32, 32), np.float32),
        np.zeros((3, 32, 32), np.float32),
        np.zeros((1, 3, 0, 32), np.float32),
        np.zeros((1, 3, 32, 32), np.uint8),
        np.zeros((1, 3, 32, 32), np.float64),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(batch: NDArray[np.float32]) -> None:
    with pytest.raises(ValueError, match=r"takes|uint8 or float32"):
        SMALL_SESSION.run(batch)


@pytest.mark.parametrize("side", [1, 16, 33, 47, 48])
@pytest.mark.parametrize("name", ["centerface", "nanodet", "text"])
def test_a_size_that_the_layers_cannot_take_is_refused(name: str, side: int) -> None:
    session = Session(name, threads=1)
    with pytest.raises(ValueError, match="in multiples of 32"):
        session.run(np.zeros((1, 3, 64, side), np.float32))
    with pytest.raises(ValueError, match="in multiples of 32"):
        session.run(np.zeros((1, side, 64, 3), np.uint8))


@pytest.mark.parametrize("name", ["centerface", "nanodet", "text"])
def test_a_user_network_that_cannot_take_a_size_says_so(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(card(name).weights())
    session = Session(path, threads=1)
    session.run(np.zeros((1, 3, 32, 64), np.float32))
    with pytest.raises(ModelError, match="cannot take a batch"):
        session.run(np.zeros((1, 3, 48, 40), np.float32))


@pytest.mark.parametrize("side", [1, 17, 50])
def test_plates_are_sought_at_any_size(side: int) -> None:
    batch = card("plate").input.prepare(pictures("plate", 1, side, 31))
    reference = ort.InferenceSession(card("plate").weights(), providers=["CPUExecutionProvider"])
    session = Session("plate", precision=Precision.F32, threads=1)
    for result, wanted in zip(session.run(batch), reference.run(None, {"image": batch}), strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-3)


def test_a_failed_inference_is_a_detection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(batch: Batch) -> list[NDArray[np.float32]]:
        raise RuntimeError("no memory")

    session = Session("plate", threads=1)
    monkeypatch.setattr(session, "_network", SimpleNamespace(run=fail))
    with pytest.raises(DetectionError, match="cover the whole frame"):
        session.run(pictures("plate"))


def test_cuda_without_a_gpu_runtime_is_refused_and_never_runs_on_the_cpu() -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this machine has ONNX Runtime for GPUs")
    with pytest.raises(ModelError, match=r"eyelid\[cuda\]"):
        Session("plate", device=Device.CUDA)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """ONNX Runtime's CPU engine in the place of its GPU engine, which machines for tests lack."""
    monkeypatch.setattr(cuda, "_CUDA", "CPUExecutionProvider")
    cuda.check_gpu.cache_clear()
    cuda._installed.cache_clear()
    yield
    cuda.check_gpu.cache_clear()
    cuda._installed.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_cuda_takes_pictures_as_the_cpu_does(name: str, stand_in: None) -> None:
    there = Session(name, device=Device.CUDA)
    here = Session(name, precision=Precision.F32, threads=1)
    assert (there.shape, there.outputs, there.precision) == (here.shape, here.outputs, Precision.F32)
    batch = pictures(name, count=2)
    for result, wanted in zip(there.run(batch), here.run(batch), strict=True):
        np.testing.assert_allclose(result, wanted, atol=1e-3)


def test_a_device_may_be_named_by_its_word(stand_in: None) -> None:
    assert isinstance(Session("plate", device="cuda")._network, cuda.CudaNetwork)  # type: ignore[arg-type]


def test_cuda_keeps_an_engine_for_each_of_the_last_shapes(
    stand_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[int, tuple[int, ...]]] = []
    real = ort.InferenceSession

    class Engine:
        made = 0

        def __init__(self, *args: object, **kwargs: object) -> None:
            self._number, Engine.made = Engine.made, Engine.made + 1
            self._real = real(*args, **kwargs)

        def __getattr__(self, name: str) -> object:
            return getattr(self._real, name)

        def run(self, names: None, inputs: dict[str, NDArray[np.float32]]) -> object:
            ran.extend((self._number, batch.shape) for batch in inputs.values())
            return self._real.run(names, inputs)

    found = card("plate")
    monkeypatch.setattr(ort, "InferenceSession", Engine)
    network = cuda.CudaNetwork(found.weights(), "plate", Precision.F32, found.input)
    sides = [32, 64, 32, 64, 96, 128, 32, 160, 160, 64, 32]
    for side in sides:
        network.run(np.zeros((1, side, 32, 3), np.uint8))
    assert [shape[2] for _, shape in ran] == sides
    assert [number for number, _ in ran] == [0, 1, 0, 1, 2, 3, 0, 1, 1, 2, 0]
    assert Engine.made == cuda.KEPT


def test_a_gpu_that_fails_at_its_work_is_refused_before_a_run(
    stand_in: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(network: cuda.CudaNetwork, batch: Batch) -> list[NDArray[np.float32]]:
        raise RuntimeError("cuDNN is unavailable")

    monkeypatch.setattr(cuda.CudaNetwork, "run", fail)
    with pytest.raises(ModelError, match="cuDNN"):
        Session("centerface", device=Device.CUDA)


def test_cuda_computes_in_float32_only(stand_in: None) -> None:
    with pytest.raises(ModelError, match="f32 or auto"):
        Session("plate", device=Device.CUDA, precision=Precision.BF16)


def test_a_failed_inference_on_cuda_is_a_detection_error(stand_in: None, tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    path.write_bytes(card("centerface").weights())
    with pytest.raises(DetectionError, match="cover the whole frame"):
        Session(path, device=Device.CUDA).run(np.zeros((1, 3, 48, 40), np.float32))


WATCHED = """
import socket, sys
def refuse(*args, **kwargs): raise SystemExit("a socket was opened")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
import numpy as np
from eyelid.models.session import Session
Session("plate").run(np.zeros((1, 64, 64, 3), np.uint8))
loaded = [name for name in sys.modules if name.startswith("openvino_telemetry") and sys.modules[name]]
raise SystemExit(f"telemetry was loaded: {loaded}" if loaded else 0)
"""


def test_nothing_is_sent_and_nothing_is_written(tmp_path: Path) -> None:
    quiet = {"CI", "TF_BUILD", "JENKINS_URL"}  # there OpenVINO's telemetry is silent by itself
    environment = {key: value for key, value in os.environ.items() if key not in quiet}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", WATCHED], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []


def test_openvino_is_imported_in_one_place_only() -> None:
    source = Path(cpu.__file__).parents[1]
    importers = [path for path in source.rglob("*.py") if "import openvino" in path.read_text()]
    importers += [path for path in source.rglob("*.py") if "from openvino" in path.read_text()]
    assert set(importers) == {Path(cpu.__file__)}


def test_the_networks_take_any_size_where_their_layers_allow() -> None:
    sizes = {found.name: Session(found.name, threads=1).shape for found in cards()}
    assert sizes.pop("faceres") == (None, 224, 224, 3)
    assert sizes.pop("dlibface") == (None, 3, 150, 150)
    assert sizes.pop("realface") == (None, 1024)
    assert set(sizes.values()) == {(None, 3, None, None)}
