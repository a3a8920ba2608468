"""The link among parties: mutual TLS in which each address must show its own certificate."""

from __future__ import annotations

import errno
import os
import socket
import ssl
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spu import libspu

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .counting import Log

RETRY_MS = 200


class Failure(Exception):  # noqa: N818 -- what ends a session, and what eyelid is told of it
    """Ends the session: ``why`` is a word that eyelid turns into a sentence, ``party`` whom it concerns."""

    def __init__(self, why: str, party: int | None = None, detail: str = "") -> None:
        super().__init__(why)
        self.why, self.party, self.detail = why, party, detail


def join(order: dict[str, Any], log: Log, refused: Callable[[Failure], None]) -> Any:
    """Connect to all other parties, for ``connect_s`` at most; raises :class:`Failure`.

    ``refused`` must end the process: it is called when a party shows a wrong certificate, and when the time
    is over, while SPU still tries.
    """
    own = order["rank"]
    family, where = _where(order["addresses"][own])
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(where)
        except OSError as error:
            raise Failure("port" if error.errno == errno.EADDRINUSE else "address", own) from None
    joined = threading.Event()

    def look() -> None:
        ends, known = time.monotonic() + order["connect_s"], False
        while not joined.wait(RETRY_MS / 1000):
            log_says = log.everything()
            if b"certificate verify failed" in log_says and not known:
                wrong, known = _wrong_certificate(order), True
                if wrong is not None and not joined.is_set():
                    return refused(Failure("certificate", wrong))
            if time.monotonic() > ends and not joined.is_set():
                unknown = b"unknown ca" in log_says
                return refused(Failure("refused") if unknown else Failure("unreachable", _unreachable(order)))
        return None

    threading.Thread(target=look, daemon=True).start()
    try:
        return connect(order)
    except RuntimeError:
        raise Failure("unreachable", _unreachable(order)) from None
    finally:
        joined.set()


def connect(order: dict[str, Any]) -> Any:
    """Return SPU's link to all other parties; raises RuntimeError where one is not there.

    ``order`` has rank, addresses, certificates (PEM, one a party), certificate and key (paths), silence_s.
    """
    rank, addresses = order["rank"], order["addresses"]
    desc = libspu.link.Desc()
    desc.id = "eyelid"
    desc.recv_timeout_ms = int(order["silence_s"] * 1000)
    desc.http_timeout_ms = desc.recv_timeout_ms
    desc.connect_retry_interval_ms = RETRY_MS
    desc.connect_retry_times = 1_000_000  # join() ends it in time: an attempt takes SPU long by itself
    for number, address in enumerate(addresses):
        desc.add_party(str(number), address)
    desc.enable_ssl = True
    for options in (desc.client_ssl_opts, desc.server_ssl_opts):
        options.cert.certificate_path = order["certificate"]
        options.cert.private_key_path = order["key"]
        options.verify.verify_depth = 1
    others = [pem for number, pem in enumerate(order["certificates"]) if number != rank]
    with tempfile.TemporaryDirectory(prefix="eyelid-mpc-") as name:
        folder = Path(name)
        everyone = folder / "others.pem"
        everyone.write_text("".join(others))
        desc.server_ssl_opts.verify.ca_file_path = str(everyone)
        with _one_after_the_other(folder / "peer.pem", others) as pipe:
            desc.client_ssl_opts.verify.ca_file_path = str(pipe)
            return libspu.link.create_brpc(desc, rank)


@contextmanager
def _one_after_the_other(pipe: Path, certificates: list[str]) -> Iterator[Path]:
    """Yield a named pipe that gives each reader the next certificate alone.

    brpc knows one file of trusted certificates for all addresses that it calls, and checks no names, so a
    party could pass for another. But it opens that file once an address, in their order: each address is
    thus bound to its own certificate. All that parties compute travels from callers to called; answers are
    empty.
    """

    over = threading.Event()

    def feed() -> None:
        for number, certificate in enumerate(certificates):
            reader = os.open(pipe, os.O_WRONLY)  # waits for one
            with suppress(BrokenPipeError):  # who leaves again has had this turn
                os.write(reader, certificate.encode())
            # The next pipe lies there before this reader comes to its end, so none reads two.
            pipe.unlink()
            if number + 1 < len(certificates) and not over.is_set():
                os.mkfifo(pipe, 0o600)
            os.close(reader)
            if over.is_set():
                return

    os.mkfifo(pipe, 0o600)
    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        yield pipe
    finally:
        over.set()
        while feeder.is_alive():  # it waits for a reader that never came: be that reader
            with suppress(FileNotFoundError):
                last = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
                feeder.join(0.1)
                os.close(last)
        pipe.unlink(missing_ok=True)


def _wrong_certificate(order: dict[str, Any]) -> int | None:
    """Return the first party that shows another certificate than its own at its address."""
    for number, address in enumerate(order["addresses"]):
        if number == order["rank"]:
            continue
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=order["certificates"][number])
        context.load_cert_chain(order["certificate"], order["key"])
        try:
            with (
                socket.create_connection(_where(address)[1][:2], timeout=2) as plain,
                context.wrap_socket(plain),
            ):
                pass
        except ssl.SSLCertVerificationError:
            return number
        except OSError:
            continue
    return None


def _unreachable(order: dict[str, Any]) -> int | None:
    """Return the first party at whose address nothing answers."""
    for number, address in enumerate(order["addresses"]):
        if number != order["rank"]:
            try:
                socket.create_connection(_where(address)[1][:2], timeout=2).close()
            except OSError:
                return number
    return None


def _where(address: str) -> tuple[socket.AddressFamily, Any]:
    """Return the family and the socket address of ``host:port``."""
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
    return found[0], found[4]


def watch(address: str, gone: Callable[[], None]) -> None:
    """Call ``gone`` as soon as the process at ``address`` ends: its system then closes an idle connection."""

    def wait() -> None:
        try:
            with socket.create_connection(_where(address)[1][:2], timeout=10) as idle:
                idle.settimeout(None)
                idle.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                idle.recv(1)
        except OSError:
            pass
        gone()

    threading.Thread(target=wait, daemon=True).start()
