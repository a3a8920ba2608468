"""One loaded network, on the CPU (OpenVINO) or on an NVIDIA GPU (ONNX Runtime)."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from eyelid.errors import DetectionError, ModelError
from eyelid.models.cards import card

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.models.cards import InputConvention, ModelCard

Batch: TypeAlias = NDArray[np.float32] | NDArray[np.uint8]
"""The input of a network: floats as it wants them, or uint8 pictures (n, height, width, 3) BGR."""


class Device(StrEnum):
    """Where a network runs."""

    CPU = "cpu"
    CUDA = "cuda"


class Precision(StrEnum):
    """The arithmetic of a network.

    ``auto`` is bfloat16 where the processor has it and the card allows it, else float32.
    """

    AUTO = "auto"
    F32 = "f32"
    BF16 = "bf16"


class Network(Protocol):
    """What an engine offers to :class:`Session`."""

    shape: tuple[int | None, ...]
    outputs: tuple[str, ...]
    precision: Precision

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        """Return every output for one batch; may be called from several threads at once."""


class Session:
    """One network, ready to run; :meth:`run` may be called from several threads at once.

    ``model`` is the name of a shipped network, or the path of a user's ONNX file with one float32 input.
    ``convention`` tells how pictures enter a user's network; a shipped one has its own in its card.
    ``threads`` None means one for each core that this process may use. ``steady`` says that batches keep
    one shape (a video): the network is then compiled for the shape of the first batch, which is about 10 %
    faster, and again whenever the shape changes.

    ``shape`` is the input shape of the network itself, None where any size goes; ``outputs`` are the output
    names; ``precision`` is the one in use. Raises ModelError where the weights, the device or the precision
    cannot be used; nothing falls back to another device.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        device: Device = Device.CPU,
        precision: Precision = Precision.AUTO,
        threads: int | None = None,
        steady: bool = False,
        convention: InputConvention | None = None,
    ) -> None:
        self.card: ModelCard | None = card(model) if isinstance(model, str) else None
        self.name = model if isinstance(model, str) else model.name
        self.device = Device(device)
        self._convention = self.card.input if self.card else convention
        weights = card(model).weights() if isinstance(model, str) else _user_weights(model)
        if self.card and not self.card.bf16 and precision is Precision.AUTO:
            precision = Precision.F32
        self._network = self._load(weights, precision, threads or cores(), steady)
        self.precision = self._network.precision
        self.shape = self._network.shape
        self.outputs = self._network.outputs

    def _load(self, weights: bytes, precision: Precision, threads: int, steady: bool) -> Network:
        if self.device is Device.CUDA:
            from eyelid.models.cuda import CudaNetwork, check_gpu

            check_gpu()
            return CudaNetwork(weights, self.name, precision, self._convention)
        from eyelid.models.cpu import CpuNetwork

        # OpenVINO compiled for any size does not notice a size that the layers cannot take: it returns old
        # memory, or crashes. Shipped networks are guarded by their card, others run at fixed sizes.
        return CpuNetwork(
            weights, self.name, precision, threads, steady or self.card is None, self._convention
        )

    def run(self, batch: Batch) -> list[NDArray[np.float32]]:
        """Return the outputs of the network, float32, in the order of ``outputs``.

        ``batch`` is either uint8 pictures, (n, height, width, 3) BGR, which enter by the input convention,
        or float32 in the network's own layout and scale. Raises ValueError where the shape does not fit the
        network, DetectionError where the inference fails, ModelError where a user's network cannot take
        that shape.
        """
        if batch.dtype == np.uint8 and self._convention is None:
            raise ValueError(f"{self.name} has no input convention; give float32 or a convention")
        if batch.dtype not in (np.uint8, np.float32):
            raise ValueError(f"a batch is uint8 or float32, not {batch.dtype}")
        self._check(batch)
        try:
            return self._network.run(batch if batch.flags.c_contiguous else batch.copy())
        except RuntimeError as error:
            raise DetectionError(
                f"the network {self.name} failed on an input of shape {batch.shape}; cover the whole frame"
            ) from error

    def _check(self, batch: Batch) -> None:
        expected, multiple = self.shape, self._convention.multiple if self._convention else 1
        planar = self._convention is not None and self._convention.layout == "nchw"
        if batch.dtype == np.uint8 and planar and len(expected) == 4:
            expected = (expected[0], expected[2], expected[3], expected[1])
        fits = len(expected) == batch.ndim and all(
            want is None or want == have for want, have in zip(expected, batch.shape, strict=True)
        )
        if not fits or 0 in batch.shape:
            raise ValueError(f"{self.name} takes {_words(expected)}, not a batch of shape {batch.shape}")
        first = 2 if planar and batch.dtype == np.float32 else 1
        if any(side % multiple for side in batch.shape[first : first + 2]):
            raise ValueError(f"{self.name} takes sides in multiples of {multiple}, not {batch.shape}")


def precision_for(model: ModelCard, device: Device) -> Precision:
    """Return the arithmetic that a shipped network gets on a device when nobody chooses it."""
    if device is Device.CPU and model.bf16:
        from eyelid.models.cpu import has_bf16

        return Precision.BF16 if has_bf16() else Precision.F32
    return Precision.F32


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _user_weights(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"the model {path} cannot be read ({error.strerror}); check its path and permissions"
        ) from error


def _words(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
