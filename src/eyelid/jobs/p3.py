"""Splits a JPEG into a public and an encrypted secret part, and joins the two for the holder of the key."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict

from eyelid.errors import InputError, LockError, UnsupportedError, UsageError
from eyelid.media.atomic import atomic_output, check_output
from eyelid.media.jpeg_coefficients import CoefficientJpeg, decode, encode, read_coefficients
from eyelid.media.kinds import STILL_SUFFIXES, MediaFormat, sniff_format
from eyelid.media.still import Decode, StillReader, write_lossless
from eyelid.obfuscate import p3
from eyelid.obfuscate.keys import read_key
from eyelid.obfuscate.p3_format import SUFFIX, open_secret, seal
from eyelid.obfuscate.p3_resized import Filter, find_filter, restore
from eyelid.types import Guarantee

if TYPE_CHECKING:
    from numpy.typing import NDArray

_JPEG_SUFFIXES: Final = STILL_SUFFIXES[MediaFormat.JPEG]


class Split(BaseModel):
    """What became of a photo: the files, their sizes in bytes, and what the public part gives away."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    public: Path
    secret: Path
    threshold: int
    photo_bytes: int
    public_bytes: int
    secret_bytes: int
    dropped: tuple[str, ...]
    guarantee: Guarantee
    reidentification: p3.Reidentification


def split(
    photo: Path, key: Path, threshold: int = 10, output: Path | None = None, *, force: bool = False
) -> Split:
    """Write the public part of a JPEG, by default ``a.p3.jpg`` for ``a.jpg``, and beside it the secret part.

    ``threshold`` is P3's T, 1..100, in quantisation steps; ``key`` is a file of `eyelid keygen`. Metadata go
    to neither part. Before anything is published both parts are read back and joined. Raises UsageError,
    LockError (no key), InputError, UnsupportedError and OutputError.
    """
    if not p3.MIN_THRESHOLD <= threshold <= p3.MAX_THRESHOLD:
        raise UsageError(
            f"--threshold {threshold}: choose {p3.MIN_THRESHOLD} to {p3.MAX_THRESHOLD}; "
            "above that the public part would hold the photo almost whole, and 10 is usual"
        )
    secret_key = read_key(key)
    output = output or photo.with_name(f"{photo.stem}.p3{_jpeg_suffix(photo)}")
    _check_name(output)
    sidecar = _sidecar(output)
    for target in (output, sidecar):
        check_output(photo, target, force=force)
    original = read_coefficients(photo)
    parts = [p3.split(blocks, threshold) for blocks in original.blocks]
    public = encode(original.with_blocks([part[0] for part in parts]))
    hidden = encode(original.with_blocks([part[1] for part in parts]))
    joined = _joined(decode(public, str(output)), decode(hidden, str(sidecar)), threshold)
    if not all(map(np.array_equal, joined.blocks, original.blocks)):
        raise InputError(
            f"{photo} would not come back exactly, so nothing was written; save it again as JPEG"
        )
    sealed = seal(hidden, public, threshold, secret_key)
    with ExitStack() as stack:  # the secret part gets its name first: a public part alone cannot be joined
        stack.enter_context(atomic_output(output, force=force)).write_bytes(public)
        stack.enter_context(atomic_output(sidecar, force=force)).write_bytes(sealed)
    return Split(
        public=output,
        secret=sidecar,
        threshold=threshold,
        photo_bytes=photo.stat().st_size,
        public_bytes=len(public),
        secret_bytes=len(sealed),
        dropped=original.dropped,
        guarantee=p3.GUARANTEE,
        reidentification=p3.REIDENTIFICATION,
    )


def join(
    public: Path, key: Path, output: Path | None = None, *, secret: Path | None = None, force: bool = False
) -> Path:
    """Write the photo with exactly the coefficients it had, by default as ``a.joined.jpg`` for ``a.p3.jpg``.

    ``secret`` is by default the file beside ``public`` with ".secret" behind its name. Returns the output's
    path. Raises LockError (no or wrong key, altered files), UsageError, InputError and OutputError.
    """
    secret_key = read_key(key)
    output = output or public.with_name(f"{_plain_stem(public)}.joined{_jpeg_suffix(public)}")
    _check_name(output)
    sidecar = secret or _sidecar(public)
    for source in (public, sidecar):
        check_output(source, output, force=force)
    sniff_format(public)  # says what is wrong with a file that is none
    part = open_secret(sidecar, secret_key)
    part.check(public.read_bytes(), str(public), str(sidecar))
    shown = read_coefficients(public)
    hidden = decode(part.jpeg, str(sidecar))
    photo = encode(_joined(shown, hidden, part.threshold))
    with atomic_output(output, force=force) as partial:
        partial.write_bytes(photo)
    return output


def join_resized(
    resized: Path,
    key: Path,
    output: Path | None = None,
    *,
    secret: Path | None = None,
    kind: Filter | None = None,
    force: bool = False,
) -> tuple[Path, Filter]:
    """Write the photo at the size of a resized public part, as PNG or TIFF: by default ``a.joined.png``.

    ``kind`` is the filter that the public part was resized with; by default it is found from the picture. Not
    exact: rounding and clipping stay, and what encoding again lost. Nobody can tell whether the resized file
    was altered, because it is not the one that the secret part is bound to. Returns the output's path and the
    filter; raises as :func:`join`.
    """
    secret_key = read_key(key)
    output = output or resized.with_name(f"{_plain_stem(resized)}.joined.png")
    sidecar = secret or _sidecar(resized)
    for source in (resized, sidecar):
        check_output(source, output, force=force)
    picture = _pixels(resized)
    part = open_secret(sidecar, secret_key)
    hidden = decode(part.jpeg, str(sidecar))
    _check_same_picture(resized, picture, hidden)
    kind = kind or find_filter(picture, hidden, part.threshold)
    if kind is None:
        raise UsageError(f"{resized} does not tell how it was resized; name the filter with --filter")
    frame = restore(picture, hidden, part.threshold, kind)
    with atomic_output(output, force=force) as partial:
        write_lossless(partial, [frame])
    return output, kind


def filter_named(name: str) -> Filter:
    """Return a filter by its name; raises UsageError."""
    try:
        return Filter(name)
    except ValueError:
        raise UsageError(f"--filter {name}: choose one of {', '.join(Filter)}") from None


def _joined(public: CoefficientJpeg, secret: CoefficientJpeg, threshold: int) -> CoefficientJpeg:
    pairs = zip(public.blocks, secret.blocks, strict=True)
    return public.with_blocks([p3.join(shown, hidden, threshold) for shown, hidden in pairs])


def _pixels(path: Path) -> NDArray[np.uint8]:
    """Return a picture of 8 bits, upright, uint8 (h, w, 1 or 3)."""
    with StillReader(path, decode=Decode.RGB) as still:
        frame = next(iter(still))
    samples = [plane.samples for plane in frame.planes]
    if len(samples) not in {1, 3} or samples[0].dtype != np.uint8:
        raise UnsupportedError(
            f"{path} is not a grey or RGB picture of 8 bits; resize the public part as such"
        )
    return np.stack(samples, axis=-1).astype(np.uint8)


def _check_same_picture(path: Path, picture: NDArray[np.uint8], secret: CoefficientJpeg) -> None:
    layout = secret.layout
    width, height = layout.width, layout.height
    if secret.kept.orientation > 4:
        width, height = height, width
    if picture.shape[2] != len(layout.components):
        raise LockError(
            f"{path} differs in its colours from its secret part; a grey or RGB photo can be joined resized"
        )
    if abs(picture.shape[1] * height - picture.shape[0] * width) > max(width, height):
        raise LockError(
            f"{path} has not the proportions of its secret part, {width} x {height}; "
            "it must be resized, not cropped, stretched or turned"
        )


def _check_name(output: Path) -> None:
    if output.suffix.lower() not in _JPEG_SUFFIXES:
        raise UsageError(f"{output} would hold a JPEG; give the output a name that ends in .jpg")


def _jpeg_suffix(path: Path) -> str:
    return path.suffix if path.suffix.lower() in _JPEG_SUFFIXES else ".jpg"


def _plain_stem(path: Path) -> str:
    return path.stem.removesuffix(".p3")


def _sidecar(public: Path) -> Path:
    return public.with_name(public.name + SUFFIX)
