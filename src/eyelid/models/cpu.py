"""Networks on the CPU, by OpenVINO."""

from __future__ import annotations

import io
import sys
from functools import cache
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import ModelError
from eyelid.models.session import Precision

# Importing openvino reports the import to Intel and writes ~/intel, unless this package cannot be imported.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]

import openvino as ov  # type: ignore[import-untyped]  # noqa: E402 - only after the line above
from openvino.preprocess import ColorFormat, PrePostProcessor  # type: ignore[import-untyped]  # noqa: E402

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.models.cards import InputConvention
    from eyelid.models.session import Batch


KERNELS = 2000
"""How many kernels, one for each layer and size of a picture, a network for any size keeps.

They suffice for some fifty sizes, so that a folder of photos of a few cameras makes each kernel once; without
a bound memory grows with every new size.
"""


@cache
def _core() -> ov.Core:
    return ov.Core()


def has_bf16() -> bool:
    """Return whether this processor computes in bfloat16 natively."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def constants(weights: bytes) -> dict[str, NDArray[np.float32]]:
    """Return the constants of a network by name, for layers so small that compiling them takes longest."""
    nodes = _core().read_model(io.BytesIO(weights)).get_ops()
    return {
        node.get_friendly_name(): np.array(node.data, np.float32)
        for node in nodes
        if node.get_type_name() == "Constant"
    }


class CpuNetwork:
    """One network, compiled on first use for floats or for pictures, for any size or (steady) for one."""

    def __init__(
        self,
        weights: bytes,
        name: str,
        precision: Precision,
        threads: int,
        steady: bool,
        convention: InputConvention | None,
    ) -> None:
        if precision is Precision.BF16 and not has_bf16():
            raise ModelError("this processor has no bfloat16; choose the precision f32 or auto")
        if precision is Precision.AUTO:
            precision = Precision.BF16 if has_bf16() else Precision.F32
        self.precision = precision
        self._name = name
        self._steady = steady
        self._convention = convention
        self._settings = {
            "INFERENCE_PRECISION_HINT": precision.value,
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "CPU_RUNTIME_CACHE_CAPACITY": 0 if steady else KERNELS,
            "ENABLE_CPU_PINNING": False,  # two workers of one pool would be pinned to the same core
        }
        self._weights = weights
        try:
            model = self._read()
            self.outputs = tuple(output.get_any_name() for output in model.outputs)
        except (RuntimeError, UnicodeDecodeError) as error:
            raise ModelError(
                f"the model {name} is not a sound ONNX network; check or replace the file"
            ) from error
        if len(model.inputs) != 1 or model.input().get_element_type() != ov.Type.f32:
            raise ModelError(f"the model {name} must have exactly one input, of type float32")
        dims = model.input().get_partial_shape()
        self.shape = tuple(None if dim.is_dynamic else dim.get_length() for dim in dims)
        self._lock = Lock()
        self._compiled: dict[bool, _Compiled] = {}

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        """Return every output for one batch."""
        return self._for(batch).run(batch)

    def _read(self) -> ov.Model:
        """Take the network from its bytes, which need less memory than the network itself."""
        return _core().read_model(io.BytesIO(self._weights))

    def _for(self, batch: Batch) -> _Compiled:
        pictures = batch.dtype == np.uint8
        with self._lock:
            compiled = self._compiled.get(pictures)
            if compiled is None or (self._steady and compiled.shape != batch.shape):
                self._compiled.pop(pictures, None)  # freed before its successor is made
                compiled = _Compiled(self._build(pictures, batch.shape), self._settings, batch.shape)
                self._compiled[pictures] = compiled
            return compiled

    def _build(self, pictures: bool, shape: tuple[int, ...]) -> ov.Model:
        model = self._read()
        if pictures and self._convention:
            model = _with_convention(model, self._convention)
        if self._steady:
            try:
                model.reshape(list(shape))
            except RuntimeError as error:
                raise ModelError(
                    f"the layers of the network {self._name} cannot take a batch of shape {shape}; resize it"
                ) from error
        return model


class _Compiled:
    """A compiled network and its idle requests, one for each thread that runs it."""

    def __init__(
        self, model: ov.Model, settings: dict[str, str | int | bool], shape: tuple[int, ...]
    ) -> None:
        self.shape = shape
        try:
            self._network = _core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise ModelError(
                f"the network {model.get_friendly_name()} cannot be compiled for this processor; replace it"
            ) from error
        self._idle: SimpleQueue[ov.InferRequest] = SimpleQueue()

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        try:
            request = self._idle.get_nowait()
        except Empty:
            request = self._network.create_infer_request()
        results = request.infer([batch], share_inputs=True, share_outputs=True)
        outputs = [np.array(results[i], np.float32) for i in range(len(results))]
        self._idle.put(request)
        return outputs


def _with_convention(model: ov.Model, convention: InputConvention) -> ov.Model:
    processor = PrePostProcessor(model)
    entry = processor.input()
    entry.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    entry.tensor().set_color_format(ColorFormat.BGR)
    entry.model().set_layout(ov.Layout(convention.layout.upper()))
    steps = entry.preprocess().convert_element_type(ov.Type.f32)
    if convention.channels == "rgb":
        steps.convert_color(ColorFormat.RGB)
    if any(convention.mean):
        steps.mean(list(convention.mean))
    if set(convention.scale) != {1.0}:
        steps.scale(list(convention.scale))
    return processor.build()
