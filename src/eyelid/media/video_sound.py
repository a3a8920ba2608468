"""Copy the sound of a source into an output, packet by packet, as the picture goes along."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import av
from av.stream import Discard

from eyelid.errors import InputError, OutputError
from eyelid.media.video_source import REPAIR, opened

if TYPE_CHECKING:
    from fractions import Fraction
    from pathlib import Path

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream


class SoundCopy:
    """All audio streams of ``source``, opened a second time so that memory stays constant."""

    def __init__(self, source: Path, output: OutputContainer, suffix: str, *, from_zero: bool) -> None:
        self._source = source
        self._output = output
        self._open = ExitStack()
        container = self._open.enter_context(opened(source))
        sounds = container.streams.audio
        for stream in container.streams:
            if stream.type != "audio":
                stream.discard = Discard.all
        self._targets = {stream.index: self._target(stream, suffix) for stream in sounds}
        self._packets = (packet for packet in container.demux(*sounds) if packet.size)
        self._next = self._read()
        self.left_out = 0
        """Packets before time 0, left out where the output would shift everything to hold them."""
        while from_zero and self._next is not None and _time(self._next) < 0:
            self.left_out += 1
            self._next = self._read()

    @property
    def rates(self) -> tuple[int, ...]:
        """The samples a second of each stream."""
        return tuple(stream.rate for stream in self._targets.values() if stream.rate)

    def copy(self, until: Fraction | None) -> None:
        """Write the packets that begin at or before a time in seconds; all of them where it is None."""
        while self._next is not None and (until is None or _time(self._next) <= until):
            packet = self._next
            packet.stream = self._targets[packet.stream.index]
            self._output.mux_one(packet)
            self._next = self._read()

    def close(self) -> None:
        """Close the source."""
        self._open.close()

    def _read(self) -> Packet[Stream] | None:
        try:
            return next(self._packets, None)
        except av.FFmpegError as error:
            raise InputError(
                f"the sound of {self._source} is damaged; {REPAIR}, or give --audio drop"
            ) from error

    def _target(self, stream: AudioStream, suffix: str) -> AudioStream:
        try:
            target = self._output.add_stream_from_template(stream)
        except ValueError as error:
            self.close()
            name = stream.codec_context.name if stream.codec_context else "of unknown codec"
            raise OutputError(
                f"the sound ({name}) does not fit into {suffix}; give --audio drop or an output in .mkv"
            ) from error
        if stream.language:
            target.metadata["language"] = stream.language
        target.disposition = stream.disposition
        return target


def _time(packet: Packet[Stream]) -> Fraction:
    moment = packet.dts if packet.dts is not None else packet.pts
    return (moment or 0) * packet.time_base
