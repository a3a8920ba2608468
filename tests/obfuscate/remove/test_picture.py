"""Masks of holes grow by what was asked for, near and far."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from eyelid.obfuscate.remove.picture import dilate


@pytest.mark.parametrize("reach", [1, 5, 12, 13, 30, 70])
def test_a_mask_grows_at_least_as_by_the_kernel_and_not_by_more_than_a_pixel(reach: int) -> None:
    mask = np.random.default_rng(reach).random((90, 130)) < 2e-4
    mask[40, 60] = True
    grown = dilate(mask, reach)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    assert not (cv2.dilate(mask.view(np.uint8), kernel).view(np.bool_) & ~grown).any()
    y, x = np.nonzero(mask)
    grid = np.indices(mask.shape)
    apart = np.hypot(grid[0][..., None] - y, grid[1][..., None] - x).min(axis=-1)
    assert not (grown & (apart > reach + 1)).any()


def test_a_mask_of_nothing_stays_so() -> None:
    for reach in (0, 3, 40):
        assert not dilate(np.zeros((40, 50), np.bool_), reach).any()
