"""How one picture maps onto another: planes of features, found again and again until none is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from eyelid.obfuscate.remove.picture import dilate, grey

if TYPE_CHECKING:
    from eyelid.obfuscate.remove.picture import Mask, Picture, Stack

Homography: TypeAlias = NDArray[np.float64]
"""A 3 x 3 matrix that takes pixels of one picture to pixels of another."""

LEAST_MATCHES: Final = 14
"""Fewer matches that agree may do so by chance."""
_RATIO: Final = (
    0.8  # Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004, section 7.1
)
_REACH: Final = 6
_MOST_STRETCH: Final = 3.0  # more would show noise
_NEAR: Final = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Points (n, 2) in pixels of the picture and their descriptors (n, 128); ``pixel``: their precision."""

    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]
    pixel: float


def features(picture: Picture, long_side: int, count: int) -> Features:
    """Return at most ``count`` SIFT features outside the hole, found at a long side of so many pixels."""
    stack, hole, scale = picture.small(long_side)
    seen = np.where(dilate(hole, _REACH), 0, 255).astype(np.uint8)
    light = _stretched(grey(stack, [plane.name for plane in picture.planes]), seen > 0)
    points, descriptors = cv2.SIFT.create(count, contrastThreshold=0.02).detectAndCompute(light, seen)
    if descriptors is None or not len(points):
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32), 1 / scale)
    # RootSIFT (Arandjelovic and Zisserman, CVPR 2012): the Euclidean distance becomes the Hellinger kernel.
    descriptors = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    xy = np.array([point.pt for point in points], np.float32)
    return Features(((xy + 0.5) / scale - 0.5).astype(np.float32), descriptors, 1 / scale)


def _stretched(light: Stack, seen: Mask) -> NDArray[np.uint8]:
    """Return light in full contrast: a dark picture has as many features as a bright one."""
    low, high = np.percentile(light[seen], (1, 99)) if seen.any() else (0.0, 255.0)
    scale = min(max(255 / max(high - low, 1.0), 1.0), _MOST_STRETCH)
    return np.clip((light - (low if scale > 1 else 0)) * scale, 0, 255).astype(np.uint8)


def matches(target: Features, source: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the points (n, 2) of both pictures that are each other's nearest by description."""
    nothing = np.zeros((0, 2), np.float32)
    if min(len(target.points), len(source.points)) < LEAST_MATCHES:
        return nothing, nothing
    distance = 2 - 2 * (target.descriptors @ source.descriptors.T)
    best = distance.argmin(axis=1)
    index = np.arange(len(best))
    near = distance[index, best].copy()
    mutual = distance.argmin(axis=0)[best] == index
    distance[index, best] = np.inf
    clear = near < _RATIO**2 * distance.min(axis=1)
    keep = mutual & clear
    return target.points[keep], source.points[best[keep]]


def homographies(target: Features, source: Features, most: int) -> list[Homography]:
    """Return at most ``most`` maps from pixels of the target to pixels of the source, best supported first.

    Each is found by RANSAC among the matches that the ones before do not explain: a street has several
    planes.
    """
    ours, theirs = matches(target, source)
    return planes_of(ours, theirs, max(target.pixel, source.pixel), most)


def planes_of(
    ours: NDArray[np.float32], theirs: NDArray[np.float32], pixel: float, most: int
) -> list[Homography]:
    """Return at most ``most`` homographies that explain matched points, best supported first."""
    found: list[Homography] = []
    while len(found) < most and len(ours) >= LEAST_MATCHES:
        cv2.setRNGSeed(0)  # the same input gives the same output
        matrix, agree = cv2.findHomography(ours, theirs, cv2.USAC_MAGSAC, _NEAR * pixel, None, 2000, 0.999)
        inside = np.asarray(agree).ravel() > 0
        if np.shape(matrix) != (3, 3) or int(inside.sum()) < LEAST_MATCHES:
            break
        found_matrix = np.asarray(matrix, np.float64)
        if _is_sane(found_matrix, ours[inside]):
            found.append(found_matrix)
        ours, theirs = ours[~inside], theirs[~inside]
    return found


def _is_sane(matrix: Homography, points: NDArray[np.float32]) -> bool:
    """Return whether no matched point is mirrored or scaled by more than eight."""
    x, y = points[:, 0].astype(np.float64), points[:, 1].astype(np.float64)
    depth = matrix[2, 0] * x + matrix[2, 1] * y + matrix[2, 2]
    if (np.abs(depth) < 1e-9).any():
        return False
    area = np.linalg.det(matrix) / depth**3
    return bool((area > 1 / 64).all() and (area < 64).all())
