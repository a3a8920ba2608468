"""Voice: is there sound, and does it hold what could be a voice?

Not a recogniser of speech or speakers: it measures how much of the time the sound is voiced, that is,
periodic at the pitch of a human voice and rich in harmonics, in syllables that come and go. Song and some
instruments count as well; whispering does not. Any sound that is found may identify people, places and times.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

import av
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from eyelid.attack.base import Attack, AttackResult, Knowledge, Threat
from eyelid.attack.statistics import bootstrap_interval
from eyelid.media.kinds import MediaKind, sniff
from eyelid.media.video_source import opened

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Sound = NDArray[np.float32]
"""Samples in -1..1, float32 (n,), at :data:`RATE` a second."""

RATE: Final = 16_000
_FRAME: Final = 640
_HOP: Final = 320
"""40 ms of sound every 20 ms."""
_SECOND: Final = RATE // _HOP
_PITCH: Final = (75, 400)
"""Hertz; from low men to high women and children."""
_PERIODIC: Final = 0.55
_QUIETEST: Final = 0.003
"""About -50 dB of full scale."""
_RICHEST: Final = 0.02
"""Of the energy must lie above 1 kHz: a hum or a pure tone has none there."""
_VOICED_SHARE: Final = (0.1, 0.97)
_LEAST_CHANGE: Final = 0.3
"""Deviation of the loudness within a second, relative to its mean: syllables come and go, machines do not."""


class Voice(BaseModel):
    """Streams of sound in a file, their seconds, and in how many of these there is something like a voice."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    streams: int
    seconds: int
    voiced_seconds: int


class VoiceAttack(Attack["Path"]):
    """Listen to every sound stream of a file."""

    name = "voice"

    @property
    def threat(self) -> Threat:
        """The attacker: anybody who listens."""
        return Threat(
            goal="recognise people by their voice, or learn from what they say",
            knowledge=Knowledge.NAIVE,
            capability="the file, and ears or a speaker recogniser",
        )

    def run(self, target: Path) -> AttackResult:
        """Measure the share of the seconds of ``target`` in which something like a voice is heard."""
        return self.result(self.measure(target))

    def measure(self, target: Path) -> Voice:
        """Count streams and seconds; raises InputError where the file is damaged or no media."""
        streams = [voiced_seconds(stream) for stream in _streams(target)]
        return Voice(
            streams=len(streams),
            seconds=sum(map(len, streams)),
            voiced_seconds=sum(map(sum, streams)),
        )

    def result(self, found: Voice) -> AttackResult:
        """Return the share of the seconds in which something like a voice was heard."""
        if not found.seconds:
            return self._result(0.0, (0.0, 0.0), 1, "no sound")
        flags = np.arange(found.seconds) < found.voiced_seconds
        note = (
            f"{found.voiced_seconds} of {found.seconds} seconds sound like speech or song; "
            "no voice was recognised"
        )
        return self._result(float(flags.mean()), bootstrap_interval(flags), found.seconds, note)

    def _result(self, share: float, interval: tuple[float, float], n: int, note: str) -> AttackResult:
        return AttackResult(
            attack=self.name,
            threat=self.threat,
            measure="share of seconds like a voice",
            success=share,
            chance=0.0,
            interval=interval,
            n=n,
            note=note,
        )


def voiced_seconds(sound: Sound) -> list[bool]:
    """Tell for each whole or begun second whether it sounds like a voice."""
    if len(sound) < _FRAME:
        return [False] * (len(sound) > 0)
    frames = np.lib.stride_tricks.sliding_window_view(sound, _FRAME)[::_HOP]
    loudness = np.sqrt((frames**2).mean(axis=1))
    voiced = np.concatenate([_voiced(frames[i : i + 4096]) for i in range(0, len(frames), 4096)])
    flags = []
    for start in range(0, len(frames), _SECOND):
        loud, share = loudness[start : start + _SECOND], voiced[start : start + _SECOND].mean()
        changes = loud.std() > _LEAST_CHANGE * max(float(loud.mean()), 1e-9)
        flags.append(bool(_VOICED_SHARE[0] <= share <= _VOICED_SHARE[1] and changes))
    return flags


def _voiced(frames: Sound) -> NDArray[np.bool_]:
    """Tell for frames (n, samples) whether each is loud, periodic at a human pitch, and more than a hum."""
    centred = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred * np.hanning(_FRAME), 2 * _FRAME)) ** 2
    power = np.fft.irfft(np.abs(np.fft.rfft(centred, 2 * _FRAME)) ** 2)[:, :_FRAME]
    lags = np.arange(RATE // _PITCH[1], RATE // _PITCH[0] + 1)
    overlap = (_FRAME - lags) / _FRAME
    best = (power[:, lags] / overlap).max(axis=1)
    total = np.maximum(power[:, 0], 1e-12)
    hertz = np.fft.rfftfreq(2 * _FRAME, 1 / RATE)
    rich = spectrum[:, hertz > 1000].sum(axis=1) / np.maximum(spectrum.sum(axis=1), 1e-12)
    loud = np.sqrt((centred**2).mean(axis=1)) > _QUIETEST
    return np.asarray(loud & (best / total > _PERIODIC) & (rich > _RICHEST))


def _streams(path: Path) -> Iterator[Sound]:
    """Decode each sound stream, mixed to one channel."""
    if sniff(path) is MediaKind.STILL:
        return
    with opened(path) as container:
        count = len(container.streams.audio)
    for number in range(count):
        with opened(path) as container:
            resampler = av.AudioResampler("fltp", "mono", RATE)
            parts = [
                made.to_ndarray()[0]
                for frame in chain(container.decode(audio=number), (None,))
                for made in resampler.resample(frame)
            ]
        yield np.concatenate(parts) if parts else np.zeros(0, np.float32)
