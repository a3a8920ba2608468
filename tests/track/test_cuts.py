"""Cuts are found; flashes, pans, motion, noise and fades are none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eyelid.track.cuts import CutDetector

Picture = NDArray[np.uint8]


def scene(seed: int, width: int = 160, height: int = 90) -> Picture:
    """A room of coloured blocks and discs on a gradient."""
    random = np.random.default_rng(seed)
    ramp = np.linspace(random.uniform(20, 235), random.uniform(20, 235), width)
    picture = np.repeat(np.repeat(ramp[None, :, None], height, axis=0), 3, axis=2)
    picture *= random.uniform(0.5, 1, 3)
    out = np.ascontiguousarray(picture.astype(np.uint8))
    for _ in range(14):
        x, y, w, h = (int(v) for v in random.uniform(0, 1, 4) * (width, height, width / 3, height / 2))
        colour = [int(v) for v in random.uniform(0, 255, 3)]
        cv2.rectangle(out, (x, y), (x + w, y + h), colour, -1)
    return out


def view(picture: Picture, x: float = 0.0) -> Picture:
    """The left-most window of the scene, moved right by ``x`` of its own width."""
    width = picture.shape[1] // 2
    start = round(x * width)
    window = picture[:, start : start + width]
    return np.asarray(cv2.resize(window, (64, 36), interpolation=cv2.INTER_AREA), np.uint8)


def noisy(picture: Picture, random: np.random.Generator, sigma: float = 3.0) -> Picture:
    return np.clip(picture + random.normal(0, sigma, picture.shape), 0, 255).astype(np.uint8)


def cuts(pictures: list[Picture]) -> list[int]:
    detector = CutDetector()
    return [i for i, picture in enumerate(pictures) if detector.is_cut(picture)]


@pytest.mark.parametrize("grey", [False, True])
def test_cuts_between_scenes_are_found(grey: bool) -> None:
    random = np.random.default_rng(0)
    frames: list[Picture] = []
    for shot in range(20):
        frames += [noisy(view(scene(shot), 0.01 * k), random) for k in range(10)]
    if grey:
        frames = [np.asarray(cv2.cvtColor(f, cv2.COLOR_BGR2GRAY), np.uint8) for f in frames]
    got = cuts(frames)
    assert set(got) <= set(range(10, 200, 10))
    assert len(got) >= 16


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("speed", [0.02, 0.06, 0.12])
def test_a_pan_is_no_cut(seed: int, speed: float) -> None:
    assert cuts([view(scene(seed), min(speed * k, 1.0)) for k in range(12)]) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_flash_is_no_cut(seed: int) -> None:
    frames = [view(scene(seed))] * 12
    frames[5] = np.clip(frames[5].astype(float) * 1.6 + 50, 0, 255).astype(np.uint8)
    frames[8] = np.full_like(frames[8], 255)
    assert cuts(frames) == []


@pytest.mark.parametrize("seed", range(8))
def test_exposure_and_fades_to_black_are_no_cuts_but_what_follows_the_black_is(seed: int) -> None:
    first, second = view(scene(seed)), view(scene(seed + 100))
    fade = [(first * s).astype(np.uint8) for s in np.linspace(1, 0, 12)]
    rise = [(second * s).astype(np.uint8) for s in np.linspace(0, 1, 12)]
    assert cuts(fade) == []
    got = cuts([first] * 5 + [np.zeros_like(first)] * 5 + [second] * 5)
    assert got in ([10], [])
    assert len(cuts(fade + rise)) <= 1


def test_something_large_that_walks_by_is_no_cut() -> None:
    frames = []
    for k in range(20):
        picture = view(scene(3)).copy()
        picture[6:, k * 4 - 12 : max(0, k * 4)] = (30, 60, 200)
        frames.append(picture)
    assert cuts(frames) == []


def test_sensor_noise_in_the_dark_is_no_cut() -> None:
    random = np.random.default_rng(0)
    dark = (view(scene(5)) * 0.08).astype(np.uint8)
    assert cuts([noisy(dark, random, 6.0) for _ in range(50)]) == []


def test_most_cuts_after_black_are_found() -> None:
    found = 0
    for seed in range(20):
        first, second = view(scene(seed)), view(scene(seed + 100))
        found += cuts([first] * 5 + [np.zeros_like(first)] * 5 + [second] * 5) == [10]
    assert found >= 16


@pytest.mark.parametrize("shape", [(36, 64, 3), (36, 64), (1, 1, 3), (300, 200, 3)])
def test_any_size_is_taken(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    detector = CutDetector()
    assert detector.is_cut(random.integers(0, 255, shape, np.uint8)) is False
