"""Orion's side of he.py, run by a Python that has Orion: one ciphertext of the raw image, its packing."""

import json
import sys
import time

import numpy as np
import orion
import orion.nn as on
import torch

torch.set_num_threads(1)
data = np.load(sys.argv[1])


class Tutorial(on.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = on.Conv2d(1, 4, kernel_size=7, stride=3, padding=0)
        self.act1, self.flatten, self.act2 = on.Quad(), on.Flatten(), on.Quad()
        self.fc1, self.fc2 = on.Linear(256, 64), on.Linear(64, 10)

    def forward(self, x):
        return self.fc2(self.act2(self.fc1(self.flatten(self.act1(self.conv1(x))))))


net = Tutorial()
net.eval()
with torch.no_grad():
    for number, layer in enumerate((net.conv1, net.fc1, net.fc2)):
        layer.weight.copy_(torch.tensor(data[f"w{number}"], dtype=torch.float32))
        layer.bias.copy_(torch.tensor(data[f"b{number}"], dtype=torch.float32))
primes = {"LogN": 13, "LogQ": [29, 26, 26, 26, 26, 26], "LogP": [29], "LogScale": 26, "H": 8192}
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
    print("RESULT", json.dumps([seconds, scores.tolist()]), flush=True)
