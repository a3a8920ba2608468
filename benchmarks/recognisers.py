"""Do the shipped face embedders recognise people? Prints AUC over all pairs, and rank-1 by one picture each.

    python benchmarks/recognisers.py [--data DATA]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, 40 subjects with 10 pictures). The box of each
face comes from eyelid's detector. Rank-1: the first picture of each subject is known, 360 others are named.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from eyelid.attack.cloak_transfer import face_boxes, recognisers
from eyelid.attack.dataset import read_faces
from eyelid.attack.statistics import auc, rank1


def main() -> None:
    """Print a line for each recogniser."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    options = parser.parse_args()
    if not options.data:
        parser.error("set EYELID_DATA or give --data: the folder that holds faces_orl")
    faces = read_faces(options.data / "faces_orl")
    boxes = face_boxes(faces.pictures)
    known = np.array([np.flatnonzero(faces.people == person)[0] for person in np.unique(faces.people)])
    named = np.setdiff1d(np.arange(len(faces.people)), known)
    first, second = np.triu_indices(len(faces.people), 1)
    same = faces.people[first] == faces.people[second]
    for recogniser in recognisers():
        rows = recogniser.embed(faces.pictures, boxes)
        alike = rows @ rows.T
        pairs = alike[first, second]
        found = rank1(alike[np.ix_(named, known)], faces.people[named], faces.people[known])
        print(
            f"{recogniser.name:9} AUC {auc(pairs, same):.4f} of {len(pairs)} pairs, "
            f"rank-1 {found.mean():.4f} of {len(named)}",
            flush=True,
        )


if __name__ == "__main__":
    main()
