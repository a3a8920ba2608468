from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eyelid.obfuscate.remove.cameras import Cameras, cameras, plane_of
from eyelid.obfuscate.remove.tracks import Tracks
from tests.obfuscate.remove.rigs import HEIGHT, WIDTH, Pose, by_hand, scattered

if TYPE_CHECKING:
    from numpy.typing import NDArray

POSES = by_hand(8)
SPACE = scattered(300)


def seen_by(poses: list[Pose], space: NDArray[np.float64], noise: float = 0.1) -> Tracks:
    random = np.random.default_rng(7)
    here = Pose(np.eye(3), np.zeros(3)).sees(space)
    seen = np.stack([pose.sees(space) for pose in poses])
    return Tracks(here, seen + random.normal(0, noise, seen.shape), 1.0)


def found_by(tracks: Tracks, poses: list[Pose]) -> Cameras | None:
    return cameras(tracks, [[pose.plane(6)] for pose in poses], (WIDTH, HEIGHT))


def off(found: Cameras, poses: list[Pose], fresh: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far each known view is off for fresh points whose depth the first known view tells."""
    here = Pose(np.eye(3), np.zeros(3)).sees(fresh)
    flat = np.column_stack([here, np.ones(len(here))])
    known = [view for view in range(len(poses)) if found.known(view)]
    first = found.matrices[known[-1]]
    there = poses[known[-1]].sees(fresh)
    base = flat @ first[:, :3].T
    a = there * base[:, 2:] - base[:, :2]
    b = first[:2, 3] - there * first[2, 3]
    depth = (a * b).sum(axis=1) / (b * b).sum(axis=1)
    space = np.column_stack([flat, depth])
    out = []
    for view in known[:-1]:
        mapped = space @ found.matrices[view].T
        out.append(np.linalg.norm(mapped[:, :2] / mapped[:, 2:] - poses[view].sees(fresh), axis=1))
    return np.stack(out)


def test_points_never_seen_before_are_found_in_every_view() -> None:
    found = found_by(seen_by(POSES, SPACE), POSES)
    assert found is not None
    assert all(found.known(view) for view in range(len(POSES)))
    assert np.median(off(found, POSES, scattered(200, seed=1))) < 0.2


def test_a_plane_of_one_depth_is_the_map_that_its_points_follow() -> None:
    found = found_by(seen_by(POSES, SPACE, noise=0), POSES)
    assert found is not None
    for view, pose in enumerate(POSES):
        for point, depth in list(zip(found.points, found.depths, strict=True))[:20]:
            mapped = plane_of(found.matrices[view], float(depth)) @ np.array([*point, 1])
            number = int(np.linalg.norm(seen_by(POSES, SPACE, 0).points - point, axis=1).argmin())
            assert mapped[:2] / mapped[2] == pytest.approx(pose.sees(SPACE[number : number + 1])[0], abs=0.05)


def test_a_quarter_of_wrong_tracks_is_left_out() -> None:
    tracks = seen_by(POSES, SPACE)
    tracks.seen[:, :75] += np.random.default_rng(1).normal(0, 15, (len(POSES), 75, 2))
    found = found_by(tracks, POSES)
    assert found is not None
    wrong = {tuple(point) for point in tracks.points[:75]}
    assert sum(tuple(point) in wrong for point in found.points) <= 4
    assert np.median(off(found, POSES, scattered(200, seed=1))) < 0.3


def test_a_view_with_few_points_is_not_known_and_the_others_are() -> None:
    tracks = seen_by(POSES, SPACE)
    tracks.seen[3, 20:] = np.nan
    found = found_by(tracks, POSES)
    assert found is not None
    assert [found.known(view) for view in range(len(POSES))] == [view != 3 for view in range(len(POSES))]


@pytest.mark.parametrize("seed", range(3))
def test_a_camera_that_only_turned_knows_no_depth(seed: int) -> None:
    turned = [Pose(pose.turn, np.zeros(3)) for pose in by_hand(8, seed=seed)]
    assert found_by(seen_by(turned, SPACE), turned) is None


@pytest.mark.parametrize("seed", range(3))
def test_a_place_whose_things_move_by_themselves_is_refused(seed: int) -> None:
    tracks = seen_by(POSES, SPACE)
    tracks.seen[...] += np.random.default_rng(seed).normal(0, 0.7, tracks.seen.shape)
    assert found_by(tracks, POSES) is None


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 2**16),
    st.sampled_from([1e-3, 1.0, 100.0, 1e6]),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.integers(0, 60),
)
def test_nonsense_is_refused_or_explained_and_never_an_error(
    seed: int, size: float, missing: float, same: int
) -> None:
    random = np.random.default_rng(seed)
    points = random.uniform(0, size, (60, 2))
    points[:same] = points[0]
    seen = points + random.normal(0, size / 10, (6, 60, 2))
    seen[random.random((6, 60)) < missing] = np.nan
    planes = [[random.normal(0, 1, (3, 3))] for _ in range(6)]
    found = cameras(Tracks(points, seen, 1.0), planes, (WIDTH, HEIGHT))
    assert found is None or np.isfinite(found.depths).all()


def test_too_few_points_or_views_tell_nothing() -> None:
    assert found_by(seen_by(POSES, SPACE[:25]), POSES) is None
    assert found_by(seen_by(POSES[:2], SPACE), POSES[:2]) is None
    assert found_by(seen_by(POSES, SPACE[:0]), POSES) is None
