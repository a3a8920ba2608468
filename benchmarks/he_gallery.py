"""One encrypted face embedding against a gallery: CPU time a comparison, sizes and error, beside TenSEAL.

    python benchmarks/he_gallery.py [--vectors 4096] [--dimensions 512] [--tenseal PYTHON] [--rounds 5]

All vectors are random and of length 1. PYTHON is the interpreter of an environment of its own with TenSEAL
(`python -m venv peer && peer/bin/pip install tenseal==0.3.18`). It multiplies the same encrypted probe with
the same gallery by `CKKSVector.mm`, at degree 8192 with 40, 30 and 40 bits; one product gives as many scores
as there are slots, 4096: it does best with a gallery of that size. Runs are interleaved, one thread, medians.
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
from statistics import median

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np

from eyelid.infer.he import gallery, gallery_file, keys
from eyelid.infer.he.client import Client
from eyelid.infer.he.server import Server

PEER = """
import json, sys, time
import numpy as np
import tenseal as ts
count, dimensions = int(sys.argv[1]), int(sys.argv[2])
context = ts.context(ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[40, 30, 40], n_threads=1)
context.global_scale = 2.0**30
context.generate_galois_keys()
random = np.random.default_rng(0)
vectors = random.normal(size=(count, dimensions))
vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
probe = vectors[7]
columns = vectors.T.tolist()
encrypted = ts.ckks_vector(context, probe.tolist())
public = context.copy()
public.make_context_public()
sizes = len(encrypted.serialize()), len(public.serialize(save_public_key=False, save_relin_keys=False))
print(json.dumps({"version": ts.__version__, "request": sizes[0], "keys": sizes[1]}), flush=True)
for line in sys.stdin:
    start = time.process_time()
    product = encrypted.mm(columns)
    seconds = time.process_time() - start
    error = np.abs(np.array(product.decrypt()) - vectors @ probe).max()
    print(json.dumps({"seconds": seconds, "error": float(error)}), flush=True)
"""
PEER_VECTORS = 4096
"""The most that it multiplies at once."""


class Peer:
    """TenSEAL in its own process, told when to run."""

    def __init__(self, python: Path, vectors: int, dimensions: int) -> None:
        self.vectors = min(vectors, PEER_VECTORS)
        self._process = subprocess.Popen(
            [python, "-c", PEER, str(self.vectors), str(dimensions)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.about = self._line()

    def run(self) -> dict[str, float]:
        """Multiply once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._line()

    def _line(self) -> dict[str, float]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        self._process.communicate(timeout=30)


def ours(folder: Path, vectors: np.ndarray, *, encrypted: bool) -> tuple[Server, Client]:
    """Return a server of the gallery, and a client whose keys it has."""
    path, key = folder / f"{encrypted}.eyelid", folder / f"{encrypted}.key"
    if encrypted:
        told = gallery_file.encrypted_offer("bench", *vectors.shape)
    else:
        told = gallery_file.save_plain(path, "bench", vectors, ())
    keys.generate(key, told.artefact, told.demands, "a passphrase")
    secret = keys.read(key, "a passphrase")
    if encrypted:
        gallery_file.save_encrypted(path, told, vectors, secret)
    from eyelid.infer.he import programs

    start = time.process_time()
    server = Server(programs.load(path))
    print(f"  load the gallery: {time.process_time() - start:.2f} s, {path.stat().st_size / 1e6:.1f} MB")
    data = keys.evaluation_path(key).read_bytes()
    start = time.process_time()
    server.add_keys(data)
    print(f"  evaluation keys: {len(data) / 1e6:.2f} MB, loaded in {time.process_time() - start:.2f} s")
    return server, Client(server.offer, secret)


def main() -> None:
    """Print a block for each way, and the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--vectors", type=int, default=4096)
    parser.add_argument("--dimensions", type=int, default=512)
    parser.add_argument("--tenseal", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    vectors = gallery.normalised(
        np.random.default_rng(0).normal(size=(options.vectors, options.dimensions)), options.dimensions
    )
    probe = vectors[7]
    peer = Peer(options.tenseal, *vectors.shape) if options.tenseal else None
    with tempfile.TemporaryDirectory() as folder:
        for encrypted in (False, True):
            print(
                f"{options.vectors} x {options.dimensions}, gallery {'encrypted' if encrypted else 'known'}"
            )
            server, client = ours(Path(folder), vectors, encrypted=encrypted)
            seconds, theirs, error = [], [], 0.0
            for _ in range(options.rounds):
                request = client.encrypt(probe)
                start = time.process_time()
                response = server.run(request.data)
                seconds.append(time.process_time() - start)
                scores = client.decrypt(response, request, exact=True)[0]
                error = max(error, float(np.abs(scores - vectors @ probe).max()))
                if peer is not None and not encrypted:
                    theirs.append(peer.run())
            each = median(seconds) / options.vectors
            print(f"  request {len(request.data):,} bytes, response {len(response):,} bytes")
            print(
                f"  {median(seconds) * 1e3:.1f} ms CPU: {each * 1e6:.1f} us a comparison, error {error:.1e}"
            )
            if theirs and peer is not None:
                other = median(run["seconds"] for run in theirs) / peer.vectors
                print(
                    f"  TenSEAL {peer.about['version']} mm: {other * 1e6:.0f} us a comparison, error "
                    f"{max(run['error'] for run in theirs):.1e}, request {peer.about['request']:,} bytes, "
                    f"keys {peer.about['keys'] / 1e6:.0f} MB; ratio {other / each:.0f}"
                )
    if peer is None:
        print("TenSEAL was left out; give --tenseal PYTHON", file=sys.stderr)
    else:
        peer.close()


if __name__ == "__main__":
    main()
