"""A process without network, without the host's files, without privileges, by bubblewrap.

This keeps a fault in a decoder or a network inside. It is isolation and no enclave: the host sees all of it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

from eyelid.errors import UsageError

PACKAGE: Final = Path("/eyelid/eyelid")
MODEL: Final = Path("/model")
BOOT: Final = "import sys; sys.path[:0] = sys.argv[1:]; from eyelid.infer.enclave.worker import main; main()"
SYSTEM: Final = ("/bin", "/lib", "/lib32", "/lib64", "/sbin")
READABLE: Final = ("/etc/ld.so.cache", "/sys/devices/system/cpu", "/sys/devices/system/node")

SETTINGS: Final = {
    "LANG": "C.UTF-8",
    "TSS2_LOG": "all+NONE",
    "OMP_NUM_THREADS": "1",
    # Memory of one picture is kept for the next: giving it back costs more time than decrypting does.
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
}


def command(code: Path, *, model: Path | None, writable: tuple[Path, ...] = ()) -> list[str]:
    """Return the command line that runs the worker of the package at ``code`` inside.

    It sees the interpreter, its libraries and the package, all read-only, the model at :data:`MODEL`, and
    nothing else of the host but ``writable``. No compiled Python file is used, for none is measured. Raises
    UsageError where bubblewrap is not installed: it never runs outside.
    """
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise UsageError(
            "the worker runs in bubblewrap, which is missing; install it: apt-get install bubblewrap"
        )
    libraries = sorted({Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")})
    python = Path(sys.executable).resolve()
    readable = {Path("/usr"), Path(sys.base_prefix).resolve(), python.parent, *libraries}
    arguments = [
        bwrap,
        "--unshare-all",
        "--die-with-parent",
        "--new-session",
        "--clearenv",
        *("--cap-drop", "ALL"),
        *("--hostname", "eyelid"),
        *("--proc", "/proc", "--dev", "/dev"),
        *("--tmpfs", "/tmp", "--chdir", "/tmp"),  # noqa: S108 - its own; first, for Python may be below it
    ]
    for path in sorted(readable):
        arguments += ["--ro-bind", str(path), str(path)]
    for name in SYSTEM:
        if Path(name).is_symlink():
            arguments += ["--symlink", str(Path(name).readlink()), name]
        elif Path(name).is_dir():
            arguments += ["--ro-bind", name, name]
    for name in READABLE:
        arguments += ["--ro-bind-try", name, name]
    arguments += ["--ro-bind", str(code.resolve()), str(PACKAGE)]
    if model is not None:
        arguments += ["--ro-bind", str(model.resolve()), str(MODEL)]
    for path in writable:
        arguments += ["--bind", str(path), str(path)]
    for name, value in SETTINGS.items():
        arguments += ["--setenv", name, value]
    isolated = ["-I", "-S", "-B", "-X", "pycache_prefix=/tmp/none"]
    return [*arguments, str(python), *isolated, "-c", BOOT, str(PACKAGE.parent), *map(str, libraries)]


def available() -> bool:
    """Return whether this machine lets us make such a process (some forbid unprivileged namespaces)."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        return False
    test = [bwrap, "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "true"]
    return subprocess.run(test, capture_output=True, check=False).returncode == 0  # noqa: S603 - our own
