"""Names and versions of the programs that take part in a run."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from eyelid.evidence.model import Software

LIBRARIES: Final = (
    "eyelid",
    "av",
    "cryptography",
    "numpy",
    "onnxruntime",
    "onnxruntime-gpu",
    "opencv-python-headless",
    "openvino",
    "pillow",
    "pillow-heif",
)


@cache
def software() -> tuple[Software, ...]:
    """Return Python and those libraries of eyelid that are installed, with their versions."""
    found = [Software(name="python", version=platform.python_version())]
    for name in LIBRARIES:
        try:
            found.append(Software(name=name, version=version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)
