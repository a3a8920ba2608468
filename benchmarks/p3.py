"""What does P3 hide, what does it cost, and what comes back? Prints re-identification, sizes and restoration.

    python benchmarks/p3.py [--data DATA] [--seeds 10]

DATA, by default $EYELID_DATA, holds faces_orl (the AT&T set, a folder a person) and faces_detect (photos).

  rank-1     people named by the public part's coefficients, 8 of 10 pictures to learn from, 95 % intervals
  photos     for each threshold the sizes of the parts and the PSNR of the public part, as medians over the
             photos, and in how many of them coefficients and pixels come back exactly
  resized    PSNR of the photo restored from a public part of half the size against the photo resized alike,
             with the filter given, and with the filter found; stored as PNG, and as JPEG of quality 90
"""

from __future__ import annotations

import argparse
import io
import os
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from eyelid.attack.dataset import read_faces
from eyelid.attack.p3_public import P3PublicAttack
from eyelid.media.jpeg_coefficients import CoefficientJpeg, decode, encode, read_coefficients
from eyelid.obfuscate import p3
from eyelid.obfuscate.p3_resized import Filter, find_filter, resize, restore

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLDS = (1, 5, 10, 20, 50, 100)
PHOTO_THRESHOLDS = (1, 10, 20, 100)
CAP = 99.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=os.environ.get("EYELID_DATA"))
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    if arguments.data is None:
        parser.error("give --data, or set EYELID_DATA to the folder with the real media")
    recognised(arguments.data / "faces_orl", arguments.seeds)
    photos = sorted((arguments.data / "faces_detect").glob("*.jpg"))
    restored_exactly(photos)
    restored_resized(photos)


def recognised(folder: Path, seeds: int) -> None:
    """Print rank-1 for each threshold."""
    faces = read_faces(folder)
    print("T      rank-1   95 % interval   chance   (linear attacker, retrained)")
    for threshold in THRESHOLDS:
        result = P3PublicAttack(threshold, seeds=seeds).run(faces)
        low, high = result.interval
        print(f"{threshold:<6} {result.success:6.1%}   {low:.1%}..{high:.1%}   {result.chance:.1%}")


def restored_exactly(photos: list[Path]) -> None:
    """Print sizes, PSNR of the public part, and how many photos come back exactly."""
    print(f"\nT      public   secret   total   PSNR of public   exact   (medians over {len(photos)} photos)")
    for threshold in PHOTO_THRESHOLDS:
        rows, exact = [], 0
        for path in photos:
            photo, size = read_coefficients(path), path.stat().st_size
            public, secret = parts(photo, threshold)
            shown, hidden = encode(public), encode(secret)
            joined = join(decode(shown, "public"), decode(hidden, "secret"), threshold)
            same = all(map(np.array_equal, joined.blocks, photo.blocks))
            exact += same and np.array_equal(pixels(encode(joined)), pixels(path.read_bytes()))
            psnr_public = psnr(pixels(shown), pixels(path.read_bytes()))
            rows.append((len(shown) / size, len(hidden) / size, psnr_public))
        public_size, secret_size, quality = (median(column) for column in zip(*rows, strict=True))
        total = median(row[0] + row[1] for row in rows)
        sizes = f"{public_size:6.2f}   {secret_size:6.2f}   {total:5.2f}"
        print(f"{threshold:<6} {sizes}   {quality:11.1f} dB   {exact} of {len(photos)}")


def restored_resized(photos: list[Path], threshold: int = 10) -> None:
    """Print how near a photo of half the size comes, for each filter."""
    print(f"\nfilter       PNG, given   PNG, found   JPEG 90, given   JPEG 90, found   (dB, T = {threshold})")
    loaded = [(pixels(path.read_bytes()), parts(read_coefficients(path), threshold)) for path in photos]
    for kind in Filter:
        columns: list[list[float]] = [[], [], [], []]
        for whole, (public, secret) in loaded:
            shown = pixels(encode(public))
            size = whole.shape[1] // 2, whole.shape[0] // 2
            expected, small = (rounded(resize(p.astype(np.float32), *size, kind)) for p in (whole, shown))
            for i, seen in enumerate((small, through_jpeg(small))):
                found = find_filter(seen, secret, threshold) or kind
                for j, used in enumerate((kind, found)):
                    planes = restore(seen, secret, threshold, used).planes
                    restored = np.stack([plane.samples for plane in planes], axis=-1)
                    columns[2 * i + j].append(psnr(restored, expected))
        print(f"{kind.value:<12} " + "         ".join(f"{median(column):5.1f}" for column in columns))


def parts(photo: CoefficientJpeg, threshold: int) -> tuple[CoefficientJpeg, CoefficientJpeg]:
    """Split a photo."""
    both = [p3.split(blocks, threshold) for blocks in photo.blocks]
    return photo.with_blocks([public for public, _ in both]), photo.with_blocks(
        [secret for _, secret in both]
    )


def join(public: CoefficientJpeg, secret: CoefficientJpeg, threshold: int) -> CoefficientJpeg:
    """Join a photo."""
    pairs = zip(public.blocks, secret.blocks, strict=True)
    return public.with_blocks([p3.join(shown, hidden, threshold) for shown, hidden in pairs])


def pixels(data: bytes) -> NDArray[np.uint8]:
    """Decode to (h, w, channels)."""
    array = np.asarray(Image.open(io.BytesIO(data)))
    return array if array.ndim == 3 else array[..., None]


def through_jpeg(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Encode as services do, and decode."""
    coded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return pixels(coded.tobytes())


def rounded(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return samples of 8 bits."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def psnr(one: NDArray[np.generic], other: NDArray[np.generic]) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return CAP if error == 0 else float(10 * np.log10(255**2 / error))


if __name__ == "__main__":
    main()
