"""Where several pictures of one still place were taken from, as far as the depth of things in it needs that.

A camera is known up to a projective change of space: a pixel of the target and how far it lies off one plane
give its place in every other picture ("plane plus parallax": Hartley and Zisserman, "Multiple View Geometry",
2nd edition, section 13.3). No focal length is needed, and the planes of equal depth, off the target, become
homographies.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eyelid.obfuscate.remove.align import Homography
    from eyelid.obfuscate.remove.tracks import Tracks

Points: TypeAlias = NDArray[np.float64]
"""Points (n, 2) in pixels."""

LEAST_POINTS: Final = 30
"""So many points that several views agree on tell where these were taken from."""
_LEAST_APART: Final = 20
"""So many of them lie off the plane of the others, by more than a pixel."""
_STARTS: Final = 3
_SAMPLES: Final = 100
_MINIMAL: Final = 6
_PIXEL: Final = 1.0
_RIGID: Final = 0.2
"""Where half of the points are further off than so many pixels, things move or the lens is bent."""
_LEAST_VIEWS: Final = 3
_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True, eq=False)
class Cameras:
    """Where each view sees a pixel of the target, by the depth of what it shows.

    ``matrices`` float64 (views, 3, 4), NaN for a view that is not known, take (x, y, 1, depth) of the target
    to the view, both in pixels. ``points`` (n, 2) of the target have the known ``depths`` (n,).
    """

    matrices: NDArray[np.float64]
    points: Points
    depths: NDArray[np.float64]

    def known(self, view: int) -> bool:
        """Return whether it is known where a view was taken from."""
        return bool(np.isfinite(self.matrices[view]).all())


def plane_of(matrix: NDArray[np.float64], depth: float) -> Homography:
    """Return the map from the target to the view of a camera (3, 4) for all that lies at one depth."""
    return np.column_stack([matrix[:, :2], matrix[:, 2] + depth * matrix[:, 3]])


def cameras(tracks: Tracks, planes: Sequence[Sequence[Homography]], size: tuple[int, int]) -> Cameras | None:
    """Return where views were taken from, None where the points that they show do not tell.

    ``planes``: for each view the maps from the target found among its matches, best first; ``size``: columns
    and rows of all pictures.
    """
    enough = np.isfinite(tracks.seen[..., 0]).sum(axis=0) >= _LEAST_VIEWS
    points, seen = tracks.points[enough], tracks.seen[:, enough]
    scale = max(size) / 2
    change = np.array([[1 / scale, 0, -size[0] / 2 / scale], [0, 1 / scale, -size[1] / 2 / scale], [0, 0, 1]])
    ours, theirs = (points @ change[:2, :2].T + change[:2, 2], seen @ change[:2, :2].T + change[:2, 2])
    near = _PIXEL * tracks.pixel / scale
    best: tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None = None
    for start in _starts(ours, theirs, planes, change, near):
        found = _extended(start, ours, theirs, near)
        if found is not None and (best is None or found[0] > best[0]):
            best = found
    if best is None or best[0] < LEAST_POINTS:
        return None
    _, matrices, depths, sure = best
    back = np.linalg.inv(change)
    into = np.block([[change, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]])
    return Cameras(back @ matrices @ into, points[sure], depths[sure])


def _starts(
    ours: Points,
    theirs: NDArray[np.float64],
    planes: Sequence[Sequence[Homography]],
    change: NDArray[np.float64],
    near: float,
) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the views with most parallax, each with its camera up to the scale of depth."""
    found: list[tuple[float, int, NDArray[np.float64]]] = []
    for view, maps in enumerate(planes):
        both = np.isfinite(theirs[view, :, 0])
        if not maps or int(both.sum()) < LEAST_POINTS:
            continue
        plane = change @ maps[0] @ np.linalg.inv(change)
        off = _apart(_mapped(plane, ours[both]), theirs[view, both])
        cv2.setRNGSeed(0)
        try:
            matrix, agree = cv2.findFundamentalMat(
                ours[both], theirs[view, both], cv2.USAC_MAGSAC, near, 0.999, 1000
            )
        except cv2.error:  # raised where points fall together and no model comes out
            continue
        if np.shape(matrix) != (3, 3):
            continue
        inside = np.asarray(agree).ravel() > 0
        if int((off[inside] > near).sum()) < _LEAST_APART:
            continue  # nothing that would show depth: it turned on the spot, or sees one plane
        # many points well off the plane, all of which the epipolar geometry explains
        worth = float(np.minimum(off[inside], 20 * near).sum())
        found.append((worth, view, _camera(np.asarray(matrix, np.float64), plane)))
    found.sort(key=lambda each: -each[0])
    return [(view, camera) for _, view, camera in found[:_STARTS]]


def _camera(fundamental: NDArray[np.float64], plane: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the camera (3, 4) with a fundamental matrix whose depth 0 is as near as can be to a plane."""
    epipole = np.linalg.svd(fundamental.T)[2][-1]
    across = np.cross(np.eye(3), -epipole) @ fundamental  # [e']x F
    terms = np.column_stack([across.ravel(), *(np.outer(epipole, axis).ravel() for axis in np.eye(3))])
    factors = np.linalg.lstsq(terms, plane.ravel(), rcond=None)[0]
    return np.column_stack([(terms @ factors).reshape(3, 3), epipole])


def _extended(
    start: tuple[int, NDArray[np.float64]], ours: Points, theirs: NDArray[np.float64], near: float
) -> tuple[int, NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]] | None:
    """Return how many points the cameras that follow from one explain, these cameras, depths, and points."""
    first, camera = start
    matrices = np.full((len(theirs), 3, 4), np.nan)
    matrices[first] = camera
    depths = _depths(matrices, ours, theirs)
    depths = np.where(_errors(matrices, depths, ours, theirs)[first] < 2 * near, depths, np.nan)
    spread = float(np.nanstd(depths)) if np.isfinite(depths).sum() >= LEAST_POINTS else 0.0
    if not spread > 0:
        return None
    matrices[first, :, 3] *= spread
    depths /= spread
    draw = np.random.default_rng(0)  # the same input gives the same output
    for view in range(len(theirs)):
        if view != first:
            matrices[view] = _resected(ours, depths, theirs[view], near, draw)
    depths = _depths(matrices, ours, theirs)
    for _ in range(2):
        matrices, depths = _adjusted(matrices, depths, ours, theirs, near)
    errors = _errors(matrices, depths, ours, theirs)
    known = np.isfinite(errors)
    good = (errors < near) & known
    sure = (good.sum(axis=0) >= _LEAST_VIEWS) & (2 * good.sum(axis=0) > known.sum(axis=0))
    fits = errors[:, sure][known[:, sure]]
    if not len(fits) or float(np.median(fits)) > _RIGID * near:
        return None
    for view in range(len(theirs)):
        if int(good[view, sure].sum()) < LEAST_POINTS:
            matrices[view] = np.nan
    return int(good[:, sure].sum()), matrices, depths, sure


def _depths(matrices: NDArray[np.float64], ours: Points, theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the depth of each point at which all views that see it agree best, NaN where none does."""
    top = np.zeros(len(ours))
    bottom = np.zeros(len(ours))
    for matrix, there in zip(matrices, theirs, strict=True):
        both = np.isfinite(there[:, 0]) & np.isfinite(matrix[0, 0])
        flat = np.column_stack([ours[both], np.ones(int(both.sum()))]) @ matrix[:, :3].T
        # u (w + d e3) = flat + d e: linear in the depth, once divided by what stands for the distance
        a = (there[both] * flat[:, 2:] - flat[:, :2]) / flat[:, 2:]
        b = (matrix[:2, 3] - there[both] * matrix[2, 3]) / flat[:, 2:]
        top[both] += (a * b).sum(axis=1)
        bottom[both] += (b * b).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, np.nan)


def _resected(
    ours: Points, depths: NDArray[np.float64], there: Points, near: float, draw: np.random.Generator
) -> NDArray[np.float64]:
    """Return the camera of a view that sees points of known depth, NaN where it is not clear."""
    both = np.isfinite(depths) & np.isfinite(there[:, 0])
    unknown = np.full((3, 4), np.nan)
    if int(both.sum()) < LEAST_POINTS:
        return unknown
    space = np.column_stack([ours[both], np.ones(int(both.sum())), depths[both]])
    equations = np.zeros((len(space), 2, 12))
    for axis in range(2):
        equations[:, axis, 4 * axis : 4 * axis + 4] = space
        equations[:, axis, 8:] = -there[both][:, axis : axis + 1] * space
    picks = np.argsort(draw.random((_SAMPLES, len(space))), axis=1)[:, :_MINIMAL]
    tried = np.linalg.svd(equations[picks].reshape(_SAMPLES, -1, 12))[2][:, -1].reshape(-1, 3, 4)
    with np.errstate(all="ignore"):
        mapped = np.einsum("sij,nj->sni", tried, space)
        off = np.linalg.norm(mapped[..., :2] / mapped[..., 2:] - there[both], axis=-1)
        off = np.nan_to_num(off, nan=np.inf)
    keep = off[np.minimum(off, 3 * near).sum(axis=1).argmin()] < 3 * near
    if int(keep.sum()) < LEAST_POINTS:
        return unknown
    return np.asarray(np.linalg.svd(equations[keep].reshape(-1, 12))[2][-1].reshape(3, 4), np.float64)


def _adjusted(
    matrices: NDArray[np.float64],
    depths: NDArray[np.float64],
    ours: Points,
    theirs: NDArray[np.float64],
    near: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return cameras and depths at which points are seen nearest to where they should be, outliers aside.

    Levenberg and Marquardt; each point has one unknown, so that the system is one of cameras alone (Triggs
    et al., "Bundle adjustment: a modern synthesis", 2000, section 6).
    """
    views = np.flatnonzero(np.isfinite(matrices[:, 0, 0]))
    matrices, depths = matrices.copy(), np.nan_to_num(depths, posinf=0, neginf=0)
    matrices[views] /= np.linalg.norm(matrices[views], axis=(1, 2), keepdims=True)
    damping, count = 1e-3, 12 * len(views)
    now = _equations(matrices, depths, ours, theirs, views, near)
    for _ in range(_ROUNDS):
        curve = now.curve * (1 + damping) + 1e-12
        whole = now.block - now.cross.T @ (now.cross / curve[:, None])
        whole[np.diag_indices(count)] += damping * np.diag(now.block) + 1e-12
        step = np.linalg.solve(whole, now.slope - now.cross.T @ (now.pull / curve))
        deeper = depths + (now.pull - now.cross @ step) / curve
        tried = matrices.copy()
        tried[views] += step.reshape(-1, 3, 4)
        after = _equations(tried, deeper, ours, theirs, views, near)
        if not after.cost < now.cost:
            damping *= 5
            continue
        done = after.cost > now.cost * (1 - 1e-4)
        matrices, depths, now, damping = tried, deeper, after, damping / 5
        if done:
            break
    return matrices, depths


@dataclass(frozen=True, slots=True, eq=False)
class _Equations:
    """The normal equations of cameras (12 unknowns each) and depths (1 each), and the cost they lower."""

    cost: float
    block: NDArray[np.float64]
    """Cameras by cameras."""
    cross: NDArray[np.float64]
    """Depths by cameras."""
    curve: NDArray[np.float64]
    """Depths by depths, which do not mix: the diagonal."""
    slope: NDArray[np.float64]
    """The right side of the cameras."""
    pull: NDArray[np.float64]
    """The right side of the depths."""


def _equations(
    matrices: NDArray[np.float64],
    depths: NDArray[np.float64],
    ours: Points,
    theirs: NDArray[np.float64],
    views: NDArray[np.intp],
    near: float,
) -> _Equations:
    count = 12 * len(views)
    block, slope = np.zeros((count, count)), np.zeros(count)
    cross, curve, pull = np.zeros((len(ours), count)), np.zeros(len(ours)), np.zeros(len(ours))
    space = np.column_stack([ours, np.ones(len(ours)), depths])
    cost = 0.0
    for number, view in enumerate(views):
        both = np.isfinite(theirs[view, :, 0])
        mapped = space[both] @ matrices[view].T
        with np.errstate(all="ignore"):
            shown = mapped[:, :2] / mapped[:, 2:]
            rest = np.nan_to_num(theirs[view, both] - shown, nan=1e3, posinf=1e3, neginf=-1e3)
        square = (rest**2).sum(axis=1)
        weight = near**4 / (near**2 + square) ** 2  # Geman and McClure
        cost += float((square * near**2 / (near**2 + square)).sum())
        columns = slice(12 * number, 12 * number + 12)
        by_camera = np.zeros((len(mapped), 2, 12))
        for axis in range(2):
            by_camera[:, axis, 4 * axis : 4 * axis + 4] = space[both] / mapped[:, 2:]
            by_camera[:, axis, 8:] = -shown[:, axis : axis + 1] * space[both] / mapped[:, 2:]
        by_depth = (matrices[view, :2, 3] - shown * matrices[view, 2, 3]) / mapped[:, 2:]
        flat, twice = by_camera.reshape(-1, 12), np.repeat(weight, 2)
        block[columns, columns] = flat.T @ (flat * twice[:, None])
        slope[columns] = flat.T @ (rest.reshape(-1) * twice)
        cross[both, columns] = np.einsum("nac,na->nc", by_camera, by_depth * weight[:, None])
        curve[both] += (by_depth**2).sum(axis=1) * weight
        pull[both] += (by_depth * rest).sum(axis=1) * weight
    return _Equations(cost, block, cross, curve, slope, pull)


def _errors(
    matrices: NDArray[np.float64], depths: NDArray[np.float64], ours: Points, theirs: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return how far off each view sees each point, (views, n), NaN where it does not."""
    space = np.column_stack([ours, np.ones(len(ours)), depths])
    with np.errstate(all="ignore"):
        mapped = np.einsum("vij,nj->vni", matrices, space)
        return np.asarray(np.linalg.norm(mapped[..., :2] / mapped[..., 2:] - theirs, axis=-1), np.float64)


def _mapped(matrix: Homography, points: Points) -> Points:
    mapped = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    return np.asarray(mapped[:, :2] / mapped[:, 2:], np.float64)


def _apart(a: Points, b: Points) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(a - b, axis=1), np.float64)
