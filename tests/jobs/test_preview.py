"""Three seconds first: where most is to hide, covered like the whole, and an honest estimate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from eyelid.errors import OutputError, UsageError
from eyelid.jobs.preview import preview
from eyelid.jobs.search import Searcher
from eyelid.jobs.settings import Settings
from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.types import Target
from tests.canary import HIDDEN, SHOWN, Scene, Truth, correlation, pictures, save_clip, save_still, spot
from tests.media.clips import Clip, packets, times

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.types import RawFrame
    from tests.canary import Box

RATE = 8
SECONDS = 14
EMPTY, BUSY = Scene(hidden=(), open=None), Scene(open=None)
WITH_CANARIES = {4, 9, 10}
"""The seconds in which there is something to hide."""


def spotted(frame: RawFrame) -> list[Box]:
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in spot(frame.bgr()).xyxy]


def searcher() -> Searcher:
    return Searcher(Settings(targets=(Target.FACE,)), [Truth(spotted)])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = [
        (BUSY if moment // RATE in WITH_CANARIES else EMPTY).picture(moment % RATE)
        for moment in range(SECONDS * RATE)
    ]
    return save_clip(tmp_path_factory.mktemp("clip") / "a.mp4", drawn, rate=RATE)


def test_a_preview_spends_no_epsilon(clip: Path, tmp_path: Path) -> None:
    """It has no evidence that could count it, so noise shows as solid."""
    with_noise = Searcher(Settings(targets=(Target.FACE,), method=DpPixelate()), [Truth(spotted)])
    noisy = preview(clip, tmp_path / "noisy.mp4", with_noise).output.read_bytes()
    assert noisy == preview(clip, tmp_path / "solid.mp4", searcher()).output.read_bytes()


def test_the_busiest_seconds_are_shown_and_covered(clip: Path, tmp_path: Path) -> None:
    made = preview(clip, tmp_path / "p.mp4", searcher())
    assert len(made.starts) == 3
    assert sum(any(abs(start - second) < 1 for second in WITH_CANARIES) for start in made.starts) >= 2
    shown = pictures(made.output)
    assert len(shown) == 3 * RATE
    assert all(correlation(picture, seed) < HIDDEN for picture in shown for seed in BUSY.hidden)
    assert times(made.output)[-1] < 3
    assert sorted(times(made.output)) == times(made.output)
    assert max(correlation(picture, 1) for picture in pictures(clip)) > SHOWN
    assert made.seconds > 0
    assert made.size == pytest.approx(made.output.stat().st_size * SECONDS / 3, rel=0.02)
    assert {path.name for path in tmp_path.iterdir()} == {"p.mp4"}


def test_a_short_clip_is_shown_whole_and_without_sound(tmp_path: Path) -> None:
    source = Clip(frames=12, audio="aac").write(tmp_path / "a.mp4")
    made = preview(source, None, searcher())
    assert made.output == tmp_path / "a.preview.mp4"
    assert len(pictures(made.output)) == 12
    assert packets(made.output) == []


def test_what_has_no_preview(clip: Path, tmp_path: Path) -> None:
    still = save_still(tmp_path / "a.png", BUSY)
    with pytest.raises(UsageError, match="still"):
        preview(still, None, searcher())
    (tmp_path / "d.json").write_text('{"categories": [], "annotations": [], "images": []}')
    with pytest.raises(UsageError, match="--detections"):
        preview(clip, None, Searcher(Settings(detections=tmp_path / "d.json")))
    with pytest.raises(OutputError, match="input itself"):
        preview(clip, clip, searcher(), force=True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "d.json"}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_clip_whose_times_begin_late_is_shown_too(suffix: str, tmp_path: Path) -> None:
    late = [12800 * 100 + 512 * number for number in range(50)]
    source = Clip(frames=50, times=late).write(tmp_path / f"a{suffix}")
    made = preview(source, tmp_path / f"p{suffix}", searcher())
    assert made.starts[0] == 100
    assert all(100 <= start < 102 for start in made.starts)
    assert len(times(made.output)) >= 25
