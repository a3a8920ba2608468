"""Homomorphic inference against TenSEAL and Orion: the same network, weights and images, in turns.

Peers live in Pythons of their own (TenSEAL 0.3.18; Orion 1.0.2 with --no-deps and scipy <= 1.14.1):

    python benchmarks/he.py --tenseal VENV/bin/python --orion VENV/bin/python [--only lenet deep]
        [--agreement 1000] [--orion-key-primes 1]

A peer that is not named is not measured. Times are CPU seconds of evaluation on one thread, without
encryption; the error is the largest over the ten scores against the plain network, averaged over images.
Orion takes 13 GB for lenet, 15 GB with one key prime.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

# Before numpy and torch: all figures are of one thread, and so are the networks, trained the same everywhere.
os.environ |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

import numpy as np
import seal

import _he_networks
from eyelid.infer.he import layout, parameters
from eyelid.infer.he.artefact import Target
from eyelid.infer.he.compile import compile as compiled
from eyelid.infer.he.evaluate import Evaluator
from eyelid.infer.he.report import report

HERE = Path(__file__).parent
GB = 1e6
"""Of the kilobytes that the system counts."""


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / GB


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


class SilentError(Exception):
    """A peer gave no answer."""


class Peer:
    """A script in another Python that answers one line a request."""

    def __init__(self, python, script, log, *arguments):
        self.log, self.memory = log, []
        self.process = subprocess.Popen(
            [python, HERE / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "GOMAXPROCS": "1"},
        )

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def __call__(self, number):
        self.process.stdin.write(f"{number}\n")
        self.process.stdin.flush()
        for line in self.process.stdout:
            if line.startswith("RESULT "):
                seconds, scores, *memory = json.loads(line[7:])
                self.memory = memory
                return seconds, np.array(scores)
        said = self.log.read_text().strip().splitlines() or ["nothing"]
        raise SilentError(
            f"{self.process.args[1].name} ended early ({self.process.wait()}); it said: {said[-1]}"
        )


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


def latency(case, tenseal, orion, rounds, agreement):
    digits, truth = case.digits, case.network.run(case.digits.test_images)
    start = time.process_time()
    ours = Ours(case.network, digits.train_images[:100], Target.LATENCY)
    print(f"\nOne image: {case.title}")
    print(report(ours.artefact))
    print(f"compiled, keys made, weights encoded in {time.process_time() - start:.0f} CPU s")
    runners = {"eyelid": lambda n: ours(digits.test_images[n : n + 1])}
    log = case.file.with_suffix(".log")
    if tenseal:
        runners["TenSEAL"] = Peer(tenseal, "_he_tenseal.py", log, str(case.file), "one")
    if orion:
        told = json.dumps(case.layers), json.dumps(case.primes)
        runners["Orion"] = Peer(orion, "_he_orion.py", log, str(case.file), *told)
    rows = {name: ([], []) for name in runners}
    for number in range(rounds):
        for name, run in list(runners.items()):
            try:
                seconds, scores = run(number)
            except SilentError as error:
                print(f"{name}: {error}")
                del runners[name], rows[name]
                continue
            rows[name][0].append(seconds)
            rows[name][1].append(np.abs(scores - truth[number]).max())
    table(rows)
    print(f"scores of the plain network reach {np.abs(truth).max():.0f} on all {len(truth)} test images")
    for name, run in runners.items():
        for gigabytes in [peak()] if name == "eyelid" else run.memory:
            print(f"{name}: {gigabytes:.1f} GB at most")
        if name != "eyelid":
            run.close()
    if agreement:
        images = np.concatenate([digits.test_images, digits.train_images])[:agreement]
        labels = np.concatenate([digits.test_labels, digits.train_labels])[:agreement]
        scores = np.concatenate([ours(images[n : n + 1])[1] for n in range(len(images))])
        truth = case.network.run(images)
        compared(scores, truth, labels)
        bits = np.log2(np.abs(truth).max() / np.sqrt(np.mean((scores - truth) ** 2)))
        print(
            f"measured precision: {bits:.1f} bits between the largest score, {np.abs(truth).max():.0f}, and "
            f"the error's root mean square; the largest error is {np.abs(scores - truth).max():.2f}"
        )
    return rows


def compared(scores, truth, labels):
    print(
        f"{len(scores)} images: {(scores.argmax(1) == truth.argmax(1)).mean():.2%} agree with the plain one; "
        f"accuracy {(scores.argmax(1) == labels).mean():.2%}, plain {(truth.argmax(1) == labels).mean():.2%}"
    )


def throughput(case, tenseal):
    digits = case.digits
    ours = Ours(case.network, digits.train_images[:100], Target.THROUGHPUT)
    images = np.concatenate([digits.test_images, digits.train_images])
    labels = np.concatenate([digits.test_labels, digits.train_labels])
    place = np.arange(ours.manifest.images) % len(images)
    print(f"\n{len(place):,} images: {case.title} (seconds for all)")
    print(report(ours.artefact))
    runners = {"eyelid": lambda _: ours(images[place])}
    if tenseal:
        arrays = dict(np.load(case.file))
        many = case.file.with_stem("many")
        np.savez(many, **{**arrays, "x": images[place]})
        log = case.file.with_suffix(".log")
        runners["TenSEAL"] = Peer(tenseal, "_he_tenseal.py", log, str(many), "batch")
    rows, memory = {}, 0.0
    for name, run in runners.items():
        seconds, scores = run(0)
        memory = memory or peak()
        truth = case.network.run(images)[place]
        rows[name] = ([seconds], [np.abs(scores - truth).max()])
        print(f"{name}: {seconds / len(place) * 1000:.3f} ms an image")
        compared(scores, truth, labels[place])
        if name != "eyelid":
            run.close()
    table(rows)
    told = report(ours.artefact)
    print(
        f"eyelid: {memory:.1f} GB at most, with the request and the keys; "
        f"{told.request_mb * 1000 / told.images:.0f} kB of request an image"
    )
    return rows["eyelid"][0][0] / len(place)


def keyed(case, count):
    """Return a case for which Orion has another number of key primes, of the same size."""
    if count is None:
        return case
    return replace(case, primes={**case.primes, "LogP": case.primes["LogP"][:1] * count})


def rings():
    print("\nSquares in a row that each ring holds at 128 bits:")
    for degree in parameters.MAX_BITS:
        held = max(depth for depth in range(32) if parameters.bits(degree, depth, 1.0) is not None)
        print(f"ring {degree}: {held}")


def main():
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ["rings", "tutorial", "small", "lenet", "deep"]
    parser.add_argument("--tenseal", help="a Python with TenSEAL")
    parser.add_argument("--orion", help="a Python with Orion")
    parser.add_argument(
        "--orion-key-primes",
        type=int,
        metavar="N",
        help="so many for Orion in place of the fastest number found",
    )
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, metavar="PART", help=str(parts))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--agreement", type=int, default=0, help="images to compare with the plain network")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "rings" in chosen.only:
            rings()
        if "tutorial" in chosen.only:
            case = keyed(_he_networks.tutorial(folder), chosen.orion_key_primes)
            latency(case, chosen.tenseal, chosen.orion, chosen.rounds, chosen.agreement)
        if "small" in chosen.only:
            throughput(_he_networks.small(folder), chosen.tenseal)
        if "lenet" in chosen.only:
            case = keyed(_he_networks.lenet(folder), chosen.orion_key_primes)
            each = throughput(case, None)
            rows = latency(case, None, chosen.orion, chosen.rounds, chosen.agreement)
            if "Orion" in rows:
                print(
                    f"Orion's time an image over eyelid's in slots: {np.median(rows['Orion'][0]) / each:.0f}"
                )
        if "deep" in chosen.only:
            case = keyed(_he_networks.deep(folder), chosen.orion_key_primes)
            latency(case, None, chosen.orion, chosen.rounds, chosen.agreement)


if __name__ == "__main__":
    main()
