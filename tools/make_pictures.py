"""Makes the pictures of the documentation: a drawn street before and after, and one face by each method.

python tools/make_pictures.py [FOLDER]

The street is drawn, the head is that of docs/images/astronaut.jpg (public domain, see NOTICE). What is
covered is what ``eyelid.anonymize`` covers at its defaults.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

import eyelid

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
PORTRAIT: Final = IMAGES / "astronaut.jpg"
WIDTH: Final = 640
HEIGHT: Final = 420
FINE: Final = 4
"""The scene is drawn at so many times its size, so that edges come out smooth."""
HORIZON: Final = 262
GAP: Final = 12
METHODS: Final = ("solid", "pixelate", "blur")

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]

NIGHT: Final[Colour] = (64, 52, 44)
GLASS: Final[Colour] = (142, 122, 96)
HOUSES: Final[tuple[tuple[int, int, int, Colour], ...]] = (
    (0, 118, 120, (150, 168, 196)),
    (118, 150, 76, (128, 158, 120)),
    (268, 112, 104, (132, 138, 190)),
    (380, 146, 58, (176, 170, 150)),
    (526, 114, 96, (120, 160, 205)),
)
"""Left edge, width, top and colour of each house, in pixels and blue-green-red."""


def main() -> None:
    """Write both pictures to the folder that the command line names, docs/images by default."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=IMAGES)
    folder = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as made:
        street = Path(made) / "street.png"
        write(street, draw_street())
        covered = eyelid.anonymize(street).output
        write(folder / "before-after.png", side_by_side([read(street), read(covered)]))
        portrait = Path(made) / "portrait.png"
        write(portrait, read(PORTRAIT))
        faces = (read(eyelid.anonymize(portrait, method=m, force=True).output) for m in METHODS)
        write(folder / "methods.png", side_by_side([read(portrait), *faces]))


def read(path: Path) -> Picture:
    """Read a picture as blue-green-red."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise SystemExit(f"{path} cannot be read; check out the whole repository")
    return picture.astype(np.uint8)


def write(path: Path, picture: Picture) -> None:
    """Write a PNG as small as it gets."""
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def side_by_side(pictures: list[Picture]) -> Picture:
    """Join pictures of one height with white gaps."""
    gap = np.full((pictures[0].shape[0], GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (gap, picture)][1:]
    return np.hstack(parts)


def draw_street() -> Picture:
    """Draw houses, trees, a road, a parked car with its plate, and two people."""
    scene = np.zeros((HEIGHT * FINE, WIDTH * FINE, 3), np.uint8)
    ramp = np.linspace(0, 1, HORIZON * FINE)[:, None]
    scene[: HORIZON * FINE] = ((1 - ramp) * (228, 190, 150) + ramp * (245, 236, 226))[:, None]
    for left, width, top, wall in HOUSES:
        draw_house(scene, left, width, top, wall)
    box(scene, 0, HORIZON, WIDTH, HORIZON + 58, (176, 182, 186))
    box(scene, 0, HORIZON + 58, WIDTH, HORIZON + 64, (140, 146, 150))
    box(scene, 0, HORIZON + 64, WIDTH, HEIGHT, (92, 88, 86))
    for x in range(-20, WIDTH, 104):
        box(scene, x, 398, x + 56, 404, (226, 230, 232))
    for x in (30, 606):
        draw_tree(scene, x)
    draw_person(scene, 300, 300, 0.44, (122, 92, 60), (70, 58, 52), mirrored=True)
    draw_person(scene, 148, 372, 0.94, (58, 96, 196), (96, 70, 48), mirrored=False)
    draw_car(scene, 348, 232)
    small = cv2.resize(scene, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return small.astype(np.uint8)


def draw_house(scene: Picture, left: int, width: int, top: int, wall: Colour) -> None:
    """Draw a front with rows of windows and a cornice."""
    box(scene, left, top, left + width - 2, HORIZON, wall)
    box(scene, left - 2, top - 5, left + width, top + 3, shade(wall, 0.82))
    columns = width // 38
    pitch = width / columns
    for row in range(top + 18, HORIZON - 40, 50):
        for column in range(columns):
            x = round(left + pitch * (column + 0.5)) - 10
            box(scene, x - 2, row - 2, x + 22, row + 32, shade(wall, 1.18))
            box(scene, x, row, x + 20, row + 30, GLASS)
            box(scene, x, row, x + 20, row + 11, shade(GLASS, 1.25))
            box(scene, x + 9, row, x + 11, row + 30, shade(wall, 1.18))


def draw_tree(scene: Picture, x: int) -> None:
    """Draw a trunk and a round crown."""
    box(scene, x - 4, 190, x + 4, HORIZON + 20, (62, 84, 104))
    for dx, dy, radius in ((0, 0, 38), (-22, 14, 26), (22, 14, 26), (0, 26, 30)):
        disc(scene, x + dx, 158 + dy, radius, radius, (92, 138, 96))
    for dx, dy, radius in ((-8, -8, 22), (14, 4, 14)):
        disc(scene, x + dx, 158 + dy, radius, radius, (110, 158, 116))


def draw_person(
    scene: Picture, x: int, ground: int, size: float, coat: Colour, trousers: Colour, *, mirrored: bool
) -> None:
    """Draw a standing person around x whose shoes are at the height ``ground``; ``size`` 1 is 270 pixels."""

    def at(dx: float, dy: float) -> tuple[int, int]:
        return round((x + dx * size) * FINE), round((ground + dy * size) * FINE)

    disc(scene, x, ground, 44 * size, 7 * size, shade((150, 154, 158), 0.72))
    for side in (-1, 1):
        limb(scene, at(side * 12, -104), at(side * 17, -8), 24 * size, trousers)
        limb(scene, at(side * 17, -3), at(side * 23, -3), 11 * size, NIGHT)
        limb(scene, at(side * 36, -172), at(side * 46, -96), 20 * size, shade(coat, 0.86))
        limb(scene, at(side * 46, -94), at(side * 46, -90), 17 * size, (150, 178, 222))
    body = [(-38, -178), (-20, -192), (20, -192), (38, -178), (34, -92), (-34, -92)]
    cv2.fillPoly(scene, [np.array([at(*corner) for corner in body])], coat, cv2.LINE_AA)
    limb(scene, at(0, -190), at(0, -202), 26 * size, (150, 178, 222))
    cv2.fillPoly(scene, [np.array([at(-15, -193), at(15, -193), at(0, -160)])], (236, 238, 240), cv2.LINE_AA)
    draw_head(scene, at(0, -238), size, mirrored=mirrored)


def draw_head(scene: Picture, centre: tuple[int, int], size: float, *, mirrored: bool) -> None:
    """Blend the head of the portrait into the scene; ``size`` 1 is 90 pixels high."""
    portrait = read(PORTRAIT)
    opacity = np.zeros(portrait.shape[:2], np.uint8)
    cv2.ellipse(opacity, (131, 98), (64, 84), 0, 0, 360, 255, -1)
    opacity = cv2.GaussianBlur(opacity, (0, 0), 3).astype(np.uint8)
    head = np.dstack([portrait, opacity])[8:192, 60:204]
    if mirrored:
        head = head[:, ::-1]
    height = round(94 * size * FINE)
    width = round(height * head.shape[1] / head.shape[0])
    head = cv2.resize(head, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    left, top = centre[0] - width // 2, centre[1] - height // 2
    part = scene[top : top + height, left : left + width]
    share = head[..., 3:] / 255
    part[:] = (head[..., :3] * share + part * (1 - share)).astype(np.uint8)


def draw_car(scene: Picture, x: int, y: int) -> None:
    """Draw a car from behind, with a plate that belongs to nobody."""
    paint: Colour = (136, 88, 48)
    disc(scene, x + 110, y + 150, 118, 10, (62, 60, 58))
    for left in (18, 166):
        box(scene, x + left, y + 118, x + left + 36, y + 152, (40, 38, 38))
    roof = [(40, 62), (58, 12), (74, 2), (146, 2), (162, 12), (180, 62)]
    polygon(scene, [(x + a, y + b) for a, b in roof], paint)
    window = [(54, 58), (68, 18), (78, 12), (142, 12), (152, 18), (166, 58)]
    polygon(scene, [(x + a, y + b) for a, b in window], (92, 78, 66))
    polygon(scene, [(x + a, y + b) for a, b in ((96, 12), (118, 12), (96, 58), (70, 58))], (118, 102, 88))
    body = [(6, 74), (22, 58), (198, 58), (214, 74), (216, 122), (4, 122)]
    polygon(scene, [(x + a, y + b) for a, b in body], paint)
    polygon(scene, [(x + a, y + b) for a, b in ((6, 74), (22, 58), (198, 58), (214, 74))], shade(paint, 1.2))
    for left in (10, 174):
        box(scene, x + left, y + 78, x + left + 36, y + 94, (44, 40, 190))
        box(scene, x + left + 12, y + 78, x + left + 24, y + 94, (120, 150, 236))
    box(scene, x, y + 118, x + 220, y + 132, shade(paint, 0.6))
    draw_plate(scene, x + 57, y + 84, 106, 26)


def draw_plate(scene: Picture, x: int, y: int, width: int, height: int) -> None:
    """Draw a licence plate in dark letters on white."""
    box(scene, x - 2, y - 2, x + width + 2, y + height + 2, NIGHT)
    box(scene, x, y, x + width, y + height, (246, 246, 246))
    box(scene, x, y, x + 11, y + height, (168, 74, 20))
    place = ((x + 17) * FINE, (y + height - 6) * FINE)
    cv2.putText(scene, "EYE1D42", place, cv2.FONT_HERSHEY_SIMPLEX, 0.655 * FINE, NIGHT, 2 * FINE, cv2.LINE_AA)


def box(scene: Picture, x0: int, y0: int, x1: int, y1: int, colour: Colour) -> None:
    """Fill a rectangle, given in pixels of the finished scene."""
    scene[max(y0, 0) * FINE : y1 * FINE, max(x0, 0) * FINE : x1 * FINE] = colour


def disc(scene: Picture, x: float, y: float, across: float, down: float, colour: Colour) -> None:
    """Fill an ellipse, given by its centre and half axes in pixels of the finished scene."""
    centre = round(x * FINE), round(y * FINE)
    cv2.ellipse(scene, centre, (round(across * FINE), round(down * FINE)), 0, 0, 360, colour, -1, cv2.LINE_AA)


def polygon(scene: Picture, corners: list[tuple[int, int]], colour: Colour) -> None:
    """Fill a polygon, given in pixels of the finished scene."""
    cv2.fillPoly(scene, [np.array(corners) * FINE], colour, cv2.LINE_AA)


def limb(
    scene: Picture, start: tuple[int, int], end: tuple[int, int], thickness: float, colour: Colour
) -> None:
    """Draw a line with round ends, given in pixels of the fine scene and a thickness of the finished one."""
    cv2.line(scene, start, end, colour, max(1, round(thickness * FINE)), cv2.LINE_AA)


def shade(colour: Colour, factor: float) -> Colour:
    """Return a lighter or darker colour."""
    blue, green, red = (min(255, round(channel * factor)) for channel in colour)
    return blue, green, red


if __name__ == "__main__":
    main()
