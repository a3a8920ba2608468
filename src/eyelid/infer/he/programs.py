"""Artefacts by their files and offers by their JSON: which kind each is."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from eyelid.errors import InferenceError, InputError
from eyelid.infer.he import container, gallery_file, keys
from eyelid.infer.he.artefact import Artefact
from eyelid.infer.he.gallery import GalleryOffer
from eyelid.infer.he.network_program import NetworkOffer, NetworkProgram
from eyelid.infer.he.server import refuse_secret

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.infer.he.contract import Offer, Program

_OFFERS: TypeAdapter[GalleryOffer | NetworkOffer] = TypeAdapter(
    Annotated[GalleryOffer | NetworkOffer, Field(discriminator="kind")]
)


def parse_offer(data: bytes) -> Offer:
    """Return the offer that a server sent. Raises InferenceError."""
    try:
        return _OFFERS.validate_json(data)
    except ValidationError as error:
        raise InferenceError(
            "this eyelid does not know what the server offers; use the same version"
        ) from error


def load(path: Path) -> Program:
    """Return the program of an artefact or a gallery. Raises InputError, also where it holds a secret key."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its path") from error
    if data[: len(keys.MAGIC)] == keys.MAGIC:
        raise InputError(f"{path} is a secret key; a server never has one: give it the artefact")
    try:
        parts = container.unpack(data)
        program: Program
        if gallery_file.OFFER in parts:
            program = gallery_file.read(parts)
        else:
            program = NetworkProgram(Artefact.from_parts(parts), path.name, hashlib.sha256(data).hexdigest())
    except container.DAMAGE as error:
        raise InputError(
            f"{path} is no artefact, or is damaged; give what compile or gallery wrote"
        ) from error
    for part in parts.values():
        refuse_secret(part, str(path), program.offer.demands.scheme)
    return program
