"""The manifest of a workload: its code, its libraries, its model and its configuration, as one SHA-256.

A client works it out on its own machine, from the same release and the same model, and pins it in its policy.
Not in it: the Python interpreter beyond its version, the system's libraries and the kernel.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from pydantic import Field

from eyelid.errors import InputError, ModelError
from eyelid.infer.enclave.evidence import Record

if TYPE_CHECKING:
    from collections.abc import Iterable

CODE: Final = Path(__file__).parents[2]
"""The package eyelid."""
LIBRARIES: Final = (
    "cryptography",
    "numpy",
    "opencv-python-headless",
    "openvino",
    "pydantic",
    "pillow",
    "tpm2-pytss",
)
"""What runs inside, with all that they need in turn."""
MOVABLE: Final = {"RECORD", "INSTALLER", "REQUESTED", "direct_url.json"}
"""Files of a distribution that tell how it was installed, and differ from machine to machine."""

Detects: TypeAlias = Literal["person", "vehicle", "screen", "face", "plate"]
"""What a shipped detector can be asked for."""


class Configuration(Record):
    """How a workload runs. ``detector`` names a shipped one; with None the model is a file.

    ``least`` is the score from which a detector's find counts, ``threads`` those of the network, ``key_life``
    for how many seconds clients may encrypt to one key.
    """

    detector: Detects | None = None
    least: float = Field(0.5, ge=0, le=1)
    sealed: bool = False
    threads: int = Field(1, ge=1, le=256)
    key_life: int = Field(86_400, ge=60, le=30 * 86_400)


class Manifest(Record):
    """What runs: SHA-256 of the code tree, of each library, and of the model's file; the configuration."""

    version: Literal["eyelid-enclave-manifest/1"] = Field("eyelid-enclave-manifest/1", alias="schema")
    python: str
    code: str
    libraries: dict[str, str]
    model: str | None
    configuration: Configuration

    @property
    def digest(self) -> bytes:
        """The 32 bytes that evidence vouches for: SHA-256 of the manifest as canonical JSON."""
        content = self.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).digest()


def measure(model: bytes | None, configuration: Configuration, *, code: Path = CODE) -> Manifest:
    """Read and hash all that a workload consists of."""
    return Manifest(
        python=f"{platform.python_implementation()} {platform.python_version()}",
        code=tree(code),
        libraries={found.name: _contents(found) for found in _closure(LIBRARIES)},
        model=None if model is None else hashlib.sha256(model).hexdigest(),
        configuration=configuration,
    )


def tree(folder: Path) -> str:
    """Return the SHA-256 over names and contents of all files below ``folder`` but compiled ones."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return _listing((path.relative_to(folder).as_posix(), path) for path in paths)


def read_model(path: Path) -> bytes:
    """Return the bytes of a model file; raises ModelError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"the model {path} can't be read ({error.strerror}); check its path") from None


def _contents(library: Distribution) -> str:
    return _listing(
        (file.as_posix(), Path(str(file.locate())))
        for file in library.files or ()
        if ".." not in file.parts and not (file.parent.suffix == ".dist-info" and file.name in MOVABLE)
    )


def _listing(files: Iterable[tuple[str, Path]]) -> str:
    lines = []
    for name, path in files:
        if "__pycache__" not in path.parts and path.suffix != ".pyc":
            try:
                with path.open("rb") as content:
                    lines.append(f"{hashlib.file_digest(content, 'sha256').hexdigest()}  {name}\n")
            except OSError as error:
                raise InputError(f"{path} can't be measured ({error.strerror}); reinstall eyelid") from None
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _closure(names: Iterable[str]) -> list[Distribution]:
    """Return the installed distributions of that name and those that they need, sorted by name."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # an extra that this workload does without: its import would fail, not be replaced
        needed = [line for line in found[name].requires or () if "extra ==" not in line]
        waiting += [match[0] for line in needed if (match := re.match(r"[\w.-]+", line))]
    return [found[name] for name in sorted(found)]
