"""What the client does with images before encryption and with slots after decryption.

The rule is fixed by the image's size and the number of slots alone, so it tells nothing about the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.errors import InputError
from eyelid.infer.he.artefact import Manifest, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


def encode(images: NDArray[np.float32], manifest: Manifest) -> list[NDArray[np.float64]]:
    """Return the slot vectors, float64 (slots,), that one request of images (n, c, h, w) encrypts.

    Raises :class:`InputError` where the images are more than one request holds.
    """
    count = len(images)
    if images.shape[1:] != manifest.input_shape or not 0 < count <= manifest.images:
        raise InputError(
            f"A request holds 1 to {manifest.images} images of {manifest.input_shape}, not {images.shape}."
        )
    slots = manifest.scheme.slots
    if manifest.mode is Target.THROUGHPUT:
        pixels = np.zeros((images[0].size, slots))
        pixels[:, :count] = images.reshape(count, -1).T
        return list(pixels)
    channels, height, width = manifest.input_shape
    planes = np.zeros((channels, manifest.plane_pitch))
    rows = planes[:, : height * manifest.row_pitch].reshape(channels, height, manifest.row_pitch)
    rows[:, :, :width] = images[0]
    period = 1 << (planes.size - 1).bit_length()
    once = np.zeros(period)
    once[: planes.size] = planes.ravel()
    return [np.ascontiguousarray(np.tile(once, slots // period))]


def decode(slots: Sequence[NDArray[np.float64]], manifest: Manifest, count: int = 1) -> NDArray[np.float64]:
    """Return the logits, float64 (count, classes), from the decrypted slot vectors of an answer."""
    if len(slots) != manifest.output_ciphertexts:
        raise InputError(f"The answer has {len(slots)} ciphertexts instead of {manifest.output_ciphertexts}.")
    if manifest.mode is Target.THROUGHPUT:
        return np.stack([values[:count] for values in slots], axis=1)
    return np.asarray(slots[0])[list(manifest.output_slots)][None]
