"""Serve an application over HTTP: a socket that says who has the port, TLS, and bounds on what comes in."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from eyelid.errors import EyelidError, InputError, UsageError
from eyelid.models.extras import require

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    import uvicorn
    from fastapi import FastAPI, Request, Response

PROTOCOL = "1"
"""Version of what is said over HTTP; both sides name it in the header ``eyelid-protocol``."""
HEADER = "eyelid-protocol"
STALL_S = 30.0
"""A client that sends nothing for so long in the middle of a request is let go."""
FLOOR = 100_000
"""Bytes a second that a client must send or take, over the whole body, once STALL_S have passed."""
PART = 2**16
"""Bytes of an answer that are given to the connection at once."""
MAX_CONNECTIONS = 64
DRAIN = 64 * 2**20
"""Bytes of a refused body that are read and dropped."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's certificate chain and key, in PEM; ``clients``: the authority that clients must be of."""

    certificate: Path
    key: Path
    clients: Path | None = None


def application(title: str, description: str, *, max_bytes: int) -> FastAPI:
    """Return an application whose errors are one sentence: ``{"error": sentence}``.

    A body above ``max_bytes`` is refused with status 413 before it is read; one that stalls, or takes longer
    than STALL_S and its size at FLOOR, with 408.
    """
    require("a server", "serve", "fastapi", "uvicorn")
    from fastapi import FastAPI
    from fastapi.exceptions import RequestValidationError
    from fastapi.responses import JSONResponse

    app = FastAPI(
        title=title, description=description, version=version("eyelid"), docs_url=None, redoc_url=None
    )

    def refuse(status: int, sentence: str) -> Response:
        return JSONResponse({"error": sentence}, status_code=status, headers={HEADER: PROTOCOL})

    @app.exception_handler(EyelidError)
    async def known(_request: Request, error: EyelidError) -> Response:
        return refuse(400 if isinstance(error, InputError | UsageError) else 409, str(error))

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, error: RequestValidationError) -> Response:
        names = sorted({str(part) for found in error.errors() for part in found["loc"][1:]})
        return refuse(422, f"the request is malformed ({', '.join(names)}); see /openapi.json for its form")

    app.add_middleware(_Bounds, max_bytes=max_bytes)
    return app


class _Bounds:
    """Refuses bodies that are too large or that stall, and names the protocol in each answer."""

    def __init__(self, app: AsgiApp, max_bytes: int) -> None:
        self._app, self._max = app, max_bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        spoken = headers.get(HEADER.encode(), PROTOCOL.encode()).decode("latin-1")
        length = headers.get(b"content-length", b"0")
        if spoken != PROTOCOL:
            await _answer(
                send, 400, f"this server speaks protocol {PROTOCOL}, not {spoken[:20]}; use the same eyelid"
            )
            return
        if not length.isdigit() or int(length) > self._max:
            await self._drain(_Pace(receive))
            await _answer(send, 413, self._too_large)
            return
        pace, done = _Pace(receive), False

        async def bounded() -> Message:
            nonlocal done
            if done:
                return await receive()
            message = await pace.receive()
            done = not message.get("more_body", False)
            if pace.seen > self._max:
                raise _TooLargeError
            return message

        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                kept = [pair for pair in message["headers"] if pair[0] != HEADER.encode()]
                message["headers"] = [*kept, (HEADER.encode(), PROTOCOL.encode())]
            await send(message)

        try:
            await self._app(scope, bounded, named)
        except Exception as error:
            if started or os.environ.get("EYELID_DEBUG"):
                raise
            if not done and not isinstance(error, TimeoutError):
                await self._drain(pace)
            await _answer(send, *self._why(error))

    async def _drain(self, pace: _Pace) -> None:
        """Let a client that is still sending finish, within bounds: else it never reads why it is refused."""
        most = pace.seen + DRAIN
        with suppress(TimeoutError):
            while pace.seen < most and (await pace.receive()).get("more_body", False):
                pass

    @property
    def _too_large(self) -> str:
        return f"the request is larger than the {self._max:,} bytes that this server takes; send less at once"

    def _why(self, error: Exception) -> tuple[int, str]:
        if isinstance(error, _TooLargeError):
            return 413, self._too_large
        if isinstance(error, TimeoutError):
            return 408, "the request came too slowly; send it again"
        return 500, f"an unexpected {type(error).__name__} ended the request; tell those who run the server"


class _Pace:
    """Receives a body from a client that must keep up: ``seen`` bytes within STALL_S + seen / FLOOR seconds.

    Only time spent waiting for the client counts, not what the server does meanwhile.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive, self._waited = receive, 0.0
        self.seen = 0

    async def receive(self) -> Message:
        """Return the next part of the body; raises TimeoutError."""
        began = time.monotonic()
        left = STALL_S + self.seen / FLOOR - self._waited
        message = await asyncio.wait_for(self._receive(), min(left, STALL_S))
        self._waited += time.monotonic() - began
        self.seen += len(message.get("body", b""))
        return message


class _TooLargeError(Exception):
    pass


class _Paced:
    """Gives an answer to a client that must keep up: n bytes within STALL_S + n / FLOOR seconds.

    In parts, each when the client has taken the ones before: what a server is given at once it buffers, and
    then closes the connection with no regard to what is left. A client that does not keep up is cut off.
    """

    def __init__(self, app: AsgiApp, abort: Callable[[], None]) -> None:
        self._app, self._abort = app, abort

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def paced(message: Message) -> None:
            try:
                async with asyncio.timeout(STALL_S + len(message.get("body", b"")) / FLOOR):
                    for part in _parts(message):
                        await send(part)
            except TimeoutError:
                self._abort()
                while (await receive())["type"] != "http.disconnect":
                    pass

        await self._app(scope, receive, paced)


def _parts(message: Message) -> Iterator[Message]:
    body, at = message.get("body", b""), 0
    while len(body) - at > PART:
        yield {**message, "body": body[at : at + PART], "more_body": True}
        at += PART
    yield {**message, "body": body[at:]} if at else message


async def _answer(send: Send, status: int, sentence: str) -> None:
    import json

    body = json.dumps({"error": sentence}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (HEADER.encode(), PROTOCOL.encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def serve(
    app: AsgiApp,
    *,
    port: int,
    host: str = "127.0.0.1",
    tls: Tls | None = None,
    plain_http: bool = False,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve ``app`` until the process is told to stop; ``ready`` hears the address once it listens.

    Off the loopback interface TLS is demanded, unless ``plain_http`` says that something else gives it.
    Raises UsageError (port taken, not ours to take; no TLS) and InputError (certificate or key unusable).
    """
    with _listening(host, port, tls=tls, plain_http=plain_http) as (listener, address):
        server = _server(app, tls)
        if ready is not None:
            ready(address)
        server.run(sockets=[listener])


@contextmanager
def serving(app: AsgiApp, *, port: int = 0, host: str = "127.0.0.1", tls: Tls | None = None) -> Iterator[str]:
    """Serve ``app`` from a thread while the block runs, and yield its address; port 0 takes a free one."""
    with _listening(host, port, tls=tls, plain_http=False) as (listener, address):
        server = _server(app, tls)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            server.should_exit = True
            thread.join(timeout=10)


def _server(app: AsgiApp, tls: Tls | None) -> uvicorn.Server:
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        """Cuts a connection on which no whole request head comes within STALL_S, an answer taken or not."""

        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self.app = _Paced(self.app, transport.abort)
            self._watch()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            self._watch()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._watch()

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            self._stop()

        def _watch(self) -> None:
            busy = self.cycle is not None and not self.cycle.response_complete
            if busy and not self.transport.is_closing():
                self._stop()
            elif self._timer is None:  # to close is not enough: that waits until all is taken
                self._timer = self.loop.call_later(STALL_S, self.transport.abort)

        def _stop(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    class Server(uvicorn.Server):
        """Ends by itself when told to stop, once requests under way are answered: that is no error."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 (uvicorn calls it)
            self.force_exit = self.should_exit
            self.should_exit = True

    return Server(
        uvicorn.Config(
            app,
            http=Protocol,
            ssl_certfile=None if tls is None else str(tls.certificate),
            ssl_keyfile=None if tls is None else str(tls.key),
            ssl_ca_certs=None if tls is None or tls.clients is None else str(tls.clients),
            ssl_cert_reqs=ssl.CERT_NONE if tls is None or tls.clients is None else ssl.CERT_REQUIRED,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=5,
            access_log=False,
            log_config=None,
            server_header=False,
            ws="none",
        )
    )


@contextmanager
def _listening(
    host: str, port: int, *, tls: Tls | None, plain_http: bool
) -> Iterator[tuple[socket.socket, str]]:
    """Yield a bound socket and its address."""
    if tls is None and not plain_http and not is_loopback(host):
        raise UsageError(
            f"serving on {host} without TLS would show who asks and let answers be replaced; "
            "give a certificate and its key, or serve on 127.0.0.1"
        )
    if tls is not None:
        _check(tls)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(128)
        except OSError as error:
            raise UsageError(_why(error, host, port)) from error
        named = f"[{host}]" if ":" in host else host
        yield (
            listener,
            f"{'http' if tls is None else 'https'}://{named}:{listener.getsockname()[1]}",
        )


def is_loopback(host: str) -> bool:
    """Return whether ``host`` can only be this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is taken by another program; choose another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} may only be opened by root; choose one from 1024 on with --port"
    return f"cannot listen on {host} port {port} ({error.strerror}); choose an address of this machine"


def _check(tls: Tls) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in filter(None, (tls.certificate, tls.key, tls.clients)):
        if not path.is_file():
            raise InputError(f"{path} is missing; give the TLS certificate and key as PEM files")
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (ssl.SSLError, OSError) as error:
        raise InputError(
            f"{tls.certificate} and {tls.key} are no TLS certificate and its key in PEM; "
            "check that they belong together and that the key has no passphrase"
        ) from error
    if tls.clients is not None:
        try:
            context.load_verify_locations(tls.clients)
        except (ssl.SSLError, OSError) as error:
            raise InputError(f"{tls.clients} is no certificate authority in PEM; check its path") from error
