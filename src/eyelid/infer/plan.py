"""Which way of private inference fits a model: what each costs, what each assumes, who learns what."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.errors import EyelidError, InputError, UnsupportedError
from eyelid.infer import network as net
from eyelid.infer import onnx_reader, pictures
from eyelid.infer.mpc.estimate import estimate
from eyelid.infer.mpc.peers import ASSUMPTIONS, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from eyelid.infer.network import Network

ROUND_TRIP_S: Final = 0.02
"""Of the far link that an estimate names: 20 ms, 100 Mbit/s."""
SMALL_ANSWER: Final = 200.0
"""Bytes of an encrypted answer of an enclave."""
NOISE_IMAGES: Final = 32
LARGEST: Final = 100_000_000
"""Multiplications of a network beyond which encryption is not tried: minutes of planning, hours an image."""


class Knows(BaseModel):
    """What one side learns."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    side: str
    learns: str


class Way(BaseModel):
    """One way of private inference for one model, one image at a time.

    ``seconds`` on one thread of each machine that computes, next door; ``far_seconds`` over a link of 20 ms
    and 100 Mbit/s; ``upload`` and ``download`` in bytes an image, at the client; ``once`` in bytes before the
    first; ``refused`` says why the way is closed, and then nothing is estimated. All are estimates.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    command: str
    assumption: str
    knows: tuple[Knows, ...]
    refused: str | None = None
    seconds: float | None = None
    far_seconds: float | None = None
    upload: float | None = None
    download: float | None = None
    once: float | None = None
    note: str = ""


def plan(model: Path, calibration: Sequence[Path] = ()) -> tuple[Way, ...]:
    """Plan all ways for an ONNX file.

    ``calibration``: images as :func:`eyelid.infer.pictures.load` reads them, from which encrypted inference
    takes the ranges of its layers; without them noise stands in, which changes precision more than cost.
    Raises :class:`InputError` where the file is no sound ONNX file, or the images do not fit it.
    """
    if not model.is_file():
        raise InputError(f"{model} is no file; name an ONNX file")
    network: Network | None = None
    closed = ""
    try:
        network = onnx_reader.read(model)
    except UnsupportedError as error:
        closed = str(error)
    images = pictures.load(calibration, network.input_shape) if network and calibration else None
    return (
        _encrypted(network, closed, images),
        _shared(network, closed, Protocol.CHEETAH),
        _shared(network, closed, Protocol.ABY3),
        _attested(model),
    )


def _encrypted(network: Network | None, closed: str, images: NDArray[np.float32] | None) -> Way:
    way = Way(
        name="encrypted (ckks)",
        command="eyelid infer he",
        assumption="Ring-LWE at 128 bits; the server computes, honestly or not, and learns nothing.",
        knows=(
            Knows(side="client", learns="the scores; from many of them, the model can be copied"),
            Knows(side="server", learns="that you asked, and when"),
        ),
    )
    if network is None:
        return way.model_copy(update={"refused": closed})
    if sum(_multiplications(node) for node in network.nodes) > LARGEST:
        words = "too large: encrypted, an image would take hours; take one of the other ways"
        return way.model_copy(update={"refused": words})
    from eyelid.infer.he.compile import compile as compile_network  # loads what only encryption needs
    from eyelid.infer.he.report import report

    if images is None:
        shape = (NOISE_IMAGES, *network.input_shape)
        images = np.random.default_rng(0).random(shape, np.float32)  # stands in for pictures
    try:
        told = report(compile_network(network, images))
    except EyelidError as error:
        return way.model_copy(update={"refused": str(error)})
    fits = [layer.name for layer in told.layers if layer.fit_error is not None]
    note = f"parabolas stand for the rectifiers of {', '.join(fits)}: measure the accuracy" if fits else ""
    seconds = told.milliseconds / 1000
    return way.model_copy(
        update={
            "seconds": seconds,
            "far_seconds": seconds + ROUND_TRIP_S + (told.request_mb + told.answer_mb) * 1e6 / 12.5e6,
            "upload": told.request_mb * 1e6,
            "download": told.answer_mb * 1e6,
            "once": told.keys_mb * 1e6,
            "note": note,
        }
    )


def _shared(network: Network | None, closed: str, protocol: Protocol) -> Way:
    knows = [
        Knows(side="client", learns="the model's layers and sizes, and the scores if it is to have them"),
        Knows(side="model's owner", learns="that you asked, and when"),
    ]
    if protocol is Protocol.ABY3:
        knows.append(Knows(side="third party", learns="the model's layers and sizes"))
    way = Way(
        name=f"{'three' if protocol is Protocol.ABY3 else 'two'} parties ({protocol.value})",
        command="eyelid infer mpc",
        assumption=ASSUMPTIONS[protocol],
        knows=tuple(knows),
    )
    if network is None:
        return way.model_copy(update={"refused": closed})
    cost = estimate(network, protocol)
    return way.model_copy(
        update={
            "seconds": cost.seconds,
            "far_seconds": cost.over(ROUND_TRIP_S),
            "upload": cost.sent,
            "download": cost.sent,
            "once": cost.once_bytes,
            "note": f"{cost.rounds} rounds an image",
        }
    )


def _attested(model: Path) -> Way:
    from eyelid.models.session import Precision, Session

    way = Way(
        name="attested enclave",
        command="eyelid infer enclave",
        assumption="The maker of the processor or TPM, the measured code, and for a TPM the host's root.",
        knows=(
            Knows(side="client", learns="the scores; the measurement of code and model"),
            Knows(
                side="host", learns="that you asked, when, and the picture's size; with a TPM, root can look"
            ),
        ),
    )
    try:
        session = Session(model, threads=1, steady=True, precision=Precision.F32)
        shape = tuple(side or 224 for side in session.shape)
        if len(shape) != 4 or shape[1] not in (1, 3):
            raise InputError(f"the model takes {session.shape}, not pictures (n, 1 or 3, height, width)")
        picture = np.zeros((1, *shape[1:]), np.float32)
        session.run(picture)
        began = time.perf_counter()
        session.run(picture)
        seconds = time.perf_counter() - began + 0.006  # encryption both ways
    except EyelidError as error:
        return way.model_copy(update={"refused": str(error)})
    upload = float(picture[0].size)
    return way.model_copy(
        update={
            "seconds": seconds,
            "far_seconds": seconds + ROUND_TRIP_S + upload / 12.5e6,
            "upload": upload,
            "download": SMALL_ANSWER,
            "once": 20e3,
            "note": "the server needs such hardware; evidence is verified before the first picture",
        }
    )


def _multiplications(node: net.Node) -> int:
    match node.operation:
        case net.Convolution():
            return node.operation.weight.size * int(np.prod(node.shape[1:]))
        case net.Linear():
            return node.operation.weight.size
        case _:
            return 0
