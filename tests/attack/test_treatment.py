from __future__ import annotations

import cv2
import numpy as np
import pytest

from eyelid.attack.p3_public import public_picture
from eyelid.attack.treatment import Origin, parse, parse_list
from eyelid.errors import UsageError
from eyelid.obfuscate.registry import DpPixelate, Svd
from tests.attack.faces import invented

FACES = invented(people=3, each=3)
PICTURE = FACES.pictures[0]


def test_the_published_mosaic_is_the_mean_of_each_square_also_at_the_edges() -> None:
    shown = parse("pixelate:16").release(PICTURE)
    assert shown.shape == PICTURE.shape
    for y in range(0, 112, 16):
        for x in range(0, 92, 16):
            cell = PICTURE[y : y + 16, x : x + 16]
            assert (shown[y : y + 16, x : x + 16] == np.rint(cell.mean())).all()
    assert np.array_equal(parse("pixelate:1").release(PICTURE), PICTURE)
    assert len(np.unique(parse("pixelate:1000").release(PICTURE))) == 1


def test_the_other_published_methods_are_what_their_papers_say() -> None:
    assert np.array_equal(parse("clear").release(PICTURE), PICTURE)
    assert not parse("solid").release(PICTURE).any()
    assert np.array_equal(parse("blur:15").release(PICTURE), cv2.GaussianBlur(PICTURE, (15, 15), 0))
    assert np.array_equal(parse("blur:k=14").release(PICTURE), parse("blur:15").release(PICTURE))
    assert np.array_equal(parse("p3:10").release(PICTURE), public_picture(PICTURE, 10))


def test_the_example_of_the_documentation_is_read_as_the_papers_define_it() -> None:
    treatments = parse_list("pixelate:8,pixelate:16,blur,p3:10,dp-pixelate:eps=.1")
    assert [t.name for t in treatments] == [
        "pixelate:8",
        "pixelate:16",
        "blur",
        "p3:10",
        "dp-pixelate:eps=.1",
    ]
    assert {t.origin for t in treatments} == {Origin.PUBLISHED}


def test_parameters_with_names_stay_with_their_method() -> None:
    names = [
        t.name
        for t in parse_list(" clear, svd:k=4,eps=.001 ,dp-pixelate:eps=1,m=16,eyelid:blur:4,levels=16,clear")
    ]
    assert names == ["clear", "svd:k=4,eps=.001", "dp-pixelate:eps=1,m=16", "eyelid:blur:4,levels=16"]
    assert [t.name for t in parse_list("blur,k=15,eyelid:pixelate,levels=4")] == [
        "blur:k=15",
        "eyelid:pixelate:levels=4",
    ]


def test_formal_methods_have_the_parameters_of_the_papers_by_default() -> None:
    assert (DpPixelate().pixels, DpPixelate().cell) == (16, 16)
    assert Svd().rank == 4


def test_what_eyelid_ships_is_never_taken_for_the_published_method() -> None:
    published, shipped = parse("pixelate:8"), parse("eyelid:pixelate:8")
    assert (published.origin, shipped.origin) == (Origin.PUBLISHED, Origin.SHIPPED)
    assert published.name != shipped.name
    a, b = FACES.pictures[0], FACES.pictures[4]
    assert not np.array_equal(published.release(a), published.release(b))
    assert np.array_equal(shipped.release(a), shipped.release(b)), "the default does not read the picture"


@pytest.mark.parametrize(
    "text", ["eyelid:solid", "eyelid:pixelate:8,levels=256", "eyelid:dp-pixelate", "svd"]
)
def test_the_real_obfuscator_covers_the_whole_picture_and_leaves_the_original_alone(text: str) -> None:
    before = PICTURE.copy()
    shown = parse(text).release(PICTURE)
    assert np.array_equal(PICTURE, before)
    assert shown.shape == PICTURE.shape
    for corner in (shown[:8, :8], shown[:8, -8:], shown[-8:, :8], shown[-8:, -8:]):
        assert not np.array_equal(corner, PICTURE[:8, :8])
    assert (shown == PICTURE).mean() < 0.2


def test_releases_of_a_method_with_noise_are_independent_and_centred_on_the_one_without() -> None:
    treatment = parse("dp-pixelate:eps=5")
    drawn = treatment.treat(FACES.pictures[:1], 100)[0].astype(float)
    assert len(np.unique(drawn, axis=0)) == 100
    ideal = treatment.ideal(FACES.pictures[:1])[0].astype(float)
    assert np.abs(drawn.mean(axis=0) - ideal).max() < 4
    assert np.array_equal(treatment.ideal(FACES.pictures[:1]), treatment.ideal(FACES.pictures[:1]))


def test_a_method_without_noise_is_released_once() -> None:
    assert parse("pixelate:16").treat(FACES.pictures, 20).shape == (9, 1, 112, 92)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no method is named"),
        ("nothing", "no published method 'nothing'.*pixelate"),
        ("eyelid:nothing", "no method 'nothing'"),
        ("pixelate:0", "cannot use cell.*greater than or equal to 1"),
        ("pixelate:x", "cannot use cell"),
        ("pixelate:cells=8", "cannot use cells"),
        ("pixelate:8,p3:0", "cannot use"),
        ("p3:101", "cannot use"),
        ("clear:3", "cannot take '3'"),
        ("dp-pixelate:eps=0", "cannot use epsilon"),
        ("dp-pixelate:eps=nan", "cannot use epsilon"),
        ("dp-pixelate:q=1", "cannot take 'q=1'"),
        ("eyelid:lock:my.key", "second file"),
    ],
)
def test_what_cannot_be_attacked_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as error:
        parse_list(text)
    assert "\n" not in str(error.value)
