"""What attestation costs: the same model over HTTP in the clear, and attested and encrypted, by turns.

``python benchmarks/enclave.py`` needs swtpm and bubblewrap. Both servers run the model in a sandboxed worker
and answer on the loopback interface; the plain one takes the picture as it is. It prints the time of each
request after the first, and CPU seconds of client, server and worker together.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from fastapi import Depends, Request, Response

from eyelid.infer.calling import Caller
from eyelid.infer.enclave.client import EnclaveClient
from eyelid.infer.enclave.launch import Enclosed, Launch
from eyelid.infer.enclave.manifest import Configuration
from eyelid.infer.enclave.messages import pack_answer, pack_picture, unpack_answer, unpack_picture
from eyelid.infer.enclave.policy_file import read_policy
from eyelid.infer.enclave.policy_for import policy_text
from eyelid.infer.enclave.sandbox import SETTINGS
from eyelid.infer.enclave.serve import enclave_application
from eyelid.infer.enclave.software_tpm import SoftwareTpm
from eyelid.infer.enclave.verify import verify
from eyelid.infer.enclave.workload import build
from eyelid.infer.serving import application, serving

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI

    from eyelid.types import Bgr

EACH = 2
"""Requests of one kind after each other: few, so that both kinds meet the same noise of the machine."""
PHOTO = Path(__file__).parents[1] / "docs" / "images" / "astronaut.jpg"


def plain(configuration: Configuration) -> FastAPI:
    """The same workload, without encryption, evidence or sandbox."""
    workload = build(configuration, None)
    app = application("plain", "The same model in the clear.", max_bytes=200_000_000)

    async def whole(request: Request) -> bytes:
        return await request.body()

    def infer(body: bytes = Depends(whole)) -> Response:
        return Response(pack_answer(workload(unpack_picture(body))))

    app.post("/infer", response_class=Response)(infer)
    infer.__annotations__.clear()
    return app


def descendants() -> list[Path]:
    """All processes that this one started and that still run, and those that they started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    ours, found = {os.getpid()}, 0
    while found < len(ours):
        found = len(ours)
        ours |= {child for child, parent in parents.items() if parent in ours}
    return [Path("/proc", str(process)) for process in ours - {os.getpid()}]


def cpu(processes: list[Path]) -> float:
    """CPU seconds that processes have spent, to the nanosecond: a turn is short beside the clock's ticks."""
    tasks = (task for process in processes for task in (process / "task").iterdir())
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--side", type=int, nargs="+", default=[640, 1280])
    asked = parser.parse_args()
    configuration = Configuration(detector="person")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        tpm = stack.enter_context(SoftwareTpm(folder / "tpm"))
        start = time.perf_counter()
        launch = Launch(configuration, tpm=tpm.socket, certificates=tpm.certificates)
        workload = stack.enter_context(Enclosed(launch))
        print(f"measure, sandbox, TPM key, model: {time.perf_counter() - start:.2f} s")
        (folder / "p.toml").write_text(policy_text(workload.manifest.digest, tpm.root_file, "software-tpm"))
        policy = read_policy(folder / "p.toml")
        attested = stack.enter_context(Caller(stack.enter_context(serving(enclave_application(workload)))))
        clear = stack.enter_context(Caller(stack.enter_context(serving(plain(configuration)))))
        client = EnclaveClient(attested, policy)
        appraisals = [seconds(client.appraise) for _ in range(10)]
        print(
            f"evidence, activation and appraisal: {statistics.median(appraisals) * 1e3:.1f} ms (median of 10)"
        )
        challenge, evidence = client._collect()
        verdicts = [seconds(lambda: verify(evidence, policy, challenge=challenge)) for _ in range(50)]
        assert verify(evidence, policy, challenge=challenge).passed
        print(f"appraisal alone: {statistics.median(verdicts) * 1e3:.1f} ms (median of 50)")
        photo = cv2.imread(str(PHOTO))
        assert photo is not None
        for side in asked.side:
            picture: Bgr = np.asarray(cv2.resize(photo, (side, side)), np.uint8)
            compare(client, clear, picture, asked.rounds)


def compare(client: EnclaveClient, clear: Caller, picture: Bgr, rounds: int) -> None:
    """Print the ratio of attested to plain, by turns."""

    def one_plain() -> object:
        return unpack_answer(clear.post("/infer", pack_picture(picture)))

    def one_attested() -> object:
        return client.predict(picture)

    client.appraise()
    first = seconds(one_attested)
    one_plain()
    assert one_plain() == one_attested()
    calls: dict[str, Callable[[], object]] = {"plain": one_plain, "attested": one_attested}
    times: dict[str, list[float]] = {name: [] for name in calls}
    spent: dict[str, list[float]] = {name: [] for name in calls}
    workers = descendants()
    for turn in range(2 * rounds):
        name = list(calls)[turn % 2]
        others, own = cpu(workers), time.process_time()
        times[name] += [seconds(calls[name]) for _ in range(EACH)]
        own = time.process_time() - own
        spent[name].append((own + cpu(workers) - others) / EACH)
    middle = {name: statistics.median(values) * 1e3 for name, values in times.items()}
    cost = {name: statistics.median(values) * 1e3 for name, values in spent.items()}
    ratios = sorted(b / a - 1 for a, b in zip(spent["plain"], spent["attested"], strict=True))
    low, high = ratios[rounds // 4], ratios[-rounds // 4]
    print(
        f"{picture.shape[1]} x {picture.shape[0]} ({picture.nbytes / 1e6:.1f} MB): CPU ms a request: "
        f"plain {cost['plain']:.1f}, attested {cost['attested']:.1f}; the median of the rounds' ratios "
        f"{statistics.median(ratios):+.1%} (quartiles {low:+.1%}, {high:+.1%}), "
        f"of the sums {sum(spent['attested']) / sum(spent['plain']) - 1:+.1%}; "
        f"wall ms: plain {middle['plain']:.1f}, attested {middle['attested']:.1f}; "
        f"the first attested {first * 1e3:.0f} ms; {rounds} rounds of {EACH} each by turns"
    )


if __name__ == "__main__":
    # The worker keeps freed memory; whoever is compared with it must, too.
    kept = {name: value for name, value in SETTINGS.items() if name.startswith("MALLOC_")}
    if not kept.items() <= os.environ.items():
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | kept)
    main()
