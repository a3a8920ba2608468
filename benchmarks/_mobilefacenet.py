"""Embed faces with a MobileFaceNet; run by cloak.py in an environment of its own, with ai-edge-litert.

    python _mobilefacenet.py MODEL.tflite CROPS.npy EMBEDDINGS.npy

CROPS is uint8 (n, 112, 112, 3) RGB; EMBEDDINGS becomes float32 (n, 192), of each crop and its mirror image.
"""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter

network = Interpreter(sys.argv[1], num_threads=1)
network.allocate_tensors()
given, result = network.get_input_details()[0]["index"], network.get_output_details()[0]["index"]
rows = []
for crop in np.load(sys.argv[2]):
    pair = np.stack([crop, crop[:, ::-1]]).astype(np.float32)
    network.set_tensor(given, (pair - 127.5) / 128)
    network.invoke()
    both = network.get_tensor(result)
    rows.append((both / np.linalg.norm(both, axis=1, keepdims=True)).sum(axis=0))
np.save(sys.argv[3], np.array(rows))
