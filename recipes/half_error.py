"""Prints how far weights stored in half precision move the outputs of a network, on one picture.

python recipes/half_error.py NAME ORIGINAL.onnx PICTURE.jpg

ORIGINAL is the network before its recipe: a member of the wheel, or what ``tfjs.convert`` returned.
Both run in ONNX Runtime in float32 (needs onnxruntime and opencv-python-headless besides eyelid).
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime as ort

import compact
from eyelid.models.cards import card

ERRORS_ONLY = ort.SessionOptions()
ERRORS_ONLY.log_severity_level = 3


def main(name: str, original: Path, picture: Path) -> None:
    """Print the largest difference of each output beside the output's largest value."""
    convention = card(name).input
    size = (convention.width or 640, convention.height or 480)
    pixels = cv2.resize(cv2.imread(str(picture)), size)  # type: ignore[arg-type]
    batch = convention.prepare(pixels[None].astype(np.uint8))
    before = onnx.load(original)
    compact.drop_initializer_inputs(before)
    shape = [None, 3, None, None] if convention.layout == "nchw" else [None, size[1], size[0], 3]
    compact.set_shapes(before, [side or f"side{axis}" for axis, side in enumerate(shape)])
    old, new = (
        ort.InferenceSession(network, ERRORS_ONLY, providers=["CPUExecutionProvider"])
        for network in (before.SerializeToString(), card(name).weights())
    )
    wanted = old.run(None, {old.get_inputs()[0].name: batch})
    found = new.run(None, {new.get_inputs()[0].name: batch})
    for output, values in zip(new.get_outputs(), found, strict=True):
        nearest = min(np.abs(values - other).max() for other in wanted if other.shape == values.shape)
        print(f"{name} {output.name}: largest difference {nearest:.2g} of {np.abs(values).max():.3g}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
