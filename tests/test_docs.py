"""Every example of README.md and docs/ runs, offline, in a folder with the media that the examples name.

A page's blocks run in order in one folder. ``console`` blocks: each line after ``$`` must pass or end with
the exit code that ``# exit 1`` behind it names; one that ends with ``&`` is a server, which runs until the
page ends, and the next line waits for the first that it prints. ``python`` blocks: each runs as a program
of its own, but one whose first line is ``# NAME.py`` is kept as that file, for the blocks after it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN_ONLY = {"text", "json", "toml", "yaml"}
"""Languages of blocks that are output or settings; no other block escapes a run."""
SETS_UP = ("git clone ", "cd ", "make ", "pip install ", "pre-commit ")
"""Beginnings of commands that set a machine up or need the network: CI runs `make test` itself."""
MODULE = re.compile(r"# (\w+\.py)\n")
EXIT = re.compile(r"\s+# exit (\d+)$")


@dataclass(frozen=True)
class Block:
    page: Path
    language: str
    text: str

    @property
    def commands(self) -> list[str]:
        """The command lines of a console block, with continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def blocks_of(page: Path) -> list[Block]:
    return [Block(page, language, text) for language, text in FENCE.findall(page.read_text())]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The media that examples may name, in one folder; CONTRIBUTING.md lists them."""
    folder = tmp_path_factory.mktemp("media")
    for name, seconds in (("street.mp4", "1"), ("long.mp4", "4")):
        script = [
            sys.executable,
            str(ROOT / "tools" / "demo_clip.py"),
            str(folder / name),
            "--seconds",
            seconds,
        ]
        subprocess.run(script, check=True)
    portrait = ROOT / "docs" / "images" / "astronaut.jpg"
    (folder / "photos" / "more").mkdir(parents=True)
    for name in ("party.jpg", "me.jpg", "me-outdoors.jpg", "photos/one.jpg", "photos/more/two.jpg"):
        shutil.copy(portrait, folder / name)
    onnx.save(one_plate(), folder / "plates.onnx")
    return folder


def one_plate() -> onnx.ModelProto:
    """Return an end-to-end detector that sees the same plate in every picture."""
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, 64, 64])
    found = helper.make_tensor_value_info("found", TensorProto.FLOAT, [1, 1, 6])
    nothing = [
        helper.make_node("ReduceMin", ["picture"], ["least"], keepdims=0),
        helper.make_node("Sub", ["least", "least"], ["zero"]),
        helper.make_node("Add", ["box", "zero"], ["found"]),
    ]
    box = helper.make_tensor("box", TensorProto.FLOAT, [1, 1, 6], [8, 30, 24, 36, 0.9, 0])
    graph = helper.make_graph(nothing, "one_plate", [picture], [found], [box])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.fixture
def desk(media: Path, tmp_path: Path) -> Path:
    """A fresh folder with the media in it."""
    return Path(shutil.copytree(media, tmp_path / "desk"))


def environment() -> dict[str, str]:
    """Return an environment in which the program is found, and a passphrase is given."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return os.environ | {"PATH": path, "EYELID_PASSPHRASE": "only for these examples"}


@contextmanager
def background(arguments: list[str], folder: Path, place: str) -> Iterator[None]:
    """Run a server, from the first line that it prints to the end of the block; it must end well then."""
    with subprocess.Popen(
        arguments,
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as server:
        assert server.stdout is not None
        first = server.stdout.readline()
        running = server.poll() is None
        try:
            assert running, f"{place}\n{first}"
            yield
        finally:
            server.terminate()
            rest = server.stdout.read()
    assert server.returncode == 0, f"{place}\n{first}{rest}"


def run(arguments: list[str], folder: Path, expected: int, place: str) -> None:
    done = subprocess.run(
        arguments, cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == expected, f"{place}\n{done.stdout}\n{done.stderr}"


@pytest.mark.timeout(900)  # every example of a page, one after another
@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_examples_of_a_page_run(page: Path, desk: Path) -> None:
    with ExitStack() as servers:
        run_blocks(page, desk, servers)


def run_blocks(page: Path, desk: Path, servers: ExitStack) -> None:
    for block in blocks_of(page):
        module = MODULE.match(block.text) if block.language == "python" else None
        if module:
            (desk / module[1]).write_text(block.text)
        elif block.language == "python":
            run([sys.executable, "-c", block.text], desk, 0, f"{name_of(page)}:\n{block.text}")
        for command in block.commands if block.language == "console" else []:
            if command.startswith(SETS_UP):
                continue
            expected = EXIT.search(command)
            arguments = shlex.split(EXIT.sub("", command), comments=True)
            place = f"{name_of(page)}: $ {command}"
            if arguments[-1] == "&":
                servers.enter_context(background(arguments[:-1], desk, place))
            else:
                run(arguments, desk, int(expected[1]) if expected else 0, place)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_example_escapes(page: Path) -> None:
    for block in blocks_of(page):
        assert block.language in {"console", "python"} | SHOWN_ONLY, (
            f"a block in {block.language or 'no language'!r}"
        )
        if block.language == "console":
            assert block.commands, f"a console block without a command: {block.text}"
            for command in block.commands:
                assert command.startswith(("eyelid ", *SETS_UP)), command
        if block.language in SHOWN_ONLY:
            assert not re.search(r"^\$? ?eyelid ", block.text, re.MULTILINE), (
                "mark it as console, so that it runs"
            )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    prose = FENCE.sub("", page.read_text())
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), target


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    pages = [page.relative_to(ROOT / "docs") for page in PAGES if page.is_relative_to(ROOT / "docs")]
    assert [str(page) for page in pages if page.name != "index.md" and f"({page})" not in index] == []
