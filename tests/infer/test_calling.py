"""Server and caller talk over loopback; what goes wrong is one sentence on the caller's side."""

from __future__ import annotations

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI, Request, Response

from eyelid.errors import InferenceError, InputError, UsageError
from eyelid.infer import serving as serving_module
from eyelid.infer.calling import Caller
from eyelid.infer.serving import HEADER, Tls, application, serve, serving
from tests.infer.certificate import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]
LIMIT = 100_000
LARGE = 2**24
"""Bytes that no system takes from a server while nobody reads them."""


def echo() -> FastAPI:
    app = application("echo", "Says what it hears.", max_bytes=LIMIT)

    @app.post("/echo")
    async def back(request: Request) -> Response:
        return Response(await request.body())

    @app.get("/known")
    def known() -> None:
        raise InferenceError("the cat sat on the server; wake it")

    @app.get("/unknown")
    def unknown() -> None:
        raise ZeroDivisionError("secret value sesame")

    @app.get("/large")
    def large(size: int) -> Response:
        return Response(bytes(size))

    @app.get("/number")
    def number(n: int) -> int:
        return n

    return app


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with serving(echo()) as where:
        yield where


def test_what_is_sent_comes_back_whole_or_in_chunks(address: str) -> None:
    with Caller(address) as caller:
        assert caller.post("/echo", b"\0\xffabc") == b"\0\xffabc"
        assert caller.post("/echo", iter([b"ab", b"cd"])) == b"abcd"


def test_an_error_of_eyelid_arrives_as_its_sentence(address: str) -> None:
    with Caller(address) as caller, pytest.raises(InferenceError, match=r"refuses: the cat sat.*wake it"):
        caller.get("/known")


def test_an_unexpected_error_tells_its_kind_and_no_value(address: str) -> None:
    with Caller(address) as caller, pytest.raises(InferenceError, match="ZeroDivisionError") as caught:
        caller.get("/unknown")
    assert "sesame" not in str(caught.value)


def test_a_malformed_parameter_is_named(address: str) -> None:
    with Caller(address) as caller, pytest.raises(InferenceError, match=r"malformed \(n\)"):
        caller.get("/number?n=x")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_refused(address: str, chunked: bool) -> None:
    body = iter([b"x" * 60_000] * 2) if chunked else b"x" * (LIMIT + 1)
    with Caller(address) as caller, pytest.raises(InferenceError, match="larger than the 100,000 bytes"):
        caller.post("/echo", body)


def test_an_answer_above_the_callers_limit_is_refused(address: str) -> None:
    with Caller(address) as caller, pytest.raises(InferenceError, match="larger than 10 bytes"):
        caller.post("/echo", b"x" * 11, max_bytes=10)


def test_another_protocol_is_named_on_both_sides(address: str) -> None:
    import httpx

    answer = httpx.get(f"{address}/openapi.json", headers={HEADER: "7"}, trust_env=False)
    assert answer.status_code == 400
    assert "speaks protocol 1, not 7" in answer.json()["error"]


def test_a_server_of_something_else_is_named() -> None:
    expected = pytest.raises(InferenceError, match="no server of eyelid")
    with serving(FastAPI()) as where, Caller(where) as caller, expected:
        caller.get("/")


def test_nobody_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"http://127.0.0.1:{free.getsockname()[1]}"  # held, lest somebody else comes to listen there
        with Caller(where) as caller, pytest.raises(InferenceError, match="be reached"):
            caller.get("/")


def test_a_silent_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        where = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Caller(where, timeout=0.2) as caller, pytest.raises(InferenceError, match="said nothing"):
            caller.get("/")


def slow(address: str, parts: Iterable[bytes], pause: float, head: str) -> bytes:
    """Send a request part by part, each long before the server calls it stalled; return the answer."""
    _, port = address.rsplit(":", 1)
    with socket.create_connection(("127.0.0.1", int(port))) as line:
        line.sendall(f"POST /echo HTTP/1.1\r\nhost: here\r\n{head}\r\n\r\n".encode())
        line.settimeout(pause)
        answer = b""
        for part in parts:
            line.sendall(part)
            with suppress(TimeoutError):
                answer = line.recv(65_536)
                break
        line.settimeout(60)
        with suppress(ConnectionResetError):
            while more := line.recv(65_536):
                answer += more
    return answer


@pytest.mark.parametrize("head", ["content-length: 5000", "transfer-encoding: chunked"])
def test_slow_clients_do_not_hold_the_server(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "STALL_S", 0.5)
    monkeypatch.setattr(serving_module, "MAX_CONNECTIONS", 3)
    part = b"x" if "length" in head else b"1\r\nx\r\n"
    with serving(echo()) as where, ThreadPoolExecutor(2) as clients:
        slow_ones = [clients.submit(slow, where, repeat(part, 1000), 0.05, head) for _ in range(2)]
        for client in slow_ones:
            answer = client.result()
            assert answer.startswith(b"HTTP/1.1 408")
            assert b"too slowly" in answer
        with Caller(where) as caller:
            assert caller.post("/echo", b"x") == b"x"


def test_connections_that_never_ask_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "STALL_S", 1.0)
    monkeypatch.setattr(serving_module, "MAX_CONNECTIONS", 3)
    with serving(echo()) as where, ExitStack() as lines:
        port = int(where.rsplit(":", 1)[1])
        asked = b"GET /known HTTP/1.1\r\nhost: here\r\n\r\n"
        for said in ((b"",), (b"POST /echo HT",), (asked, b"GET /kn")):
            line = lines.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            for part in said[:-1]:
                line.sendall(part)
                assert line.recv(65_536)
            line.sendall(said[-1])
            while line.recv(65_536):
                pass
        with Caller(where) as caller:
            assert caller.post("/echo", b"x") == b"x"


@contextmanager
def asking(address: str, trusted: Tls | None, size: int = LARGE) -> Iterator[socket.socket]:
    """Ask for a large answer and read its first byte."""
    with ExitStack() as stack:
        line = stack.enter_context(socket.socket())
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        line.settimeout(60)
        line.connect(("127.0.0.1", int(address.rsplit(":", 1)[1])))
        if trusted is not None:
            context = ssl.create_default_context(cafile=trusted.certificate)
            line = stack.enter_context(context.wrap_socket(line, server_hostname="127.0.0.1"))
        line.sendall(f"GET /large?size={size} HTTP/1.1\r\nhost: here\r\n\r\n".encode())
        assert line.recv(1) == b"H"
        yield line


@pytest.mark.parametrize("size", [60_000, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_clients_that_never_read_do_not_hold_the_server(
    size: int, secure: bool, certificate: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small answer is given to the connection whole, and waits there to be taken."""
    listen = socket.socket.listen

    def tight(listener: socket.socket, backlog: int) -> None:
        listener.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDBUF, 2**12
        )  # the system takes as little as it can
        listen(listener, backlog)

    monkeypatch.setattr(socket.socket, "listen", tight)
    monkeypatch.setattr(serving_module, "STALL_S", 1.0)
    monkeypatch.setattr(serving_module, "FLOOR", LARGE)
    monkeypatch.setattr(serving_module, "MAX_CONNECTIONS", 3)
    tls = certificate if secure else None
    with serving(echo(), tls=tls) as where, ExitStack() as lines:
        for _ in range(2):
            lines.enter_context(asking(where, tls, size))
        until = time.monotonic() + 20
        with Caller(where, authority=certificate.certificate) as caller:
            while True:
                try:
                    assert caller.post("/echo", b"x") == b"x"
                    break
                except InferenceError:  # it still serves as many as it may
                    assert time.monotonic() < until
                    time.sleep(0.1)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_who_reads_slowly_gets_the_whole_answer(
    secure: bool, certificate: Tls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the connection is to be closed at once: TLS waits for its end, but not for long."""
    import uvicorn

    monkeypatch.setattr(serving_module, "STALL_S", 1.0)
    monkeypatch.setattr("asyncio.constants.SSL_SHUTDOWN_TIMEOUT", 1.0)
    monkeypatch.setattr(uvicorn, "Config", partial(uvicorn.Config, timeout_keep_alive=0))
    tls = certificate if secure else None
    with serving(echo(), tls=tls) as where, asking(where, tls) as line:
        size = 1
        while part := line.recv(2**16):
            size += len(part)
            time.sleep(len(part) / 5e6)
    assert size > LARGE


def test_a_server_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving_module, "MAX_CONNECTIONS", 1)
    expected = pytest.raises(InferenceError, match="has too much to do; try again later")
    with serving(echo()) as where, Caller(where) as caller, expected:
        caller.get("/known")


def test_a_large_body_has_time_in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three seconds in all, where two are given to a body of no size, or to one part."""
    monkeypatch.setattr(serving_module, "STALL_S", 2.0)
    monkeypatch.setattr(serving_module, "FLOOR", 1000)
    with serving(echo()) as where:
        head = "content-length: 15000\r\nconnection: close"
        answer = slow(where, repeat(b"x" * 500, 30), 0.1, head)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"x" * 15000)


def test_a_port_that_is_taken_is_one_sentence() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UsageError, match=r"port \d+ on 127.0.0.1 is taken"):
            serve(echo(), port=other.getsockname()[1])


def test_other_machines_are_served_over_tls_only() -> None:
    with pytest.raises(UsageError, match="without TLS"):
        serve(echo(), host="0.0.0.0", port=0)
    with pytest.raises(UsageError, match="plain HTTP to another machine"):
        Caller("http://192.0.2.1:80")


@pytest.mark.parametrize("address", ["localhost:80", "ftp://a", "https://", ""])
def test_no_address(address: str) -> None:
    with pytest.raises(UsageError, match="no server's address"):
        Caller(address)


def test_tls_and_who_is_trusted(certificate: Tls) -> None:
    with serving(echo(), tls=certificate) as where:
        assert where.startswith("https://")
        with Caller(where, authority=certificate.certificate) as caller:
            assert caller.post("/echo", b"x") == b"x"
        with Caller(where) as caller, pytest.raises(InferenceError, match="cannot be trusted"):
            caller.get("/")


def test_a_client_without_the_certificate_that_is_asked_for_gets_nothing(certificate: Tls) -> None:
    strict = Tls(certificate.certificate, certificate.key, clients=certificate.certificate)
    pair = certificate.certificate, certificate.key
    with serving(echo(), tls=strict) as where:
        with Caller(where, authority=certificate.certificate, certificate=pair) as caller:
            assert caller.post("/echo", b"x") == b"x"
        with Caller(where, authority=certificate.certificate) as caller, pytest.raises(InferenceError):
            caller.post("/echo", b"x")


def test_certificates_that_are_none(tmp_path: Path, certificate: Tls) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for tls in (
        Tls(junk, junk),
        Tls(certificate.certificate, tmp_path / "absent"),
        Tls(certificate.key, junk),
    ):
        with pytest.raises(InputError):
            serve(echo(), port=0, tls=tls)
    with pytest.raises(InputError, match="no certificate"):
        Caller("https://127.0.0.1:1", authority=junk)
