"""The HTTP face of an enclosed workload: evidence for a nonce, and answers to encrypted pictures."""

# Without "from __future__ import annotations": FastAPI reads the annotations below, whose names are local.

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import ValidationError

from eyelid.errors import InputError
from eyelid.infer.enclave.evidence import NONCE_BYTES
from eyelid.infer.enclave.worker import Question
from eyelid.infer.serving import application

if TYPE_CHECKING:
    from fastapi import FastAPI

    from eyelid.infer.enclave.launch import Enclosed

MAX_BYTES: Final = 200_000_000
"""The largest picture of :data:`~eyelid.infer.enclave.messages.MOST_PIXELS`, encrypted."""


def enclave_application(workload: "Enclosed") -> "FastAPI":
    """Return the application: GET and POST /evidence, GET /manifest, POST /infer.

    Whatever goes through it is ciphertext, or public.
    """
    app = application(
        "eyelid enclave",
        "Attested inference: appraise the evidence, then encrypt a picture to the key that it binds.",
        max_bytes=MAX_BYTES,
    )
    from fastapi import Depends, Query, Request, Response

    async def whole(request: Request) -> bytes:
        return await request.body()

    async def parts(request: Request) -> list[bytes]:
        return [part async for part in request.stream()]

    @app.get("/evidence", response_class=Response)
    def evidence(nonce: Annotated[str, Query(pattern=f"^[0-9a-f]{{{2 * NONCE_BYTES}}}$")]) -> Response:
        """Return evidence for a nonce of 32 bytes in hexadecimal."""
        answer = workload.evidence(Question(nonce=bytes.fromhex(nonce)))
        return Response(answer, media_type="application/json")

    @app.post("/evidence", response_class=Response)
    def activated(body: Annotated[bytes, Depends(whole)]) -> Response:
        """Return evidence that also proves, for a TPM, that its attestation key is its own."""
        try:
            question = Question.model_validate_json(body)
        except ValidationError:
            raise InputError("the question is malformed; it is a nonce and a credential, in JSON") from None
        return Response(workload.evidence(question), media_type="application/json")

    @app.get("/manifest")
    def manifest() -> Response:
        """Return what the server says it runs; only the evidence makes it more than a word."""
        return Response(workload.manifest.model_dump_json(by_alias=True), media_type="application/json")

    @app.post("/infer", response_class=Response)
    def infer(body: Annotated[list[bytes], Depends(parts)]) -> Response:
        """Return the encrypted answer to an encrypted picture."""
        return Response(workload.infer(body), media_type="application/octet-stream")

    return app
