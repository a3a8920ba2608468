"""Prints the processor time of one run of a network, one thread, interleaved, the best and the median of 15.

python recipes/speed.py NAME [WIDTH HEIGHT]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from eyelid.errors import ModelError
from eyelid.models.cards import card
from eyelid.models.session import Precision, Session

ROUNDS = 15


def main(name: str, width: int, height: int) -> None:
    """Print one line for each precision, for one size (steady) and for any size."""
    convention = card(name).input
    shape = (1, convention.height or height, convention.width or width, 3)
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    sessions: dict[str, Session] = {}
    for precision in (Precision.F32, Precision.BF16):
        for steady in (True, False):
            try:
                session = Session(name, precision=precision, threads=1, steady=steady)
            except ModelError as error:
                print(error)
                continue
            session.run(picture)
            sessions[f"{precision} {'steady' if steady else 'any size'}"] = session
    spent: dict[str, list[float]] = {label: [] for label in sessions}
    for _ in range(ROUNDS):
        for label, session in sessions.items():
            before = time.process_time()
            session.run(picture)
            spent[label].append((time.process_time() - before) * 1000)
    for label, values in spent.items():
        what = f"{name} {shape[2]}x{shape[1]} {label:14}"
        print(f"{what} best {min(values):6.1f} median {np.median(values):6.1f} ms")


if __name__ == "__main__":
    main(sys.argv[1], *(int(side) for side in sys.argv[2:4] or ("640", "384")))
