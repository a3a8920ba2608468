"""What does a video give away whose frames each got fresh noise? Prints rank-1 of one frame and of averages.

    python benchmarks/averaging.py [--data DATA] [--epsilon 0.1] [--frames 10,30,100] [--seeds 10]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, a folder a person). Every frame is a release of
DP-Pix (b = 16, m = 16) of the same still face; no ledger is kept. The attacker averages the frames and learns
from pictures of the same people that it averaged alike. Intervals: 95 %, bootstrapped over people.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from eyelid.attack.average import AverageAttack
from eyelid.attack.dataset import read_faces
from eyelid.attack.treatment import parse


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--epsilon", type=float, default=0.1)
    parser.add_argument("--frames", default="10,30,100")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data, or set EYELID_DATA to the folder with the real media")
    faces = read_faces(arguments.data / "faces_orl")
    treatment = parse(f"dp-pixelate:eps={arguments.epsilon}")
    print("frames   total epsilon   rank-1   95 % interval   one frame")
    for frames in map(int, arguments.frames.split(",")):
        found = AverageAttack(treatment, frames=frames, seeds=arguments.seeds).measure(faces)
        low, high = found.averaged.interval
        total = frames * arguments.epsilon
        share = f"{found.averaged.success:6.1%}   {low:.1%}..{high:.1%}"
        print(f"{frames:<8} {total:<15g} {share}   {found.single.success:.1%}", flush=True)


if __name__ == "__main__":
    main()
