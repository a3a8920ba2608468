"""swtpm, a TPM in software with a certificate of a local authority: to try things out, and for tests.

It protects nothing from whoever runs it; evidence from it says ``software-tpm``, and only a policy that pins
this very authority accepts it.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Final, Self

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_pem_x509_certificate

from eyelid.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from cryptography.x509 import Certificate

WAIT_S: Final = 30


class SoftwareTpm:
    """A TPM whose state is in a folder, made there on first use; use it as a context manager.

    ``socket`` is where it listens. Raises UsageError where swtpm is not installed.
    """

    def __init__(self, folder: Path) -> None:
        for program in ("swtpm", "swtpm_setup"):
            if shutil.which(program) is None:
                raise UsageError(f"{program} is missing; install it: apt-get install swtpm swtpm-tools")
        self._state = folder.resolve() / "state"
        self._authority = folder.resolve() / "authority"
        self.socket = folder.resolve() / "tpm.socket"
        self._process: subprocess.Popen[bytes] | None = None
        if not self._state.exists():
            self._make()

    def _make(self) -> None:
        self._authority.mkdir(parents=True, exist_ok=True)
        self._state.mkdir()
        options = self._authority / "options"
        options.write_text(
            "--platform-manufacturer eyelid\n--platform-version 1\n--platform-model software\n"
        )
        authority = self._authority / "authority.conf"
        authority.write_text(
            f"statedir = {self._authority}\nsigningkey = {self._authority}/signing.pem\n"
            f"issuercert = {self._authority}/issuer.pem\ncertserial = {self._authority}/serial\n"
        )
        setup = self._authority / "setup.conf"
        setup.write_text(
            f"create_certs_tool = {shutil.which('swtpm_localca') or '/usr/bin/swtpm_localca'}\n"
            f"create_certs_tool_config = {authority}\ncreate_certs_tool_options = {options}\n"
        )
        done = subprocess.run(  # noqa: S603 - our own
            [
                shutil.which("swtpm_setup") or "",
                "--tpm2",
                "--tpmstate",
                self._state,
                "--create-ek-cert",
                "--config",
                setup,
            ],
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(self._state)
            raise UsageError(f"swtpm_setup failed in {self._state.parent}; run it by hand to see why")

    @property
    def root_file(self) -> Path:
        """The certificate of the authority, PEM, for a policy to pin."""
        return self._authority / "swtpm-localca-rootca-cert.pem"

    @property
    def root(self) -> Certificate:
        """That certificate."""
        return load_pem_x509_certificate(self.root_file.read_bytes())

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """The certificate (DER) between the endorsement key's and the root."""
        issuer = load_pem_x509_certificate((self._authority / "issuer.pem").read_bytes())
        return (issuer.public_bytes(Encoding.DER),)

    def start(self) -> None:
        """Switch it on: the PCRs are zero, as after a boot."""
        self.socket.unlink(missing_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - our own
            [
                *(shutil.which("swtpm") or "", "socket", "--tpm2", "--tpmstate", f"dir={self._state}"),
                *("--server", f"type=unixio,path={self.socket},mode=0600"),
                *("--flags", "not-need-init,startup-clear"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + WAIT_S
        while not self.socket.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise UsageError(f"swtpm did not start in {self._state}; is another one running there?")
            time.sleep(0.01)

    def stop(self) -> None:
        """Switch it off."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
            self._process = None

    def reboot(self) -> None:
        """Switch it off and on."""
        self.stop()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
