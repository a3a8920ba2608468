"""The pipe by which each address is bound to its own certificate, with readers that do not behave."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from eyelid.infer.mpc.party import frames

PRELUDE = """
import importlib, importlib.util, os, sys, threading
from pathlib import Path
folder, pipe = sys.argv[1], Path(sys.argv[2]) / "pipe"
spec = importlib.util.spec_from_file_location(
    "party", folder + "/__init__.py", submodule_search_locations=[folder]
)
sys.modules["party"] = importlib.util.module_from_spec(spec)
link = importlib.import_module("party.link")
before = threading.active_count()
"""
CASES = {
    "each reader has one, in order, and there is no more": """
with link._one_after_the_other(pipe, ["first", "second"]):
    assert [pipe.read_text(), pipe.read_text()] == ["first", "second"]
    assert not pipe.exists()
""",
    "nobody reads": """
with link._one_after_the_other(pipe, ["first", "second"]):
    pass
""",
    "only one reads, and a failure ends it": """
try:
    with link._one_after_the_other(pipe, ["first", "second"]):
        assert pipe.read_text() == "first"
        raise RuntimeError
except RuntimeError:
    pass
""",
    "a reader that leaves again does not keep the next waiting": """
with link._one_after_the_other(pipe, ["first", "second", "third"]):
    os.close(os.open(pipe, os.O_RDONLY))
    found = [pipe.read_text(), pipe.read_text()]
    assert found in (["second", "third"], ["first", "second"]), found
""",
    "many times": """
for number in range(300):
    with link._one_after_the_other(pipe, ["first", "second", "third"]):
        found = [pipe.read_text() for _ in range(number % 4)]
    assert found == ["first", "second", "third"][:number % 4], found
""",
}


@pytest.mark.parametrize("case", CASES)
def test_the_pipe_gives_each_reader_one_certificate_and_leaves_no_thread(
    spu: Path, tmp_path: Path, case: str
) -> None:
    script = PRELUDE + CASES[case] + "assert threading.active_count() == before\n"
    done = subprocess.run(
        [str(spu), "-I", "-c", script, str(Path(frames.__file__).parent), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    assert list(tmp_path.iterdir()) == []
