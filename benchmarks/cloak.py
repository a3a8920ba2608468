"""What is a cloak worth? Prints rank-1 of cloaked pictures against clear ones, for seen and unseen models.

    python benchmarks/cloak.py [--data DATA] [--dlib-python VENV/bin/python] [--people N] [--levels L ...]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, 40 subjects with 10 pictures). One picture each
of N subjects is cloaked; the gallery holds another, clear picture of all 40. Recognisers:

  faceres  the shipped embedder, which the cloak is made against
  pixels   nearest neighbour of the pixels, which it never saw
  dlib     dlib's recogniser, which it never saw, in its own environment:
           pip install dlib-bin face-recognition-models==0.3.0 "setuptools<81"

Intervals are 95 %, over subjects. The start of the search is random, so two runs differ a little.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyelid.attack.cloak_transfer import SHIPPED, CloakTransfer, Recogniser, Upload, cloak_probes
from eyelid.attack.dataset import read_faces
from eyelid.attack.fidelity import psnr, ssim
from eyelid.obfuscate.cloak import Cloak

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.attack.dataset import Pictures

FACE = (12, 18, 80, 104)  # x0 y0 x1 y1 in the 92 x 112 pictures, which are roughly aligned


def embed_dlib(python: Path, pictures: Pictures) -> NDArray[np.float64]:
    """Return dlib's embeddings as rows whose inner products order pairs as its distances do."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "crops.npy", Path(folder) / "embeddings.npy"
        np.save(source, np.repeat(pictures[..., None], 3, axis=3))
        worker = Path(__file__).with_name("_dlib_embedder.py")
        subprocess.run([python, worker, source, result, *map(str, FACE)], check=True)
        rows: NDArray[Any] = np.load(result)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--dlib-python", type=Path, default=os.environ.get("EYELID_DLIB_PYTHON"))
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--levels", type=int, nargs="+", default=[8])
    parser.add_argument("--steps", type=int, default=Cloak().steps)
    options = parser.parse_args()
    if not options.data:
        parser.error("set EYELID_DATA or give --data: the folder that holds faces_orl")
    recognisers = list(SHIPPED)
    if options.dlib_python:
        recognisers.append(Recogniser("dlib", lambda p: embed_dlib(options.dlib_python, p), seen=False))
    else:
        print("without --dlib-python (or EYELID_DLIB_PYTHON) dlib does not take part; see --help")
    faces = read_faces(options.data / "faces_orl")
    for levels in options.levels:
        started = time.process_time()
        target = cloak_probes(faces, Cloak(levels=levels, steps=options.steps), options.people)
        seconds = (time.process_time() - started) / len(target.people)
        likeness = psnr(target.cloaked, target.clear).mean(), ssim(target.cloaked, target.clear).mean()
        print(
            f"{levels} levels, {options.steps} steps, {len(target.people)} people, "
            f"{seconds:.1f} CPU s a face; PSNR {likeness[0]:.1f} dB, "
            f"SSIM {likeness[1]:.3f} to the clear picture; chance {1 / len(target.gallery_people):.3f}",
            flush=True,
        )
        for recogniser in recognisers:
            for upload in Upload:
                result = CloakTransfer(recogniser, upload).run(target)
                low, high = result.interval
                print(
                    f"  {recogniser.name:8} {'seen' if recogniser.seen else 'UNSEEN':7} {upload.value:20} "
                    f"rank-1 {result.success:.3f} [{low:.3f}, {high:.3f}]  {result.note.partition('; ')[2]}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
