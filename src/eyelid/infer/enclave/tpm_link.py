"""A TPM as one open file: a character device, or the Unix socket of swtpm.

A file can be handed into a sandbox that sees neither the device nor the network.
"""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING, Final

from eyelid.errors import AttestationError
from eyelid.models.extras import require

if TYPE_CHECKING:
    from pathlib import Path

    from tpm2_pytss import ESAPI

DEFAULT: Final = "/dev/tpmrm0"
HEADER_BYTES: Final = 10
"""Every answer begins with a tag (2 bytes), its whole length (4) and a code (4)."""
MOST_BYTES: Final = 4096


def open_tpm(path: Path) -> int:
    """Open a TPM and return the file; whoever calls it closes it.

    ``path`` is a device (``/dev/tpmrm0``) or a Unix socket of swtpm. Raises AttestationError where it is not
    there, is no TPM, or is in use: nothing takes its place.
    """
    require("evidence of a TPM", "tpm", "tpm2_pytss")
    os.environ.setdefault("TSS2_LOG", "all+NONE")  # it would print what is reported as an error anyway
    try:
        kind = path.stat().st_mode
        if stat.S_ISSOCK(kind):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
                link.connect(str(path))
                return link.detach()
        if stat.S_ISCHR(kind):
            return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise AttestationError(
            f"there is no TPM at {path} ({error.strerror}); name its device or the socket of swtpm with --tpm"
        ) from None
    raise AttestationError(f"{path} is neither a device nor a socket; name a TPM with --tpm")


def session(file: int) -> ESAPI:
    """Return the commands of the TPM behind an open file."""
    from tpm2_pytss import ESAPI, TCTI, PyTCTI

    class Link(PyTCTI):  # type: ignore[misc]  # the library has no types
        def do_transmit(self, command: bytes) -> None:
            os.write(file, command)

        def do_receive(self, _timeout: int) -> bytes:
            return _answer(file)

    link: TCTI = Link()
    return ESAPI(link)


def _answer(file: int) -> bytes:
    """Read one answer: a device gives it in one read, a socket perhaps in parts."""
    answer = os.read(file, MOST_BYTES)
    while answer:
        length = int.from_bytes(answer[2:6], "big") if len(answer) >= HEADER_BYTES else HEADER_BYTES
        if not HEADER_BYTES <= length <= MOST_BYTES:
            break
        if len(answer) >= length:
            return answer
        more = os.read(file, length - len(answer))
        if not more:
            break
        answer += more
    raise AttestationError("the TPM has gone, or answers what no TPM answers")
