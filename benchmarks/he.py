"""Homomorphic inference against TenSEAL and Orion: the same network, weights and images, in turns.

Peers live in Pythons of their own (TenSEAL 0.3.18; Orion 1.0.2 with --no-deps and scipy <= 1.14.1):

    python benchmarks/he.py --tenseal VENV/bin/python --orion VENV/bin/python

A peer that is not named is not measured. Times are CPU seconds of evaluation on one thread, without
encryption; the error is the largest over the ten scores against the plain network, averaged over images.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import seal
from tests.infer import networks
from tests.infer.conftest import load_digits
from torch import nn

from eyelid.infer.he import layout
from eyelid.infer.he.artefact import Target
from eyelid.infer.he.compile import compile as compiled
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.he.report import report
from eyelid.infer.network import Convolution, Linear
from eyelid.infer.onnx_reader import read

HERE = Path(__file__).parent


class Ours:
    def __init__(self, network, images, target):
        self.artefact = compiled(network, images, target)
        self.manifest = self.artefact.manifest
        self.evaluator = Evaluator(self.artefact)
        context = self.manifest.scheme.context
        keys = seal.KeyGenerator(context)
        self.relinearisation, self.rotation = keys.create_relin_keys(), seal.GaloisKeys()
        if self.manifest.rotation_steps:
            keys.create_galois_keys(list(self.manifest.rotation_steps), self.rotation)
        self.encryptor = seal.Encryptor(context, keys.secret_key())
        self.decryptor = seal.Decryptor(context, keys.secret_key())
        self.encoder = seal.CKKSEncoder(context)

    def __call__(self, images):
        request = [
            self.encryptor.encrypt_symmetric(self.encoder.encode(values, self.manifest.scale))
            for values in layout.encode(images, self.manifest)
        ]
        start = time.process_time()
        answer = self.evaluator.run(request, self.relinearisation, self.rotation)
        seconds = time.process_time() - start
        slots = [self.encoder.decode(self.decryptor.decrypt(item)) for item in answer]
        return seconds, layout.decode(slots, self.manifest, len(images))


class Peer:
    """A script in another Python that answers one line a request."""

    def __init__(self, python, script, *arguments):
        self.process = subprocess.Popen(
            [python, HERE / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GOMAXPROCS": "1"},
        )

    def __call__(self, number):
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("RESULT "):
                seconds, scores = json.loads(line[7:])
                return seconds, np.array(scores)
        raise SystemExit(f"{self.process.args[1].name} ended early")


def trained(layers, digits, path, epochs):
    networks.train(layers, digits.train_images, digits.train_labels, epochs)
    return read(networks.write(layers, digits.train_images.shape[1:], path))


def weights(network, images, path):
    parts = [node.operation for node in network.nodes if isinstance(node.operation, Convolution | Linear)]
    arrays = {f"w{n}": part.weight for n, part in enumerate(parts)}
    np.savez(path, x=images, **arrays, **{f"b{n}": part.bias for n, part in enumerate(parts)})
    return str(path)


def table(rows):
    print(f"{'':<12}{'CPU s':>10}{'ratio':>9}{'error':>10}{'ratio':>9}{'largest':>10}")
    ours = rows["eyelid"]
    for name, (seconds, errors) in rows.items():
        time_, error = np.median(seconds), np.mean(errors)
        base, least = np.median(ours[0]), np.mean(ours[1])
        print(
            f"{name:<12}{time_:>10.4f}{time_ / base:>9.1f}"
            f"{error:>10.4f}{error / least:>9.1f}{max(errors):>10.4f}"
        )


def latency(folder, tenseal, orion, rounds):
    digits = load_digits(28)
    layers = [nn.Conv2d(1, 4, 7, 3), networks.square(), nn.Flatten(), nn.Linear(256, 64)]
    network = trained([*layers, networks.square(), nn.Linear(64, 10)], digits, folder / "tutorial.onnx", 15)
    file = weights(network, digits.test_images, folder / "tutorial.npz")
    ours = Ours(network, digits.train_images[:100], Target.LATENCY)
    print("One image: conv 4@7x7/3 - square - fc 64 - square - fc 10 on 28 x 28")
    print(report(ours.artefact))
    runners = {"eyelid": lambda n: ours(digits.test_images[n : n + 1])}
    if tenseal:
        runners["TenSEAL"] = Peer(tenseal, "_he_tenseal.py", file, "one")
    if orion:
        runners["Orion"] = Peer(orion, "_he_orion.py", file)
    truth = network.run(digits.test_images)
    rows = {name: ([], []) for name in runners}
    for number in range(rounds):
        for name, run in runners.items():
            seconds, scores = run(number)
            rows[name][0].append(seconds)
            rows[name][1].append(np.abs(scores - truth[number]).max())
    table(rows)


def throughput(folder, tenseal):
    digits = load_digits(8)
    layers = [nn.Conv2d(1, 4, 3), networks.square(), nn.Flatten(), nn.Linear(144, 32)]
    network = trained([*layers, networks.square(), nn.Linear(32, 10)], digits, folder / "small.onnx", 40)
    images = np.concatenate([digits.test_images] * 12)[:4096]
    ours = Ours(network, digits.train_images[:100], Target.THROUGHPUT)
    print("\n4,096 images: conv 4@3x3 - square - fc 32 - square - fc 10 on 8 x 8 (seconds for all)")
    truth = network.run(images)
    runners = {"eyelid": lambda _: ours(images)}
    if tenseal:
        runners["TenSEAL"] = Peer(
            tenseal, "_he_tenseal.py", weights(network, images, folder / "s.npz"), "batch"
        )
    rows = {}
    for name, run in runners.items():
        seconds, scores = run(0)
        rows[name] = ([seconds], [np.abs(scores - truth).max()])
        agree = (scores.argmax(1) == truth.argmax(1)).mean()
        print(f"{name}: {seconds / 4.096:.3f} ms an image, {agree:.2%} agree with the plain network")
    table(rows)


def agreement(folder, count):
    digits = load_digits(28)
    network = read(folder / "tutorial.onnx")
    ours = Ours(network, digits.train_images[:100], Target.LATENCY)
    images = np.concatenate([digits.test_images, digits.train_images])[:count]
    scores = np.concatenate([ours(images[n : n + 1])[1] for n in range(len(images))])
    same = (scores.argmax(1) == network.run(images).argmax(1)).mean()
    print(f"\nagreement with the plain network on {len(images)} images: {same:.2%}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tenseal", help="a Python with TenSEAL")
    parser.add_argument("--orion", help="a Python with Orion")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--agreement", type=int, default=0, help="images to compare with the plain network")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        latency(Path(name), chosen.tenseal, chosen.orion, chosen.rounds)
        throughput(Path(name), chosen.tenseal)
        if chosen.agreement:
            agreement(Path(name), chosen.agreement)


if __name__ == "__main__":
    main()
