"""Galleries on disk: the offer, and the vectors in the clear or as the ciphertexts of their owner."""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import TYPE_CHECKING
from zipfile import ZipFile, ZipInfo

import numpy as np
from pydantic import TypeAdapter, ValidationError

from eyelid.errors import InputError
from eyelid.infer.he import blob, container, gallery, seeded
from eyelid.infer.he.blob import SEED_BYTES, Parts
from eyelid.infer.he.gallery import EncryptedGallery, GalleryOffer, PlainGallery
from eyelid.infer.he.residues import pack, packed_size, unpack
from eyelid.media.atomic import atomic_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import seal
    from numpy.typing import NDArray

    from eyelid.infer.he.keys import SecretKey

OFFER = "offer.json"
VECTORS = "vectors.npy"
CIPHERTEXTS = "ciphertexts"


def save_plain(
    path: Path, name: str, vectors: NDArray[np.floating], names: tuple[str, ...], *, force: bool = False
) -> GalleryOffer:
    """Write a gallery of vectors (n, dimensions) that the server may know. Raises InputError, OutputError."""
    unit = gallery.normalised(vectors, vectors.shape[1]).astype(np.float32)
    stream = io.BytesIO()
    np.save(stream, unit, allow_pickle=False)
    digest = hashlib.sha256(stream.getvalue() + "\0".join(names).encode()).hexdigest()
    told = gallery.offer(name, digest, len(unit), unit.shape[1], names, encrypted=False)
    with atomic_output(path, force=force) as partial, ZipFile(partial, "w") as archive:
        archive.writestr(ZipInfo(OFFER), told.model_dump_json())
        archive.writestr(ZipInfo(VECTORS), stream.getvalue())
    return told


def encrypted_offer(name: str, vectors: int, dimensions: int) -> GalleryOffer:
    """Return the offer of a gallery to be encrypted; keys are made for it before it is."""
    return gallery.offer(name, os.urandom(32).hex(), vectors, dimensions, (), encrypted=True)


def save_encrypted(
    path: Path, told: GalleryOffer, vectors: NDArray[np.floating], secret: SecretKey, *, force: bool = False
) -> None:
    """Encrypt a gallery for ``told`` with its owner's key and write it: 14 MB for 4,096 x 512.

    Raises InputError and OutputError.
    """
    made = gallery.diagonals(gallery.normalised(vectors, told.dimensions), told.dimensions)
    with atomic_output(path, force=force) as partial, ZipFile(partial, "w") as archive:
        archive.writestr(ZipInfo(OFFER), told.model_dump_json())
        with archive.open(ZipInfo(CIPHERTEXTS), "w", force_zip64=True) as member:
            for chunk in _encrypted(told, made.reshape(-1, made.shape[-1]), secret):
                member.write(chunk)


def _encrypted(told: GalleryOffer, rows: NDArray[np.complex128], secret: SecretKey) -> Iterator[bytes]:
    import seal

    scheme = told.demands.scheme
    encoder = seal.CKKSEncoder(scheme.context)
    encryptor = seal.Encryptor(scheme.context, secret.key)
    residues = blob.secret_residues(secret.key, scheme)
    for row in rows:
        plain = encoder.encode_complex(np.ascontiguousarray(row), gallery.GALLERY_SCALE)
        short, _ = seeded.reseed(encryptor.encrypt_symmetric(plain), residues, scheme)
        yield short.seed + pack(short.first, scheme.moduli[:1])


def save_names(path: Path, names: tuple[str, ...], *, force: bool = False) -> Path:
    """Write whose an encrypted gallery's vectors are, for their owner alone: ``path``.names; return where."""
    listed = path.with_name(path.name + ".names")
    with atomic_output(listed, force=force, mode=0o600) as partial:
        partial.write_text(json.dumps(names, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return listed


def read_names(path: Path, count: int) -> tuple[str, ...]:
    """Return the ``count`` names of an encrypted gallery. Raises InputError."""
    try:
        found = TypeAdapter(tuple[str, ...]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise InputError(f"{path} holds no names of a gallery; give the .names file beside it") from error
    if len(found) != count:
        raise InputError(f"{path} has {len(found)} names and the gallery {count} vectors; give its own")
    return found


def read(parts: Mapping[str, bytes]) -> PlainGallery | EncryptedGallery:
    """Return the gallery of an unpacked file. Raises InputError."""
    try:
        told = GalleryOffer.model_validate_json(parts[OFFER])
        holds = CIPHERTEXTS if told.encrypted else VECTORS
        if set(parts) != {OFFER, holds}:
            raise InputError("this gallery holds parts that none should hold; make it again")
        _check(told)
        if told.encrypted:
            return EncryptedGallery(told, _blocks(told, parts[holds]))
        vectors = container.array(parts[holds], np.float32)
        if vectors.shape != (told.vectors, told.dimensions):
            raise InputError("this gallery is not as long as it says; make it again")
        return PlainGallery(told, vectors)
    except container.DAMAGE as error:
        raise InputError("this gallery is damaged or of another version; make it again") from error


def _check(told: GalleryOffer) -> None:
    """Raise InputError unless an offer is just what this version makes for such a gallery."""
    made = gallery.offer(
        told.name, told.artefact, told.vectors, told.dimensions, told.names, encrypted=told.encrypted
    )
    if made != told:
        raise InputError("this gallery has parameters of another version; make it again")


def _blocks(told: GalleryOffer, data: bytes) -> list[list[seal.Ciphertext]]:
    scheme = told.demands.scheme
    moduli = scheme.moduli[:1]
    size = SEED_BYTES + packed_size(scheme.degree, moduli)
    if len(data) != size * told.dimensions * told.response.count:
        raise InputError("this gallery is cut off or too long; make it again")

    def ciphertext(place: int) -> seal.Ciphertext:
        part = memoryview(data)[place * size : (place + 1) * size]
        first = unpack(part[SEED_BYTES:], scheme.degree, moduli)
        return blob.build(scheme, Parts(first[None], gallery.GALLERY_SCALE), bytes(part[:SEED_BYTES]))

    return [
        [ciphertext(block * told.dimensions + k) for k in range(told.dimensions)]
        for block in range(told.response.count)
    ]
