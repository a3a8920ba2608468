import numpy as np
import pytest
from numpy.typing import NDArray

from eyelid.attack.fidelity import EXACT, embed, psnr, ssim


def noise(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_psnr_by_hand() -> None:
    clear = np.full((2, 10, 10), 100, np.uint8)
    off = clear.copy()
    off[1] += 10
    assert psnr(off, clear) == pytest.approx([EXACT, 10 * np.log10(255**2 / 100)])
    assert psnr(clear, off) == pytest.approx(psnr(off, clear))


def test_ssim_is_one_for_the_same_picture_and_falls_with_noise() -> None:
    clear = np.tile(np.arange(0, 240, 8, dtype=np.uint8), (1, 30, 1))
    few, many = (
        np.clip(clear + (noise(1, 1, 30, 30) / 255.0 - 0.5) * s, 0, 255).astype(np.uint8) for s in (9, 90)
    )
    assert ssim(clear, clear) == pytest.approx([1.0])
    assert 1 > ssim(few, clear)[0] > ssim(many, clear)[0]
    assert abs(ssim(noise(2, 1, 40, 40), noise(3, 1, 40, 40))[0]) < 0.1


def test_ssim_of_constant_pictures_by_its_formula() -> None:
    a, b = np.full((1, 20, 20), 100, np.uint8), np.full((1, 20, 20), 50, np.uint8)
    c1 = (0.01 * 255) ** 2
    assert ssim(a, b) == pytest.approx([(2 * 100 * 50 + c1) / (100**2 + 50**2 + c1)])


def test_embeddings_are_unit_rows_of_each_picture_alone() -> None:
    pictures = noise(4, 9, 30, 24)
    rows = embed(pictures)
    assert rows.shape == (9, 1024)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(9))
    assert rows[8] == pytest.approx(embed(pictures[8:])[0], abs=1e-5)
