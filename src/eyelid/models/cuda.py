"""Networks on an NVIDIA GPU, by ONNX Runtime."""

from __future__ import annotations

import io
from contextlib import redirect_stdout
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from eyelid.errors import ModelError
from eyelid.models.cards import card
from eyelid.models.session import Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.models.cards import InputConvention
    from eyelid.models.session import Batch
    from eyelid.types import Bgr

try:
    import onnxruntime as ort  # type: ignore[import-untyped]
except ImportError:
    ort = None

_CUDA = "CUDAExecutionProvider"
_OPTIONS: Final = {
    "use_tf32": "0",
    "cudnn_conv_algo_search": "HEURISTIC",  # the default also times every algorithm for each new shape
}
_ERRORS_ONLY = 3
_INSTALL: Final = 'pip install "eyelid[cuda]"'


KEPT: Final = 4
"""How many shapes of a batch a network keeps ready; to prepare one takes up to two seconds."""


class CudaNetwork:
    """One network on the first GPU; it never runs on the CPU instead.

    ONNX Runtime forgets its convolution plans when the shape of the batch changes, so each shape has an
    engine of its own; the shape that was not used for longest gives up its engine to a fifth.
    """

    def __init__(
        self, weights: bytes, name: str, precision: Precision, convention: InputConvention | None
    ) -> None:
        if not _installed():
            raise ModelError(f"the device cuda needs ONNX Runtime for GPUs; run: {_INSTALL}")
        if precision is Precision.BF16:
            raise ModelError("the device cuda computes in f32; choose the precision f32 or auto")
        ort.disable_telemetry_events()
        self._weights = weights
        self._name = name
        self._convention = convention
        self._lock = Lock()
        self._ready: dict[tuple[int, ...], ort.InferenceSession] = {}
        self._unused = [self._load()]
        inputs = self._unused[0].get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise ModelError(f"the model {name} must have exactly one input, of type float32")
        self._input = inputs[0].name
        self.precision = Precision.F32
        self.shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
        self.outputs = tuple(output.name for output in self._unused[0].get_outputs())

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        """Return every output for one batch."""
        if batch.dtype == np.uint8 and self._convention:
            batch = self._convention.prepare(cast("Bgr", batch))
        try:
            outputs = self._for(batch.shape).run(None, {self._input: batch})
        except Exception as error:  # ONNX Runtime raises a dozen unrelated classes
            raise RuntimeError("CUDA inference failed") from error
        return [np.asarray(output, np.float32) for output in outputs]

    def _for(self, shape: tuple[int, ...]) -> ort.InferenceSession:
        with self._lock:
            if shape in self._ready:
                engine = self._ready.pop(shape)
            elif self._unused:
                engine = self._unused.pop()
            elif len(self._ready) < KEPT:
                engine = self._load()
            else:
                engine = self._ready.pop(next(iter(self._ready)))
            self._ready[shape] = engine
            return engine

    def _load(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        options.intra_op_num_threads = 1  # more would wait for the GPU on cores that the encoder needs
        try:
            engine = ort.InferenceSession(self._weights, options, providers=[(_CUDA, _OPTIONS)])
        except Exception as error:  # ONNX Runtime raises a dozen unrelated classes
            raise ModelError(f"the model {self._name} cannot be loaded on the GPU; check the file") from error
        if _CUDA not in engine.get_providers():
            raise ModelError(
                f"no NVIDIA GPU can be used; check its driver, install CUDA and cuDNN ({_INSTALL}), "
                "or use the device cpu"
            )
        return engine


@cache
def check_gpu() -> None:
    """Run the smallest network once, so that libraries which cannot compute end a run before it begins.

    Raises ModelError where the GPU cannot be used. Without cuDNN networks load, and fail only at their use.
    """
    smallest = card("plate")
    network = CudaNetwork(smallest.weights(), smallest.name, Precision.F32, smallest.input)
    try:
        network.run(np.zeros((1, 64, 64, 3), np.uint8))
    except RuntimeError as error:
        raise ModelError(
            f"the GPU cannot run networks; check its driver, install CUDA and cuDNN ({_INSTALL}), "
            "or use the device cpu"
        ) from error


@cache
def _installed() -> bool:
    """Return whether ONNX Runtime for GPUs is here, after loading CUDA's libraries where pip put them."""
    if ort is None:
        return False
    with redirect_stdout(io.StringIO()):  # it prints what it misses; standard output belongs to our caller
        ort.preload_dlls()
    return _CUDA in ort.get_available_providers()
