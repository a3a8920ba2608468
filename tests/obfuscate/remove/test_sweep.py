from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest

from eyelid.obfuscate.remove.cameras import Cameras, cameras
from eyelid.obfuscate.remove.fill import fill_from_views
from eyelid.obfuscate.remove.look import Look, Target, look, target_of
from eyelid.obfuscate.remove.picture import Mask, Picture, opened
from eyelid.obfuscate.remove.sharpness import as_sharp
from eyelid.obfuscate.remove.sweep import swept
from eyelid.obfuscate.remove.tracks import tracks
from tests.obfuscate.remove.rigs import HEIGHT, WIDTH, Pose, by_hand
from tests.obfuscate.remove.scenes import frame, texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

WALL, POST = 6.0, 3.0
HERE = Pose(np.eye(3), np.zeros(3))
POSES = by_hand(8)
LOOK = texture(HEIGHT, WIDTH, seed=4)
NEAR = np.asarray(255 - texture(HEIGHT, WIDTH, seed=9), np.float32)
STANDS = np.zeros((HEIGHT, WIDTH), np.float32)
STANDS[150:, 300:350] = 1  # a post before the wall: behind the hole, and below it in sight
STANDS[320:, 60:250] = STANDS[40:400, 480:600] = 1
HOLE = np.zeros((HEIGHT, WIDTH), np.bool_)
HOLE[170:300, 260:390] = True


def view(pose: Pose) -> NDArray[np.float32]:
    """What a camera shows of a wall and of the things before it."""
    size = (WIDTH, HEIGHT)
    far, near = pose.plane(WALL), pose.plane(POST)
    wall = cv2.warpPerspective(LOOK, far, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    things = cv2.warpPerspective(NEAR, near, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    stands = cv2.warpPerspective(STANDS, near, size)[..., None]
    return np.asarray(stands * things + (1 - stands) * wall, np.float32)


def picture(pose: Pose, hole: Mask) -> Picture:
    return opened(frame(view(pose)), hole)


def hole_in(number: int) -> Mask:
    """What is removed walks: in each view it hides another part of the picture."""
    return np.roll(HOLE, 150 * (1 if number % 2 else -1), axis=1)


TARGET = picture(HERE, HOLE)
VIEWS = [picture(pose, hole_in(number)) for number, pose in enumerate(POSES)]
PLANES = [[pose.plane(WALL), pose.plane(POST)] for pose in POSES]
TRUTH = picture(HERE, np.zeros_like(HOLE)).stack()


class Found:
    """A source whose maps are known."""

    def __init__(self, number: int) -> None:
        self.picture = VIEWS[number]
        self.maps = PLANES[number][:1]


def rig() -> Cameras:
    found = cameras(tracks(TARGET, list(zip(VIEWS, PLANES, strict=True))), PLANES, (WIDTH, HEIGHT))
    assert found is not None
    return found


def nearby(hole: Mask = HOLE) -> Target:
    box = TARGET.box(228, 138, 422, 332)
    return target_of(TARGET, box, hole[box.slices])


def psnr(off: NDArray[np.float32]) -> float:
    return float(10 * np.log10(255**2 / max(float(np.square(off, dtype=np.float64).mean()), 1e-9)))


def fused(looks: list[Look], target: Target) -> float:
    known = target.hole & np.any([found.seen for found in looks], axis=0)
    shown = [np.where(found.seen[known][:, None], found.stack[known], np.nan) for found in looks]
    return psnr(np.nanmedian(shown, axis=0) - TRUTH[target.box.slices][known])


def test_tracks_are_where_the_scene_says_to_a_part_of_a_pixel() -> None:
    found = tracks(TARGET, list(zip(VIEWS, PLANES, strict=True)))
    assert len(found.points) > 100
    for number, pose in enumerate(POSES):
        ok = np.isfinite(found.seen[number, :, 0])
        near = cv2.perspectiveTransform(found.points[None], pose.plane(POST))[0]
        far = cv2.perspectiveTransform(found.points[None], pose.plane(WALL))[0]
        off = np.minimum(*(np.linalg.norm(at - found.seen[number], axis=1) for at in (near, far)))
        assert ok.sum() > 60
        assert np.median(off[ok]) < 0.1


def test_no_track_begins_or_ends_in_a_hole_whatever_is_in_it() -> None:
    def still_there(pose: Pose, hole: Mask) -> Picture:
        return Picture(picture(pose, np.zeros_like(hole)).planes, hole)

    views = [still_there(pose, hole_in(number)) for number, pose in enumerate(POSES)]
    found = tracks(still_there(HERE, HOLE), list(zip(views, PLANES, strict=True)))
    x, y = np.rint(found.points).astype(int).T
    assert not HOLE[y, x].any()
    for number in range(len(views)):
        x, y = np.rint(found.seen[number][np.isfinite(found.seen[number, :, 0])]).astype(int).T
        assert not hole_in(number)[y, x].any()


def test_what_stands_before_the_wall_comes_out_where_it_stands() -> None:
    target = nearby()
    looks = swept(target, VIEWS, rig())
    assert np.any([found.seen for found in looks], axis=0)[target.hole].mean() > 0.99
    flat = [look(target, VIEWS[number], [pose.plane(WALL)]) for number, pose in enumerate(POSES)]
    assert fused(looks, target) > fused([found for found in flat if found is not None], target) + 5


def test_the_fill_takes_the_depth_of_each_pixel() -> None:
    target = picture(HERE, HOLE)
    invented = fill_from_views(target, [Found(number) for number in range(len(VIEWS))])
    off = target.stack() - TRUTH
    assert invented[HOLE].mean() < 0.02
    assert psnr(off[HOLE]) > 29


def test_the_samples_in_the_holes_of_views_go_nowhere() -> None:
    other = [picture(pose, hole_in(number)) for number, pose in enumerate(POSES)]
    for number, each in enumerate(other):
        for plane in each.planes:
            inside = hole_in(number)[:: plane.step_y, :: plane.step_x]
            plane.samples[inside] = np.random.default_rng(number).integers(0, 256, int(inside.sum()))
    target = nearby()
    ours, theirs = swept(target, VIEWS, rig()), swept(target, other, rig())
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert (a.seen == b.seen).all()
        assert (a.stack[a.seen] == b.stack[b.seen]).all()


def test_the_blur_of_a_hand_is_found_around_the_hole() -> None:
    target = nearby()
    kernel = np.array([[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]] + [[0] * 5] * 2, np.float32) / 5
    truth = np.asarray(cv2.filter2D(TRUTH[target.box.slices], -1, kernel), np.float32)
    blurred = Target(target.box, truth.copy(), target.hole, target.rim, target.names)
    seen = np.ones_like(target.hole)
    plain = TRUTH[target.box.slices]
    inner = target.hole
    before = psnr((plain - truth)[inner])
    assert psnr((as_sharp(plain, seen, blurred) - truth)[inner]) > before + 5
    blurred.stack[:20] = 0  # something else stands there: it is no blur
    assert psnr((as_sharp(plain, seen, blurred) - truth)[inner]) > before + 4


@pytest.mark.parametrize("seen", [False, True])
def test_what_needs_no_change_or_is_not_seen_keeps_its_samples(seen: bool) -> None:
    target = nearby()
    plain = TRUTH[target.box.slices]
    same = as_sharp(plain, np.full_like(target.hole, seen), target)
    assert np.abs(same - plain).max() < (0.5 if seen else 1e-9)
