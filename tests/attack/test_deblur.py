"""A Gaussian blur comes back: nearer to the original than it was published, and only by the right filter."""

import numpy as np
import pytest

from eyelid.attack.base import Knowledge
from eyelid.attack.deblur import Deblur, deblur
from eyelid.attack.fidelity import psnr
from eyelid.attack.inversion import wiener
from eyelid.attack.keyed_blur import KeyedBlur
from eyelid.attack.lowpass import Lowpass, OpenCvBlur, PillowBlur
from eyelid.attack.restoration import RestorationAttack
from eyelid.attack.restore import LearnedRestoration
from eyelid.attack.treatment import parse
from eyelid.errors import InputError
from tests.attack.faces import invented, nobody

SHARP = invented(people=3, each=3, height=48, width=40, noise=0).pictures[::3]
SHARP[:, 12:30, 10:22] //= 3  # edges, which smooth patterns lack


@pytest.mark.parametrize("blur", [OpenCvBlur(kernel=9), OpenCvBlur(kernel=15), PillowBlur(radius=2)], ids=str)
def test_the_blur_is_undone(blur: Lowpass) -> None:
    treated = np.stack([blur.release(picture) for picture in SHARP])
    restored = deblur(treated, blur, steps=60)
    again = np.stack([blur.release(picture) for picture in restored])
    assert (psnr(restored, SHARP) > psnr(treated, SHARP) + 2).all()
    assert np.abs(again.astype(int) - treated).mean() < 0.5  # what was found would have been published so


def test_another_filter_restores_worse() -> None:
    right, wrong = OpenCvBlur(kernel=15), OpenCvBlur(kernel=31)
    treated = np.stack([right.release(picture) for picture in SHARP])
    restored = [psnr(deblur(treated, blur, steps=30), SHARP).mean() for blur in (right, wrong)]
    assert restored[0] > restored[1] + 2


def test_the_closed_form_alone_restores_what_no_rounding_harmed() -> None:
    blur = OpenCvBlur(kernel=7)
    treated = np.stack([blur.release(picture) for picture in SHARP])
    estimate = np.rint(wiener(treated, blur.weights())).astype(np.uint8)
    assert (psnr(estimate, SHARP) > psnr(treated, SHARP) + 2).all()


def test_the_attack_reports_whom_it_recognised() -> None:
    faces = invented(people=6, each=5, height=40, width=32)
    attack = Deblur(OpenCvBlur(kernel=9))
    outcome = attack.measure(faces)
    result = attack.result(outcome)
    assert result.threat.knowledge is Knowledge.METHOD
    assert result.chance == pytest.approx(1 / 3)
    assert result.n == len(outcome.people) == 3
    assert result.interval[0] <= result.success <= result.interval[1]
    assert "PSNR" in result.note


@pytest.mark.parametrize(
    "attack",
    [
        Deblur(OpenCvBlur(kernel=5)),
        Deblur(OpenCvBlur(kernel=5), blind=True),
        KeyedBlur(b"k", side=5),
        KeyedBlur(b"k", pairs=0, side=5),
        LearnedRestoration(parse("pixelate:8"), epochs=2),
    ],
    ids=lambda attack: f"{attack.name}, {attack.threat.capability}",
)
def test_progress_goes_up_to_its_end(attack: RestorationAttack) -> None:
    told: list[tuple[int, int]] = []
    attack.measure(invented(people=4, each=4, height=24, width=24), lambda done, of: told.append((done, of)))
    assert told == [(done, len(told)) for done in range(1, len(told) + 1)]
    assert len(told) > 1


def test_too_few_people_are_one_sentence() -> None:
    with pytest.raises(InputError, match="3 people only"):
        Deblur(OpenCvBlur()).run(nobody(people=3, each=3))
