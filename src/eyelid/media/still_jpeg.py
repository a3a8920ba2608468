"""JPEG as it is stored: luma and chroma planes without a way through RGB, and its own quantisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from eyelid.media.still_info import JpegEncoding
from eyelid.media.still_pixels import Pixels, from_pillow

if TYPE_CHECKING:
    from pathlib import Path

_FULL, _HALF = 0, 2


def read_encoding(image: JpegImageFile, orientation: int) -> JpegEncoding:
    """Read the quality of an opened JPEG; tables are turned with the picture where its orientation asks.

    A subsampling that Pillow cannot write becomes 4:4:4, so that no chroma is lost.
    """
    tables = [np.reshape(image.quantization[component[3]], (8, 8)) for component in image.layer]
    while len(tables) > 1 and np.array_equal(tables[-1], tables[-2]):
        tables.pop()  # an encoder uses the last table for all further components
    turned = [table.T if orientation > 4 else table for table in tables]
    sampling = get_sampling(image)
    return JpegEncoding(
        tables=tuple(tuple(int(v) for v in table.ravel()) for table in turned),
        subsampling=sampling if sampling >= 0 else _FULL,
        progressive=bool(image.info.get("progressive")),
        stores_rgb=_stores_rgb(image),
    )


def has_known_sampling(image: JpegImageFile) -> bool:
    """Whether the chroma subsampling can be written again as it is."""
    return image.layers != 3 or get_sampling(image) >= 0


def decode_native(path: Path, encoding: JpegEncoding, orientation: int) -> Pixels:
    """Decode to full-range luma and chroma planes, chroma at its stored size where that is a half of luma's.

    libjpeg scales a component by its DCT: asked for half the size, it yields 4:2:0 chroma sample by sample as
    stored, with no interpolation, so that writing the planes again gives back the same coefficients.
    """
    with JpegImageFile(path) as image:
        if image.mode != "RGB" or encoding.stores_rgb:
            image.load()
            return from_pillow(image)
        width, height = image.size
        image.draft("YCbCr", None)
        image.load()
        full = [np.array(band) for band in image.split()]
    odd = width % 2 or height % 2
    if encoding.subsampling != _HALF or min(width, height) < 2 or (odd and orientation != 1):
        return Pixels("YCbCr", tuple(full))
    with JpegImageFile(path) as image:
        image.draft("YCbCr", (width // 2, height // 2))
        image.load()
        chroma = [np.array(image.getchannel(i)) for i in (1, 2)]
    return Pixels("YCbCr", (full[0], *chroma))


def _stores_rgb(image: JpegImageFile) -> bool:
    """Tell colour spaces apart as libjpeg does (jdapimin.c, default_decompress_parms)."""
    if image.layers != 3 or "jfif" in image.info:
        return False
    if "adobe_transform" in image.info:
        return bool(image.info["adobe_transform"] == 0)
    return tuple(component[0] for component in image.layer) == tuple(b"RGB")
