"""A cloak keeps to its bound and its place, moves what an embedder computes, and claims nothing."""

from __future__ import annotations

import io
import math
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from eyelid.detect.identity import THRESHOLD, FaceEmbedder
from eyelid.errors import UnsupportedError
from eyelid.media.still import StillReader
from eyelid.obfuscate.cloak import Cloak, CloakObfuscator
from eyelid.obfuscate.cloak_search import Embedder, Window, _look, jpeg, search
from eyelid.obfuscate.regions import Coverage, regions
from eyelid.types import Detections, GuaranteeKind, Plane, RawFrame, Target
from tests.obfuscate.frames import copies, detections

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eyelid.types import Bgr, Samples

PORTRAIT = Path(__file__).parents[2] / "docs" / "images" / "astronaut.jpg"
FACE = (12.0, 10.0, 44.0, 50.0)
LAYOUTS = ("L8", "L16", "RGB8", "RGBA8", "YCbCr")


class Toy:
    """A small embedder: the picture on eight by eight cells, through fixed random weights."""

    def __init__(self, seed: int = 0) -> None:
        weights = np.random.default_rng(seed).normal(size=(3 * 64, 16)).astype(np.float32)
        self._weights = torch.from_numpy(weights)

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        cells = torch.nn.functional.adaptive_avg_pool2d(pictures / 255 - 0.5, 8)
        return torch.tanh(cells.flatten(1) @ self._weights)


def obfuscator(levels: int = 8, steps: int = 4, coverage: Coverage | None = None) -> CloakObfuscator:
    made = CloakObfuscator(Cloak(levels=levels, steps=steps), coverage)
    vars(made)["_embedders"] = (Embedder(Toy(), 32),)  # in place of the cached property
    return made


def frame(layout: str, time: Fraction | None = None) -> RawFrame:
    picture = np.random.default_rng(1).integers(0, 256, (64, 60, 3)).astype(np.uint8)
    picture[:, :20] = 250  # nearly white and nearly black: the change must not wrap around
    picture[:, 40:] = 3
    grey = picture[..., 1]

    def plane(name: str, samples: Samples, black: int = 0) -> Plane:
        half = 2 if name in ("Cb", "Cr") else 1
        peak = 65535 if samples.dtype == np.uint16 else 255
        return Plane(name, samples, black, peak, half, half)  # type: ignore[arg-type]

    wide = np.asarray(grey.astype(np.uint16) * 257, np.uint16)
    colours = [plane(name, picture[..., i].copy()) for i, name in enumerate("BGR")]
    planes = {
        "L8": [plane("L", grey.copy())],
        "L16": [plane("L", wide)],
        "RGB8": colours[::-1],
        "RGBA8": [*colours[::-1], plane("A", np.full_like(grey, 77), 255)],
        "YCbCr": [plane("L", grey.copy()), *(plane(n, grey[::2, ::2].copy(), 128) for n in ("Cb", "Cr"))],
        "CMYK": [plane(name, grey.copy()) for name in "CMYK"],
    }[layout]
    return RawFrame(60, 64, tuple(planes), lambda _w, _h: np.asarray(picture.copy(), np.uint8), time=time)


def _shown(picture: Bgr, _width: int, _height: int) -> Bgr:
    return picture


def covered(found: Detections) -> NDArray[np.bool_]:
    mask = np.zeros((64, 60), np.bool_)
    for region in regions(found, Coverage(), 60, 64):
        mask[region.y0 : region.y1, region.x0 : region.x1] |= True if region.mask is None else region.mask
    return mask


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("levels", [1, 8])
def test_the_change_keeps_to_its_bound_its_place_and_the_brightness(layout: str, levels: int) -> None:
    raw, found = frame(layout), detections(FACE, (30, 20, 58, 60))
    before = copies(raw)
    safe = obfuscator(levels).apply(raw, found)
    mask = covered(found)
    for old, plane in zip(before, safe.planes, strict=True):
        if plane.name in ("A", "Cb", "Cr"):
            assert np.array_equal(old, plane.samples)
            continue
        change = plane.samples.astype(np.int64) - old
        assert np.abs(change).max() <= levels * (plane.peak + 1) // 256
        assert np.array_equal(change[~mask], np.zeros_like(change[~mask]))
        assert (change[mask] != 0).mean() > 0.5
    if layout == "RGB8":
        middle = [
            p.samples[:, 20:40].astype(int) - o[:, 20:40] for o, p in zip(before, safe.planes, strict=True)
        ]
        clipped = [((o[:, 20:40] < levels) | (o[:, 20:40] > 255 - levels)) for o in before]
        free = ~(clipped[0] | clipped[1] | clipped[2])
        assert np.array_equal(middle[0][free], middle[1][free])
        assert np.array_equal(middle[0][free], middle[2][free])


def test_it_moves_the_embedding_further_than_noise_of_the_same_strength() -> None:
    picture = np.asarray(frame("RGB8").bgr(), np.uint8)
    toy, mask = Toy(), np.ones((64, 60), np.bool_)
    random = np.random.default_rng(0)

    def alike(change: NDArray[np.float32]) -> float:
        shown = np.stack([picture, (picture + change[..., None]).clip(0, 255)]).astype(np.float32)
        own, other = toy(torch.from_numpy(shown.transpose(0, 3, 1, 2)[:, :, 10:50, 12:44]))
        return float(torch.nn.functional.cosine_similarity(own, other, dim=0))

    found = search(picture, mask, FACE, (Embedder(toy, 32),), levels=8, steps=20, random=random)
    noise = random.choice([-8.0, 8.0], mask.shape).astype(np.float32)
    assert np.abs(found).max() <= 8
    assert 1 - alike(found) > 3 * (1 - alike(noise))


def test_each_of_several_embedders_is_moved_whatever_its_scale() -> None:
    """An embedding whose cosines hardly differ has as much of a say as any other."""

    class Timid(Toy):
        def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
            return super().__call__(pictures) + 50

    picture = np.asarray(frame("RGB8").bgr(), np.uint8)
    loud, timid, mask = Toy(1), Timid(2), np.ones((64, 60), np.bool_)

    def moved(embed: Toy, against: tuple[Embedder, ...]) -> float:
        random = np.random.default_rng(0)
        change = search(picture, mask, FACE, against, levels=8, steps=20, random=random)
        shown = np.stack([picture, (picture + change[..., None]).clip(0, 255)]).astype(np.float32)
        own, other = embed(torch.from_numpy(shown.transpose(0, 3, 1, 2)[:, :, 10:50, 12:44]))
        return float((own - other).norm())

    both = Embedder(loud, 32), Embedder(timid, 32)
    for embed, other in ((loud, both[1:]), (timid, both[:1])):
        assert moved(embed, both) > 1.5 * moved(embed, other)


def test_who_aligns_faces_looks_at_an_upright_square() -> None:
    square = Embedder(Toy(), 32, square=True).window((10, 20, 50, 120))
    assert square.x == 30
    assert square.y == pytest.approx(77)
    assert square.across == square.down == pytest.approx(48.5)
    plain = Embedder(Toy(), 32).window((10, 20, 50, 120))
    assert plain == Window(30, 70, 20, 50)


def test_a_window_shows_what_lies_in_it() -> None:
    picture = torch.arange(12 * 10, dtype=torch.float32).view(1, 1, 12, 10).repeat(1, 3, 1, 1)
    window = Window(5, 6, 3, 3)
    seen = _look(picture, window, 6, flip=False)
    torch.testing.assert_close(seen, picture[..., 3:9, 2:8], atol=1e-3, rtol=0)
    torch.testing.assert_close(_look(picture, window, 6, flip=True), seen.flip(3), atol=1e-3, rtol=0)
    quarter = _look(picture, Window(5, 6, 3, 3, math.pi / 2), 6, flip=False)
    torch.testing.assert_close(quarter, seen.rot90(1, (2, 3)), atol=1e-3, rtol=0)
    beyond = _look(picture, Window(0, 0, 4, 4), 8, flip=False)
    assert float(beyond[0, 0, 0, 0]) == pytest.approx(0)


def test_the_recogniser_is_fooled_through_jpeg() -> None:
    """The whole of it, on the portrait of the documentation: kept before, a stranger after."""
    with StillReader(PORTRAIT) as reader:
        raw = next(iter(reader))
    clear = raw.bgr()
    box = np.array([[194, 64, 264, 154]], np.float32)
    found = Detections(box, np.ones(1, np.float32), (Target.FACE,))
    embedder = FaceEmbedder(threads=1)
    own = embedder.embed(raw, box)[0]
    CloakObfuscator(Cloak(steps=8)).apply(raw, found)
    cloaked = raw.bgr()
    encoded = cv2.imencode(".jpg", cloaked, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
    uploaded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    for shown, fooled in ((clear, False), (cloaked, True), (uploaded, True)):
        seen = RawFrame(raw.width, raw.height, (), partial(_shown, shown))
        assert (float(embedder.embed(seen, box)[0] @ own) < THRESHOLD) == fooled


def test_two_runs_differ() -> None:
    first, second = (obfuscator().apply(frame("L8"), detections(FACE)) for _ in range(2))
    assert not np.array_equal(first.planes[0].samples, second.planes[0].samples)


def test_everything_but_faces_is_black() -> None:
    found = Detections.concatenate(
        [detections((20, 5, 55, 30)), detections((10, 40, 30, 50), target=Target.PLATE)]
    )
    safe = obfuscator().apply(frame("YCbCr"), found)
    assert (safe.planes[0].samples[40:50, 10:30] == 0).all()
    assert (safe.planes[1].samples[20:25, 5:15] == 128).all()
    assert (safe.planes[0].samples[10:25, 25:38] != 0).any()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_face_in_doubt_covers_the_frame(bad: float) -> None:
    safe = obfuscator().apply(frame("RGB8"), detections((bad, 1, 2, 3)))
    assert all((plane.samples == plane.black).all() for plane in safe.planes)


def test_what_cannot_be_cloaked_is_refused_in_one_sentence_and_stays_as_it_was() -> None:
    for raw, found, error, words in (
        (frame("L8", Fraction(0)), detections(FACE), UnsupportedError, "photos"),
        (frame("CMYK"), detections(FACE), UnsupportedError, "CMYK"),
    ):
        before = copies(raw)
        with pytest.raises(error, match=words):
            obfuscator().apply(raw, found)
        assert all(np.array_equal(a, b) for a, b in zip(before, copies(raw), strict=True))


def test_a_page_without_a_face_stays_as_it_is_but_for_what_becomes_black() -> None:
    raw = frame("L8")
    before = copies(raw)
    obfuscator().apply(raw, Detections.none())
    assert all(np.array_equal(a, b) for a, b in zip(before, copies(raw), strict=True))
    obfuscator().apply(raw, detections(FACE, target=Target.PLATE))
    changed = before[0] != copies(raw)[0]
    assert changed.any()
    assert (copies(raw)[0][changed] == 0).all()


def test_it_promises_nothing_and_says_so_first() -> None:
    guarantee = Cloak().build(Coverage()).guarantee
    assert guarantee.kind is GuaranteeKind.NONE
    assert "stay visible" in guarantee.not_covered[0]
    assert "faceres and dlibface" in guarantee.statement


def test_the_stand_in_for_jpeg_is_jpeg() -> None:
    grey = cv2.GaussianBlur(np.random.default_rng(2).integers(0, 256, (43, 37)).astype(np.uint8), (0, 0), 1.5)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(grey, np.uint8)).save(buffer, "JPEG", quality=70)
    expected = np.asarray(Image.open(buffer), np.float64)
    given = torch.from_numpy(np.repeat(grey[None, None].astype(np.float32), 3, axis=1)).requires_grad_()
    result = jpeg(given, quality=70)
    error = np.abs(result[0, 0].detach().numpy() - expected)
    assert np.quantile(error, 0.9) < 1  # coefficients near the middle of two levels may fall either way
    assert np.abs(grey - expected).mean() > 3 * error.mean()
    (slope,) = torch.autograd.grad(result.sum(), given)
    assert slope.abs().sum() > 0
