"""What the tests of live evidence share: a TPM in software, a small workload, a tap on the wire."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import onnx
from cryptography.hazmat.primitives.serialization import Encoding
from onnx import TensorProto, helper

from eyelid.infer.calling import Caller
from eyelid.infer.enclave.client import EnclaveClient
from eyelid.infer.enclave.policy_file import Policy, read_policy
from eyelid.infer.enclave.sandbox import available

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

    from eyelid.infer.enclave.software_tpm import SoftwareTpm

MISSING = ", ".join(
    name
    for name, there in (
        ("tpm2-pytss (apt-get install libtss2-dev, then pip install 'eyelid[tpm]')", find_spec("tpm2_pytss")),
        ("swtpm (apt-get install swtpm swtpm-tools)", shutil.which("swtpm") and shutil.which("swtpm_setup")),
        ("a sandbox that works (apt-get install bubblewrap)", available()),
    )
    if not there
)
"""What these tests need and this machine has not; empty where all is there."""


def write_model(path: Path, *, weight: float = 1.0) -> Path:
    """Write a network of 3x16x16 pictures with two outputs: their mean times ``weight``, and its opposite."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 16, 16])
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])
    nodes = [
        helper.make_node("Flatten", ["picture"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("MatMul", ["mean", "weights"], ["scores"]),
    ]
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 2], [weight, -weight])
    graph = helper.make_graph(nodes, "mean", [picture], [scores], [weights])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def picture(seed: int = 0, side: int = 16) -> NDArray[np.uint8]:
    """Return a picture of noise, which a search on the wire can't miss."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)


def policy_for(tpm: SoftwareTpm, folder: Path, *manifests: bytes, more: str = "") -> Policy:
    """Return a policy that trusts that TPM and those workloads."""
    root = tpm.root.public_bytes(Encoding.DER)
    (folder / "root.der").write_bytes(root)
    names = ", ".join(f'"{manifest.hex()}"' for manifest in manifests)
    path = folder / "policy.toml"
    path.write_text(
        f'schema = "eyelid-attestation-policy/1"\nmanifests = [{names}]\nmax_age = 3600\n[tpm]\n{more}\n'
        f'roots = [{{file = "root.der", sha256 = "{hashlib.sha256(root).hexdigest()}", '
        'assurance = "software-tpm"}]\n'
    )
    return read_policy(path)


@contextmanager
def client_of(address: str, policy: Policy) -> Iterator[EnclaveClient]:
    with Caller(address, timeout=30) as caller:
        yield EnclaveClient(caller, policy)


@dataclass
class Tap:
    """Passes bytes on between a client and a server, and keeps them."""

    target: str
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def _accept(self) -> None:
        host, port = self.target.removeprefix("http://").split(":")
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection((host, int(port)))
            for source, sink, kept in ((near, far, self.up), (far, near, self.down)):
                thread = threading.Thread(target=_pass, args=(source, sink, kept), daemon=True)
                thread.start()
                self._threads.append(thread)
            self._ends += [near, far]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)
        for end in self._ends:
            end.close()


def _pass(source: socket.socket, sink: socket.socket, kept: bytearray) -> None:
    with suppress(OSError):  # the other way was closed first
        while part := source.recv(65536):
            kept += part
            sink.sendall(part)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def image_bytes_in(wire: bytes | bytearray, image: NDArray[Any]) -> int:
    """Return how many stretches of 8 bytes of an image are on the wire."""
    content = image.tobytes()
    return sum(content[i : i + 8] in wire for i in range(0, len(content) - 8, 8))
