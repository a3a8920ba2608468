"""Video in and out: :class:`VideoReader`, :class:`VideoWriter` and what they are told."""

from eyelid.media.encoding import LOSSLESS, AudioMode, VideoEncoding
from eyelid.media.video_info import VideoInfo
from eyelid.media.video_reader import VideoReader
from eyelid.media.video_writer import VideoWriter

__all__ = ["LOSSLESS", "AudioMode", "VideoEncoding", "VideoInfo", "VideoReader", "VideoWriter"]
