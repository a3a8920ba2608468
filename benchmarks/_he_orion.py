"""Orion's side of he.py, run by a Python that has Orion: one ciphertext of the raw image, its packing."""

import json
import resource
import sys
import time

import numpy as np
import orion
import orion.nn as on
import torch

torch.set_num_threads(1)
data = np.load(sys.argv[1])
layers = json.loads(sys.argv[2])
"""Names with numbers: conv (stride, padding), square, pool (side), flatten, linear."""
primes = json.loads(sys.argv[3])


class Network(on.Module):
    def __init__(self):
        super().__init__()
        number = 0
        for place, (kind, *sizes) in enumerate(layers):
            shape = data[f"w{number}"].shape if kind in ("conv", "linear") else ()
            match kind:
                case "conv":
                    layer = on.Conv2d(
                        shape[1], shape[0], kernel_size=shape[2], stride=sizes[0], padding=sizes[1]
                    )
                case "linear":
                    layer = on.Linear(shape[1], shape[0])
                case "pool":
                    layer = on.AvgPool2d(sizes[0])
                case "square":
                    layer = on.Quad()
                case _:
                    layer = on.Flatten()
            setattr(self, f"layer{place}", layer)
            if shape:
                with torch.no_grad():
                    layer.weight.copy_(torch.tensor(data[f"w{number}"], dtype=torch.float32))
                    layer.bias.copy_(torch.tensor(data[f"b{number}"], dtype=torch.float32))
                number += 1

    def forward(self, x):
        for place in range(len(layers)):
            x = getattr(self, f"layer{place}")(x)
        return x


net = Network()
net.eval()
settings = {"margin": 2, "embedding_method": "hybrid", "backend": "lattigo", "fuse_modules": True}
orion.init_scheme(
    {
        "ckks_params": {**primes, "RingType": "ConjugateInvariant"},
        "orion": {**settings, "debug": False, "io_mode": "none"},
    }
)
images = torch.tensor(data["x"], dtype=torch.float32)
orion.fit(net, images[:1])
level = orion.compile(net)
net.he()
for line in sys.stdin:
    x = orion.encrypt(orion.encode(images[int(line)][None], level))
    start = time.process_time()
    y = net(x)
    seconds = time.process_time() - start
    scores = y.decrypt().decode().detach().numpy().ravel()[:10]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print("RESULT", json.dumps([seconds, scores.tolist(), memory]), flush=True)
