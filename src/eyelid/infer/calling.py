"""Ask a server of eyelid over HTTP; whatever goes wrong is one sentence that says what to do next."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit

from eyelid.errors import InferenceError, InputError, UsageError
from eyelid.infer.serving import HEADER, PROTOCOL, is_loopback
from eyelid.models.extras import require

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

MAX_ANSWER = 256 * 2**20
MAX_SENTENCE = 2**16
"""No refusal is longer."""


class Caller:
    """Asks one server; use it as a context manager.

    ``authority``: a PEM file with the certificates to trust in place of the system's; ``certificate``: our
    own certificate and key, for servers that ask for one. ``timeout``: seconds without a byte, before giving
    up. Raises UsageError for an address that is none, or is plain HTTP to another machine (``plain_http``
    allows it), and InputError for a certificate that is none.
    """

    def __init__(
        self,
        address: str,
        *,
        authority: Path | None = None,
        certificate: tuple[Path, Path] | None = None,
        timeout: float = 120.0,
        plain_http: bool = False,
    ) -> None:
        require("asking a server", "serve", "httpx")
        import httpx

        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise UsageError(f"{address!r} is no server's address; write it as https://host:port")
        if parts.scheme == "http" and not plain_http and not is_loopback(parts.hostname):
            raise UsageError(
                f"{address} is plain HTTP to another machine: answers could be replaced; use https://"
            )
        self.address = f"{parts.scheme}://{parts.netloc}"
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=self.address,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            verify=_trust(authority, certificate) if parts.scheme == "https" else False,
            headers={HEADER: PROTOCOL},
            follow_redirects=False,
            trust_env=False,
        )

    def get(self, path: str, *, max_bytes: int = MAX_ANSWER) -> bytes:
        """Return the body at ``path``. Raises InferenceError."""
        return self._ask("GET", path, None, max_bytes)

    def post(
        self, path: str, body: bytes | tuple[bytes, ...] | Iterable[bytes], *, max_bytes: int = MAX_ANSWER
    ) -> bytes:
        """Send ``body`` to ``path``; return the answer's body. Raises InferenceError.

        A body is whole, in parts (which need not be copied together), or in chunks that are made meanwhile.
        """
        return self._ask("POST", path, body, max_bytes)

    def _ask(self, method: str, path: str, body: bytes | Iterable[bytes] | None, most: int) -> bytes:
        headers = {} if body is None else {"content-type": "application/octet-stream"}
        if isinstance(body, tuple):
            headers["content-length"] = str(sum(map(len, body)))
        with (
            self._sentences(),
            self._client.stream(method, path, content=body, headers=headers) as answer,
        ):
            spoken = answer.headers.get(HEADER)
            if spoken is None and answer.status_code == 503:  # said before a request gets as far as eyelid
                raise InferenceError(f"{self.address} has too much to do; try again later")
            if spoken is None:
                raise InferenceError(f"{self.address} answers, but is no server of eyelid; check the address")
            if spoken != PROTOCOL:
                raise InferenceError(
                    f"{self.address} speaks protocol {spoken[:20]}, this eyelid {PROTOCOL}; "
                    "install the same version on both sides"
                )
            if answer.status_code >= 400:
                most = MAX_SENTENCE
            parts, size = [], 0
            for part in answer.iter_raw(2**16):
                size += len(part)
                if size > most:
                    raise InferenceError(
                        f"the answer of {self.address} is larger than {most:,} bytes; it is refused"
                    )
                parts.append(part)
            whole = b"".join(parts)
        if answer.status_code >= 400:
            raise InferenceError(f"{self.address} refuses: {_sentence(whole, answer.status_code)}")
        return whole

    @contextmanager
    def _sentences(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except httpx.ConnectError as error:
            if isinstance(error.__cause__ and error.__cause__.__cause__, ssl.SSLError) or "SSL" in str(error):
                raise InferenceError(
                    f"the certificate of {self.address} cannot be trusted; name its authority with --ca"
                ) from error
            raise InferenceError(
                f"{self.address} cannot be reached; check the address, and that the server runs"
            ) from error
        except httpx.TimeoutException as error:
            raise InferenceError(
                f"{self.address} said nothing for {self._timeout:g} s; try again later"
            ) from error
        except httpx.HTTPError as error:
            raise InferenceError(
                f"the connection to {self.address} broke ({type(error).__name__}); it may have been "
                "too much at once, else try again"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _sentence(body: bytes, status: int) -> str:
    """Return the server's own sentence, or its status where it has none; never more than a line."""
    try:
        said = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        said = None
    if not isinstance(said, str):
        return f"status {status}"
    return "".join(c for c in said[:400] if c.isprintable())


def _trust(authority: Path | None, certificate: tuple[Path, Path] | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    except (ssl.SSLError, OSError) as error:
        raise InputError(f"{authority} holds no certificate in PEM; check its path") from error
    if certificate is not None:
        try:
            context.load_cert_chain(*certificate, password=lambda: "")
        except (ssl.SSLError, OSError) as error:
            raise InputError(
                f"{certificate[0]} and {certificate[1]} are no certificate and its key in PEM; check them"
            ) from error
    return context
