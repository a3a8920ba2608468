"""What is voiced counts; noise, hum, tones and silence do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import numpy as np
import pytest

from eyelid.attack.voice import RATE, Sound, VoiceAttack, voiced_seconds
from tests.media.clips import Clip
from tests.media.jpegs import save

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 4
TIME = np.arange(SECONDS * RATE) / RATE
RNG = np.random.default_rng(0)


def speech(pitch: float) -> Sound:
    """Return syllables: pulses at a gliding pitch through three formants, with gaps and some noise."""
    glide = pitch * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * TIME))
    pulses = (np.diff(np.floor(np.cumsum(glide) / RATE), prepend=0) > 0).astype(float)
    tract = np.zeros(400)
    t = np.arange(400) / RATE
    for formant, width in ((600, 80), (1200, 100), (2500, 150)):
        tract += np.exp(-np.pi * width * t) * np.sin(2 * np.pi * formant * t)
    voiced = np.convolve(pulses, tract)[: len(TIME)]
    syllables = np.clip(np.sin(2 * np.pi * 3.5 * TIME), 0, 1) ** 0.5
    spoken = voiced * syllables + 0.02 * RNG.normal(size=len(TIME))
    return np.asarray(0.2 * spoken / np.abs(spoken).max(), np.float32)


OTHERS = {
    "silence": np.zeros(len(TIME)),
    "noise": 0.1 * RNG.normal(size=len(TIME)),
    "traffic": 0.1 * np.convolve(RNG.normal(size=len(TIME)), np.ones(64) / 8, "same"),
    "tone": 0.3 * np.sin(2 * np.pi * 220 * TIME),
    "hum": 0.3 * np.sign(np.sin(2 * np.pi * 100 * TIME)),
    "clicks": (np.arange(len(TIME)) % (RATE // 3) < 20) * 0.5,
}


def write(path: Path, *sounds: Sound) -> Path:
    """Write an audio-only Matroska, or one with pictures where there is no sound."""
    if not sounds:
        return Clip(frames=5).write(path)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        streams = [container.add_stream("flac", rate=RATE, layout="mono") for _ in sounds]
        for _ in range(3):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), "rgb24")))
        container.mux(video.encode(None))
        for stream, sound in zip(streams, sounds, strict=True):
            assert isinstance(stream, av.AudioStream)
            for start in range(0, len(sound), 4096):
                part = (sound[None, start : start + 4096] * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(part, "s16", "mono")
                frame.sample_rate, frame.pts = RATE, start
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("pitch", [90.0, 120.0, 200.0, 300.0])
def test_voices_of_all_heights_are_heard(pitch: float) -> None:
    assert sum(voiced_seconds(speech(pitch))) >= SECONDS - 1


@pytest.mark.parametrize("name", OTHERS)
def test_other_sounds_are_not_called_voices(name: str) -> None:
    assert not any(voiced_seconds(OTHERS[name].astype(np.float32)))


def test_loudness_does_not_matter_but_silence_does() -> None:
    assert sum(voiced_seconds(speech(150) * np.float32(0.2))) >= SECONDS - 1
    assert not any(voiced_seconds(speech(150) * np.float32(0.001)))


def test_a_file_with_a_voice_in_its_second_stream(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", OTHERS["noise"].astype(np.float32), speech(150))
    found = VoiceAttack().measure(path)
    assert found.streams == 2
    assert found.seconds == 2 * SECONDS
    assert found.voiced_seconds >= SECONDS - 1
    result = VoiceAttack().run(path)
    assert result.beats_chance
    assert "no voice was recognised" in result.note


def test_no_sound_is_said(tmp_path: Path) -> None:
    for path in (write(tmp_path / "a.mp4"), save(tmp_path / "a.jpg")):
        result = VoiceAttack().run(path)
        assert (result.success, result.note) == (0, "no sound")
        assert VoiceAttack().measure(path).streams == 0


def test_too_short_to_tell() -> None:
    assert voiced_seconds(np.zeros(0, np.float32)) == []
    assert voiced_seconds(np.ones(10, np.float32)) == [False]
