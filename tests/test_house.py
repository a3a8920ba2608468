"""The rules of the house that no tool checks by itself."""

import ast
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import eyelid
from tests.api_surface import RECORD, surface

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "eyelid"
MODULES = sorted(SOURCE.rglob("*.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MAX_LINES = 400
HEAVY = {"av", "cv2", "numpy", "onnxruntime", "openvino", "PIL", "cryptography", "ray", "supervision"}
BASE = {"PIL", "av", "cryptography", "cv2", "numpy", "openvino", "pillow_heif", "pydantic", "rich", "typer"}
"""What the base install brings; anything else is imported inside the function that needs it."""
NETWORK = {"aiohttp", "ftplib", "http", "httpx", "requests", "smtplib", "socket", "ssl", "urllib", "urllib3"}
# Written so that this file does not hold the words: paths of one machine, hosts of registries, its tools.
FORBIDDEN = re.compile(
    "|".join(
        [
            "/" + r"work\b",
            r"\.\./" + "shared",
            "/" + r"root\b",
            "/" + "opt/",
            "farm" + "-",
            r"\." + "library",
            "issues " + "show",
            "index-" + "url",
            r"pypi\." + "org",
        ]
    )
)
TEXT = {".cfg", ".in", ".json", ".md", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imported(statement: ast.AST) -> Iterator[tuple[str, str]]:
    """Yield each module that a statement imports with the imported name ('' for the module itself)."""
    if isinstance(statement, ast.Import):
        yield from ((alias.name, "") for alias in statement.names)
    elif isinstance(statement, ast.ImportFrom):
        yield from ((statement.module or "", alias.name) for alias in statement.names)


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what a module imports anywhere in its text."""
    for node in ast.walk(ast.parse(path.read_text())):
        yield from imported(node)


def own_files() -> list[Path]:
    """Return the files that belong to the project: those that git tracks or would track."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:  # an unpacked source archive
        return [
            path for part in ("src", "tests", "docs") for path in (ROOT / part).rglob("*") if path.is_file()
        ]
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_imports_point_only_downward() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    run = subprocess.run(
        [lint, "--no-logo", "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout
    assert "1 kept, 0 broken" in run.stdout


def test_nothing_calls_home() -> None:
    """Only private inference talks, to the addresses that its user names (tests/infer has that proof)."""
    others = [path for path in MODULES if not path.is_relative_to(SOURCE / "infer")]
    callers = [name_of(p) for p in others for module, _ in imports(p) if module.split(".")[0] in NETWORK]
    assert callers == []


def test_modules_load_with_the_base_install() -> None:
    allowed = BASE | sys.stdlib_module_names | {"eyelid"}
    elsewhere = SOURCE / "infer" / "mpc" / "party"  # a program of an environment of its own
    extra = {
        f"{name_of(path)}: {name}"
        for path in MODULES
        if not path.is_relative_to(elsewhere)
        for statement in ast.parse(path.read_text()).body
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name, _ in imported(statement)
        if name.split(".")[0] not in allowed
    }
    assert extra == set()


def test_the_wheel_holds_weights_and_cards_and_no_tests(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    subprocess.run([*build, str(tmp_path), str(ROOT)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"eyelid/{path.relative_to(SOURCE)}" for path in MODULES} <= names
    weights = [path.stem for path in (SOURCE / "models" / "weights").glob("*.onnx")]
    assert weights
    for name in weights:
        assert {f"eyelid/models/weights/{name}.onnx", f"eyelid/models/weights/{name}.json"} <= names
    assert "eyelid/py.typed" in names
    assert not any(name.endswith(".pyc") for name in names)
    assert all(name.startswith(("eyelid/", f"eyelid-{eyelid.__version__}.dist-info/")) for name in names)
    assert any(name.endswith("/NOTICE") for name in names)


@pytest.mark.parametrize("arguments", [["--help"], ["anonymize", "--help"]])
def test_help_loads_no_heavy_library(arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from eyelid.cli import main\n"
        f"sys.argv = ['eyelid', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print(sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Usage" in run.stdout
    assert run.stderr.strip() == "[]"


def test_the_public_api_is_the_recorded_one() -> None:
    assert surface() == json.loads(RECORD.read_text()), "run `make api` if the change is meant, and note it"


def test_the_main_job_is_public() -> None:
    assert "anonymize" in surface()["eyelid"]


def test_one_version_everywhere() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    newest = re.search(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert newest, "CHANGELOG.md names no version"
    assert PROJECT["project"]["version"] == eyelid.__version__ == newest[1]


def test_files_have_one_reason_to_change() -> None:
    long = [name_of(path) for path in MODULES if len(path.read_text().splitlines()) > MAX_LINES]
    assert long == []


def test_no_word_of_one_machine() -> None:
    found = []
    for path in own_files():
        if path.suffix not in TEXT or path == ROOT / ".ci" / "run":
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if FORBIDDEN.search(line):
                found.append(f"{name_of(path)}:{number}")
    assert found == []


def test_every_direct_dependency_has_a_tested_version() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0].lower().replace("_", "-")

    pinned = {name(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line}
    direct = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    assert {name(requirement) for requirement in direct} <= pinned


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert re.search(r"^(exec )?make test$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    assert "make test" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("room", sorted(p.name for p in SOURCE.iterdir() if (p / "__init__.py").is_file()))
def test_every_room_has_its_tests(room: str) -> None:
    assert list((ROOT / "tests" / room).glob("test_*.py"))
