"""Text regions, PP-OCRv6 small detection, out of the PyPI wheel rapidocr 3.10.0.

pip download --no-deps rapidocr==3.10.0
python recipes/text.py rapidocr-3.10.0-py3-none-any.whl
"""

from __future__ import annotations

import sys
from pathlib import Path

import compact


def main(wheel: Path) -> None:
    """Write text.onnx."""
    model = compact.from_wheel(wheel, "rapidocr/models/PP-OCRv6_det_small.onnx")
    compact.drop_initializer_inputs(model)
    compact.rename(model, {"x": "image", "fetch_name_0": "probability"})
    compact.set_shapes(model, ["batch", 3, "height", "width"])
    compact.store_half(model)
    compact.save(model, "text")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
