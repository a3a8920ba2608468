"""What the literature measured on the AT&T faces, beside what the attackers here find. Prints a table.

    python benchmarks/paper_tables.py [--data DATA] [--seeds 10] [--attackers A,B] [--only TEXT] [--json OUT]

DATA, by default $EYELID_DATA, holds faces_orl (40 people with 10 pictures each). Each row is what the command
beside it prints: 8/2 split of the pictures of each person, the retrained level, the strongest attacker as
chosen on held-back training pictures. The row of 100 frames is `eyelid attack average`.

Papers: McPherson et al., arXiv 1609.00408 (clear, mosaic); Fan, DBSec 2018 (DP-Pix). Where a dash stands,
no figure on these faces was at hand.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from eyelid.attack.average import AverageAttack
from eyelid.attack.dataset import Faces, read_faces
from eyelid.attack.reidentify import ATTACKERS, Reidentify
from eyelid.attack.treatment import parse


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a published table: rank-1 of the paper in 0..1, and what we ask of ours."""

    method: str
    paper: float | None = None
    at_least: float = 0.0
    at_most: float = 1.0
    frames: int = 1


@dataclass(frozen=True, slots=True)
class Found:
    """What our attackers found."""

    method: str
    frames: int
    paper: float | None
    rank1: float
    low: float
    high: float
    attacker: str
    naive: float | None
    cpu_s: float
    holds: bool


ROWS = (
    Row("clear", 0.95, at_least=0.95),
    Row("pixelate:16", 0.9625, at_least=0.95),
    Row("dp-pixelate:eps=.1", 0.0375, at_most=0.15),
    Row("dp-pixelate:eps=.5", at_least=0.45),
    Row("dp-pixelate:eps=1", 0.775, at_least=0.85),
    Row("dp-pixelate:eps=.1", at_least=0.75, frames=100),
    Row("dp-blur:eps=.1", 0.0125),
    Row("p3:10", at_least=0.90),
    Row("svd:k=4,eps=.001", at_least=0.75),
    Row("blur:25"),
    Row("eyelid:solid"),
    Row("eyelid:pixelate"),
    Row("eyelid:blur"),
)


def measure(row: Row, faces: Faces, seeds: int, attackers: tuple[str, ...]) -> Found:
    """Attack one method."""
    start = time.process_time()
    treatment = parse(row.method)
    naive = None
    if row.frames > 1:
        strongest = AverageAttack(treatment, frames=row.frames, seeds=seeds).run(faces)
    else:
        levels = Reidentify(treatment, attackers=attackers, seeds=seeds).measure(faces).strongest
        strongest, naive = levels[-1], levels[0].success
    low, high = strongest.interval
    return Found(
        row.method,
        row.frames,
        row.paper,
        strongest.success,
        low,
        high,
        strongest.attack,
        naive,
        time.process_time() - start,
        row.at_least <= strongest.success <= row.at_most,
    )


def command(row: Row) -> str:
    """Return what prints the row."""
    if row.frames > 1:
        return f"eyelid attack average --data faces_orl --methods {row.method} --frames {row.frames}"
    return f"eyelid attack reidentify --data faces_orl --methods {row.method}"


def percent(share: float | None) -> str:
    """Return a share in percent."""
    return "-" if share is None else f"{100 * share:.1f}"


def main() -> int:
    """Print the table; return 1 where a row misses what is asked of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--attackers", default=",".join(ATTACKERS))
    parser.add_argument("--only", default="", help="rows whose method begins so")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.data:
        parser.error("set EYELID_DATA or give --data: the folder that holds faces_orl")
    faces = read_faces(options.data / "faces_orl")
    found = []
    print("| method | paper | naive | retrained | 95 % | strongest | CPU s | command |")
    print("|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        if not row.method.startswith(options.only):
            continue
        result = measure(row, faces, options.seeds, tuple(options.attackers.split(",")))
        found.append(result)
        shown = row.method if row.frames == 1 else f"{row.method}, {row.frames} frames averaged"
        print(
            f"| {shown} | {percent(row.paper)} | {percent(result.naive)} | {percent(result.rank1)} "
            f"| {percent(result.low)} to {percent(result.high)} | {result.attacker} | {result.cpu_s:.0f} "
            f"| `{command(row)}` |" + ("" if result.holds else " MISSED"),
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in found], indent=1))
    return int(not all(result.holds for result in found))


if __name__ == "__main__":
    sys.exit(main())
