"""Networks on an NVIDIA GPU, by ONNX Runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np

from eyelid.errors import ModelError
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
_ERRORS_ONLY = 3


class CudaNetwork:
    """One network on the first GPU; it never runs on the CPU instead."""

    def __init__(
        self, weights: bytes, name: str, precision: Precision, convention: InputConvention | None
    ) -> None:
        if ort is None or _CUDA not in ort.get_available_providers():
            raise ModelError('the device cuda needs ONNX Runtime for GPUs; run: pip install "eyelid[cuda]"')
        if precision is Precision.BF16:
            raise ModelError("the device cuda computes in f32; choose the precision f32 or auto")
        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.log_severity_level = _ERRORS_ONLY
        try:
            self._session = ort.InferenceSession(weights, options, providers=[(_CUDA, {"use_tf32": "0"})])
        except Exception as error:  # ONNX Runtime raises a dozen unrelated classes
            raise ModelError(f"the model {name} cannot be loaded on the GPU; check the file") from error
        if _CUDA not in self._session.get_providers():
            raise ModelError("no usable NVIDIA GPU was found; check its driver, or use the device cpu")
        inputs = self._session.get_inputs()
        if len(inputs) != 1 or inputs[0].type != "tensor(float)":
            raise ModelError(f"the model {name} must have exactly one input, of type float32")
        self._input = inputs[0].name
        self._convention = convention
        self.precision = Precision.F32
        self.shape = tuple(side if isinstance(side, int) else None for side in inputs[0].shape)
        self.outputs = tuple(output.name for output in self._session.get_outputs())

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        """Return every output for one batch."""
        if batch.dtype == np.uint8 and self._convention:
            batch = self._convention.prepare(cast("Bgr", batch))
        try:
            outputs = self._session.run(None, {self._input: batch})
        except Exception as error:  # ONNX Runtime raises a dozen unrelated classes
            raise RuntimeError("CUDA inference failed") from error
        return [np.asarray(output, np.float32) for output in outputs]
