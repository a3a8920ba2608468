"""What the encoder of this installation makes of the user's wishes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from av.codec import Codec, CodecContext
from av.codec.codec import UnknownCodecError
from av.codec.context import OptionType

from eyelid.errors import UsageError
from eyelid.media.video_pixels import PixelLayout, layout

if TYPE_CHECKING:
    from av.codec.context import CodecOption

    from eyelid.media.encoding import VideoEncoding


@dataclass(frozen=True, slots=True)
class EncoderPlan:
    """What the encoder is told: its name and options, and the format and size that it takes frames in."""

    encoder: str
    pixel_format: str
    width: int
    height: int
    options: dict[str, str]
    changes: tuple[str, ...]


_DEFAULTS: Final = {
    # x264's fastest rate control rounds differently from run to run; law 7 wants the same bytes each time
    "libx264": {"crf": "20", "preset": "veryfast", "x264-params": "cpu-independent=1"},
    "libx265": {"crf": "22", "preset": "veryfast", "x265-params": "log-level=none"},
    "libvpx-vp9": {"crf": "28", "cpu-used": "7", "deadline": "realtime", "row-mt": "1"},
    "libsvtav1": {"crf": "28", "preset": "9"},
    "ffv1": {"level": "3", "slices": "4", "slicecrc": "1"},
}
_SLICEABLE: Final = 64
_SPEED: Final = {"libvpx-vp9": "cpu-used", "libvpx": "cpu-used"}
_X264: Final = ("libx264", "libx264rgb", "libx265")  # whose own refusal names neither option nor choice
_X264_PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip
_X264_COARSEST: Final = 51
_WHOLE_CHROMA_ONLY: Final = frozenset({"libx264", "libx265", "libsvtav1"})  # refuse half a chroma sample


def plan(encoding: VideoEncoding, container: str, pixel_format: str, width: int, height: int) -> EncoderPlan:
    """Choose what the encoder is told for frames of this planar format and size in pixels.

    Raises UsageError where the encoder does not exist, or does not know what ``encoding`` asks of it.
    """
    name = encoding.encoder or _usual(container, layout(pixel_format))
    try:
        codec = Codec(name, "w")
    except UnknownCodecError as error:
        raise UsageError(
            f"there is no encoder {name!r} here; choose another --encoder, such as libx264 or libvpx-vp9"
        ) from error
    if codec.type != "video":
        raise UsageError(f"{name} does not encode video; choose another --encoder, such as libx264")
    os.environ.setdefault("SVT_LOG", "0")  # libsvtav1 writes its settings to stderr otherwise
    options = _options(name, encoding)
    chosen = _closest(pixel_format, [form.name for form in codec.video_formats or () if form.components])
    if chosen is None:
        raise UsageError(f"{name} takes no planar pixel format; choose another --encoder, such as libx264")
    changes = []
    if layout(chosen) != layout(pixel_format) and chosen != "bgr0":
        changes.append(
            f"pixel format {pixel_format} was converted to {chosen}, the closest that {name} takes"
        )
    steps = (layout(chosen).step_x, layout(chosen).step_y)
    if name in _WHOLE_CHROMA_ONLY and (width % steps[0] or height % steps[1]):
        width, height = width + width % steps[0], height + height % steps[1]
        changes.append(f"edges were repeated to fill {width}x{height}, the next size that {name} takes")
    unsliceable = width % 2 or height % 2 or min(width, height) < _SLICEABLE
    if name == "ffv1" and unsliceable and layout(chosen).colour != "rgb":
        options = {"level": "1"}  # the version before slices, which aborts the process on deep RGB
    return EncoderPlan(name, chosen, width, height, options, tuple(changes))


def _usual(container: str, kind: PixelLayout) -> str:
    if container != "webm":
        return "libx264"
    return "libsvtav1" if kind.depth > 8 else "libvpx-vp9"


def _options(name: str, encoding: VideoEncoding) -> dict[str, str]:
    known = {option.name: option for option in CodecContext.create(name, "w").supported_options.private}
    options = dict(_DEFAULTS.get(name, {}))
    if "a53cc" in known:
        options["a53cc"] = "0"  # closed captions would pass through the frames' side data
    if encoding.crf is not None:
        if "crf" not in known:
            raise UsageError(f"{name} has no constant quality; leave out --crf or choose another --encoder")
        if name in _X264 and encoding.crf > _X264_COARSEST:
            raise UsageError(f"--crf {encoding.crf}: {name} takes 0 to {_X264_COARSEST}; choose one of these")
        options["crf"] = str(encoding.crf)
    if encoding.preset is not None:
        speed = _SPEED.get(name, "preset")
        if speed not in known:
            raise UsageError(f"{name} has no presets; leave out --preset or choose another --encoder")
        _check_preset(name, known[speed], encoding.preset)
        options[speed] = encoding.preset
    return options


def _check_preset(name: str, option: CodecOption, preset: str) -> None:
    """Raise UsageError where the encoder has no such preset; x264 itself would say so on stderr."""
    named = _X264_PRESETS if name in _X264 else tuple(choice.name for choice in option.choices)
    if named and preset not in named:
        raise UsageError(f"--preset {preset}: {name} has {', '.join(named)}; choose one of these")
    lowest, highest = int(option.min), int(option.max)
    if not named and option.type is OptionType.INT and preset not in map(str, range(lowest, highest + 1)):
        raise UsageError(f"--preset {preset}: {name} takes a whole number from {lowest} to {highest}")


def _closest(wanted: str, offered: list[str]) -> str | None:
    """Return the offered planar format that loses least of ``wanted``, and of those the smallest."""
    want = layout(wanted)
    if wanted == "gbrp" and wanted not in offered and "bgr0" in offered:
        return "bgr0"  # packs the very same samples

    def loss(name: str) -> tuple[bool, int, int, int, bool]:
        have = layout(name)
        colour = have.colour != want.colour and (want.colour != "grey" or have.colour == "rgb")
        chroma = max(0, have.step_x - want.step_x) + max(0, have.step_y - want.step_y)
        chroma *= want.colour != "grey"
        finer = have.depth * 4 - have.step_x * have.step_y
        return (colour, max(0, want.depth - have.depth), chroma, finer, name != wanted)

    planar = [name for name in offered if layout(name).planar and layout(name).colour != "rgb"]
    if want.colour == "rgb":
        planar = [name for name in offered if layout(name).planar]
    return wanted if wanted in planar else min(planar, key=loss, default=None)
