"""Writes the clip of the demo: a drawn street, a person who walks by, a car with a licence plate, a tone."""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH: Final = 640
HEIGHT: Final = 360
RATE: Final = 24
AUDIO_RATE: Final = 48_000
PORTRAIT: Final = Path(__file__).parents[1] / "docs" / "images" / "astronaut.jpg"

Picture = NDArray[np.uint8]


def main() -> None:
    """Write the clip to the file that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seconds", type=float, default=4.0)
    arguments = parser.parse_args()
    write_clip(arguments.output, arguments.seconds)


def write_clip(path: Path, seconds: float) -> None:
    """Encode the scene as H.264 with AAC sound."""
    count = round(seconds * RATE)
    street, car, head = draw_street(), draw_car(), cut_out_head()
    with av.open(path, "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "18"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        for index in range(count):
            done = index / max(count - 1, 1)
            frame = av.VideoFrame.from_ndarray(draw_scene(street, car, head, done, index), format="bgr24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start in range(0, round(seconds * AUDIO_RATE), 1024):
            container.mux(audio.encode(tone(start, 1024)))
        container.mux(audio.encode())


def tone(start: int, length: int) -> av.AudioFrame:
    """Return samples of a quiet 440 Hz tone."""
    time = np.arange(start, start + length) / AUDIO_RATE
    frame = av.AudioFrame.from_ndarray(
        (0.1 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)[None], format="fltp", layout="mono"
    )
    frame.sample_rate = AUDIO_RATE
    frame.pts = start
    frame.time_base = Fraction(1, AUDIO_RATE)
    return frame


def draw_scene(street: Picture, car: Picture, head: Picture, done: float, index: int) -> Picture:
    """Draw one frame; ``done`` runs from 0 to 1 over the clip."""
    scene = street.copy()
    draw_person(scene, head, round(60 + 430 * done), 92 + round(3 * np.sin(index * 0.9)), index)
    paste(scene, car, round(420 - 400 * done), 205)
    return cv2.GaussianBlur(scene, (0, 0), 0.6).astype(np.uint8)


def draw_street() -> Picture:
    """Draw sky, houses, pavement and road."""
    street = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    ramp = np.linspace(0, 1, 235)[:, None]
    street[:235] = ((1 - ramp) * (220, 180, 140) + ramp * (240, 225, 210))[:, None].astype(np.uint8)
    random = np.random.default_rng(7)
    for left, width in ((0, 130), (130, 170), (300, 150), (450, 190)):
        top = int(random.integers(20, 80))
        wall = tuple(int(v) for v in random.integers(90, 180, 3))
        cv2.rectangle(street, (left, top), (left + width - 4, 235), wall, -1)
        for x in range(left + 16, left + width - 44, 58):
            for y in range(top + 18, 170, 62):
                cv2.rectangle(street, (x, y), (x + 28, y + 40), (70, 60, 50), -1)
                cv2.rectangle(street, (x, y), (x + 28, y + 40), (200, 200, 200), 1)
    cv2.rectangle(street, (0, 235), (WIDTH, 285), (150, 155, 158), -1)
    cv2.rectangle(street, (0, 285), (WIDTH, HEIGHT), (75, 72, 70), -1)
    for x in range(10, WIDTH, 90):
        cv2.rectangle(street, (x, 345), (x + 45, 350), (225, 225, 225), -1)
    grain = random.normal(0, 4, street.shape)
    return np.clip(street + grain, 0, 255).astype(np.uint8)


def draw_car() -> Picture:
    """Draw a car from behind, with its licence plate; the last channel is opacity."""
    car = np.zeros((130, 200, 4), np.uint8)
    cv2.ellipse(car, (100, 50), (72, 46), 0, 180, 360, (60, 50, 140, 255), -1)
    cv2.ellipse(car, (100, 50), (60, 36), 0, 180, 360, (90, 80, 60, 255), -1)
    cv2.rectangle(car, (8, 45), (192, 105), (60, 50, 150, 255), -1)
    cv2.rectangle(car, (4, 98), (196, 112), (40, 40, 45, 255), -1)
    for x in (18, 158):
        cv2.rectangle(car, (x, 54), (x + 24, 70), (40, 40, 230, 255), -1)
    for x in (22, 148):
        cv2.rectangle(car, (x, 108), (x + 30, 128), (25, 25, 25, 255), -1)
    car[64:96, 40:160] = draw_plate(120, 32)
    return car


def draw_plate(width: int, height: int) -> Picture:
    """Draw a licence plate, at four times its size so that its letters come out smooth."""
    plate = np.full((height * 4, width * 4, 4), (245, 245, 245, 255), np.uint8)
    cv2.rectangle(plate, (0, 0), (width * 4 - 1, height * 4 - 1), (20, 20, 20, 255), 8)
    cv2.rectangle(plate, (4, 4), (width // 2, height * 4 - 5), (160, 60, 20, 255), -1)
    cv2.putText(plate, "EYE1D42", (72, 92), cv2.FONT_HERSHEY_SIMPLEX, 2.9, (20, 20, 20, 255), 12, cv2.LINE_AA)
    return cv2.resize(plate, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)


def cut_out_head() -> Picture:
    """Return the head of the portrait, feathered at its edge; the last channel is opacity."""
    portrait = cv2.imread(str(PORTRAIT))
    if portrait is None:
        raise SystemExit(f"{PORTRAIT} is missing; check out the whole repository")
    opacity = np.zeros(portrait.shape[:2], np.uint8)
    cv2.ellipse(opacity, (131, 98), (66, 86), 0, 0, 360, 255, -1)
    opacity = cv2.GaussianBlur(opacity, (0, 0), 4)
    head = np.dstack([portrait, opacity])[4:200, 52:212]
    return cv2.resize(head, (82, 100), interpolation=cv2.INTER_AREA).astype(np.uint8)


def draw_person(scene: Picture, head: Picture, x: int, y: int, index: int) -> None:
    """Draw a walking figure whose head has its upper left corner at x, y."""
    stride = round(16 * np.sin(index * 0.45))
    middle = x + 41
    for foot in (stride, -stride):
        cv2.line(scene, (middle, y + 180), (middle + foot, 340), (90, 60, 40), 20, cv2.LINE_AA)
    cv2.ellipse(scene, (middle, y + 145), (40, 62), 0, 0, 360, (40, 100, 220), -1, cv2.LINE_AA)
    paste(scene, head, x, y)


def paste(scene: Picture, picture: Picture, x: int, y: int) -> None:
    """Blend a picture with opacity into the scene, clipped at its borders."""
    height, width = picture.shape[:2]
    x0, x1 = max(x, 0), min(x + width, scene.shape[1])
    y0, y1 = max(y, 0), min(y + height, scene.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    part = picture[y0 - y : y1 - y, x0 - x : x1 - x].astype(np.float32)
    opacity = part[..., 3:] / 255
    scene[y0:y1, x0:x1] = (part[..., :3] * opacity + scene[y0:y1, x0:x1] * (1 - opacity)).astype(np.uint8)


if __name__ == "__main__":
    main()
