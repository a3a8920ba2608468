"""How wide a filter was follows from what it blurred, and that is enough to see who is behind it."""

from __future__ import annotations

import numpy as np
import pytest

from eyelid.attack.blind import likeliest, power
from eyelid.attack.deblur import Deblur, deblur_blindly
from eyelid.attack.fidelity import psnr
from eyelid.attack.keyed_blur import KeyedBlur, blur, expected_weights, weights_of
from eyelid.attack.lowpass import Lowpass, OpenCvBlur, PillowBlur
from tests.attack.faces import invented


def scenes(count: int, side: int = 96) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Return pictures whose power falls with the square of frequency, as that of photos does."""
    rng = np.random.default_rng(3)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.fftfreq(side)[None])
    noise = np.fft.fft2(rng.normal(size=(count, side, side)))
    drawn = np.fft.ifft2(noise / np.maximum(frequency, 1 / side)).real
    drawn *= 45 / drawn.std(axis=(1, 2), keepdims=True)
    return np.clip(drawn + 128, 0, 255).astype(np.uint8)


SCENES = scenes(4)


@pytest.mark.parametrize("true", [9, 21, 33])
def test_the_width_of_a_gaussian_follows_from_one_picture(true: int) -> None:
    widths = OpenCvBlur.widths()
    powers = [power(np.outer(b.weights(), b.weights()), (96, 96)) for b in widths]
    for picture in SCENES:
        released = OpenCvBlur(kernel=true).release(picture)
        assert abs(widths[likeliest(released[None], powers)].kernel - true) <= 2


@pytest.mark.parametrize("side", [7, 15, 21])
def test_the_width_of_a_secret_filter_follows_too(side: int) -> None:
    treated = blur(SCENES, weights_of(b"secret", side))
    assert expected_weights(treated).shape == (side, side)
    assert expected_weights(treated[:1]).shape == (side, side)


def test_a_picture_that_was_not_blurred_is_not_called_wide() -> None:
    assert expected_weights(SCENES).shape == (1, 1)


@pytest.mark.parametrize("kind", [OpenCvBlur(kernel=15), PillowBlur(radius=3.0)])
def test_blind_deblurring_comes_nearer(kind: Lowpass) -> None:
    released = np.stack([kind.release(picture) for picture in SCENES])
    restored = deblur_blindly(released, type(kind), steps=40)
    assert (psnr(restored, SCENES) > psnr(released, SCENES) + 1).all()


def test_the_attacks_say_what_they_have() -> None:
    faces = invented(people=4, each=3, height=32, width=28)
    assert "blurred pictures alone" in KeyedBlur(b"k", pairs=0, side=5).run(faces).threat.capability
    blind = Deblur(OpenCvBlur(kernel=5), blind=True)
    assert "width" not in blind.threat.capability
    assert blind.run(faces).chance == pytest.approx(1 / 2)


def test_any_size_can_be_judged() -> None:
    for shape in ((2, 2), (3, 5), (64, 2)):
        assert expected_weights(np.full((1, *shape), 7, np.uint8)).ndim == 2
