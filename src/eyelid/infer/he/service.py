"""The server over HTTP, with an OpenAPI description, and the client's side of it."""

from functools import partial
from typing import TYPE_CHECKING

from eyelid.errors import InputError
from eyelid.infer.calling import Caller
from eyelid.infer.he.programs import parse_offer
from eyelid.infer.he.server import Server

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI

    from eyelid.infer.he.contract import Offer

CHUNK = 2**20
MAX_OFFER = 64 * 2**20
DESCRIPTION = """Inference on encrypted data (CKKS, 128 bits). The server holds no secret key: it \
computes on ciphertexts with evaluation keys that clients send, and reads neither what they ask nor what it \
answers. Clients: `eyelid infer he predict` and `match`, or `eyelid.infer.he.client`."""
BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def application(server: Server) -> "FastAPI":
    """Return the FastAPI application of a server."""
    from fastapi import Request, Response

    from eyelid.infer import serving

    most = max(server.request_size, server.keys_size)
    app = serving.application("eyelid encrypted inference", DESCRIPTION, max_bytes=most)
    body = {"requestBody": {"required": True, "content": BINARY}}
    answer = {200: {"description": "A response, in eyelid's wire format.", "content": BINARY}}

    @app.get("/offer", summary="What this server computes, and what keys and requests must be like")
    def offer() -> Response:
        return Response(server.offer.model_dump_json(), media_type="application/json")

    @app.get("/keys/{key_id}", summary="Whether the evaluation keys of a key are here")
    def known(key_id: str) -> bool:
        return server.knows(key_id)

    @app.post(
        "/keys/{key_id}", summary="Send evaluation keys; their id is the hash of them", openapi_extra=body
    )
    async def add(key_id: str, request: Request) -> bool:
        from starlette.concurrency import run_in_threadpool

        whole = bytearray()
        async for chunk in request.stream():
            whole += chunk
        await run_in_threadpool(server.add_keys, whole, key_id)
        return True

    @app.post(
        "/run",
        summary="Compute on encrypted values",
        openapi_extra=body,
        responses=answer,  # type: ignore[arg-type]
        response_class=Response,
    )
    async def run(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        data = await request.body()
        return Response(await run_in_threadpool(server.run, data), media_type="application/octet-stream")

    return app


class Remote:
    """A server of encrypted inference, asked through ``caller``."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def offer(self) -> "Offer":
        """Return what the server offers. Raises InferenceError, InputError."""
        return parse_offer(self._caller.get("/offer", max_bytes=MAX_OFFER))

    def send_keys(self, key_id: str, path: "Path") -> bool:
        """Send the evaluation keys at ``path`` in chunks, unless the server has them; return whether sent.

        Raises InferenceError, InputError.
        """
        if self._caller.get(f"/keys/{key_id}", max_bytes=16) == b"true":
            return False
        try:
            file = path.open("rb")
        except OSError as error:
            raise InputError(
                f"the evaluation keys {path} cannot be read ({error.strerror}); they lie beside the secret "
                "key: put them back, or make both anew with eyelid infer he keygen --rotate"
            ) from error
        with file:
            self._caller.post(f"/keys/{key_id}", iter(partial(file.read, CHUNK), b""), max_bytes=16)
        return True

    def run(self, request: bytes) -> bytes:
        """Return the response to a request."""
        return self._caller.post("/run", request)
