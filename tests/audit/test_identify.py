"""Line-ups of people who do not exist: who is covered weakly is named, who is black or held noise is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from eyelid.attack.attacker import Training, pixels
from eyelid.attack.base import AttackResult, Knowledge
from eyelid.attack.embedding import EmbeddingAttacker
from eyelid.attack.nearest import Nearest
from eyelid.attack.statistics import rank_probabilities
from eyelid.attack.treatment import Origin, Treatment, parse
from eyelid.audit import restored
from eyelid.audit.identify import Identified, identify, line_up
from eyelid.audit.model import CurveKind
from eyelid.audit.restored import restore
from eyelid.errors import UsageError
from tests.audit.people import black, tracks_of, weak_blur
from tests.privacy.seeded import seed_noise

if TYPE_CHECKING:
    from collections.abc import Callable

    from eyelid.attack.attacker import Rows
    from eyelid.attack.dataset import Picture, Pictures
    from eyelid.audit.watch import Track

NOBODY = np.zeros((0, 112, 92), np.uint8)


def identified(tracks: list[Track], method: str | None, *, still: bool = False) -> Identified:
    lineup = line_up(tracks, parse(method) if method else None, NOBODY, still=still)
    assert lineup is not None
    return identify(lineup)


def best(found: Identified, measure: str) -> AttackResult:
    return max((r for r in found.results if r.measure == measure), key=lambda result: result.success)


@pytest.mark.parametrize("method", [None, "blur:15"])
def test_a_weak_blur_is_reported_as_re_identifiable(method: str | None) -> None:
    found = identified(tracks_of(weak_blur, each=4), method)
    for measure in ("rank-1", "AUC"):
        assert best(found, measure).success > 0.9
        assert best(found, measure).beats_chance


@pytest.mark.parametrize("still", [False, True])
def test_black_names_nobody(still: bool) -> None:
    found = identified(tracks_of(black, each=4), "eyelid:solid", still=still)
    assert {result.threat.knowledge for result in found.results} == set(Knowledge)
    assert not any(result.beats_chance for result in found.results)
    moments = "this very moment" if still else "other moments"
    assert all(moments in result.threat.capability for result in found.results)
    assert {curve.kind for curve in found.curves} == {CurveKind.RANK, CurveKind.ROC}


def test_noise_that_is_held_through_a_track_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    seed_noise(monkeypatch)  # of many attackers one beats chance in one of some hundred runs, by chance
    rng = np.random.default_rng(5)
    tracks = tracks_of(black, each=4)
    for track in tracks:
        mask = rng.integers(0, 256, (112, 92), dtype=np.uint8)
        track.shown = [mask] * len(track.shown)
    found = identified(tracks, "dp-pixelate:eps=.01")
    assert not any(result.beats_chance for result in found.results)


@pytest.mark.parametrize("seed", [6, 10])
def test_singular_vectors_name_people_whom_the_pixels_do_not(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subspace attack, stronger by far than who learns from the noisy pixels.

    With this noise a rehearsal on one treatment of every second picture takes another attacker for stronger.
    """
    seed_noise(monkeypatch, seed)
    treatment = parse("eyelid:svd:epsilon=.00001")

    def cover(picture: Picture) -> Picture:
        return np.asarray(treatment.treat(picture[None], 1)[0, 0], np.uint8)

    lineup = line_up(tracks_of(cover, each=6), treatment, NOBODY, still=False)
    assert lineup is not None
    strongest = best(identify(lineup), "rank-1")
    assert strongest.attack == "re-identification by subspace"
    assert strongest.threat.knowledge is Knowledge.RETRAINED
    assert strongest.success > 0.8


def test_in_a_still_too_the_strongest_attacker_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each person one picture is known: what is rehearsed there is its treatment at other times."""
    seed_noise(monkeypatch, 6)
    treatment = parse("eyelid:svd:epsilon=.00001")
    tracks = tracks_of(black, each=3)
    for track in tracks:
        del track.clear[1:]
        track.shown = [np.asarray(treatment.treat(track.clear[0][None], 1)[0, 0], np.uint8)]
    lineup = line_up(tracks, treatment, NOBODY, still=True)
    assert lineup is not None
    strongest = best(identify(lineup), "rank-1")
    assert strongest.attack == "re-identification by subspace"
    assert strongest.threat.knowledge is Knowledge.RETRAINED
    assert strongest.success > 0.8


def test_the_law_of_the_noise_names_people_whom_distances_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of people who look alike, whoever knows that the noise is Laplace's names more than distances can.

    A cell under Laplace noise of scale s holds the information 1 / s^2 on a shift (Fisher); its variance is
    2 s^2, so that squared distances use half of it. Not even the exact cells of everybody help an attacker
    who measures distances as far as the likelihood gets.
    """

    def unseeing(_: EmbeddingAttacker, pictures: Pictures) -> Rows:
        return pixels(pictures, 14)  # a network sees no more than chance here, and takes its time

    monkeypatch.setattr(EmbeddingAttacker, "features", unseeing)
    random = np.random.default_rng(0)

    def release(picture: Picture, noise: float = 16.0) -> Picture:
        cells = picture.reshape(28, 4, 23, 4).mean(axis=(1, 3))
        drawn = (cells + random.laplace(0, noise, cells.shape)).round().clip(0, 255)
        return np.asarray(drawn.astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1))

    law = Treatment("Laplace noise on cells", Origin.SHIPPED, release, lambda picture: release(picture, 0.0))
    tracks = tracks_of(black, people=40, each=4)
    for track in tracks:
        track.clear = [(128 + 0.055 * (p - 128.0)).round().astype(np.uint8) for p in track.clear]
        track.shown = [release(picture) for picture in track.clear]
    lineup = line_up(tracks, law, NOBODY, still=False)
    assert lineup is not None
    ideal = Training(lineup.known, pixels(lineup.ideal)[:, None], pixels(lineup.ideal))
    nearest = Nearest().scores(ideal, pixels(lineup.probes))
    by_distance = rank_probabilities(nearest, lineup.people, np.unique(lineup.known))[:, 0].mean()
    assert by_distance > 10 / 40
    assert best(identify(lineup), "rank-1").success > by_distance + 0.1


def test_distractors_are_known_and_never_probed() -> None:
    tracks = tracks_of(weak_blur, people=3, each=4)
    others = np.stack([track.clear[0] for track in tracks_of(black, people=20)])
    lineup = line_up(tracks, parse("blur:15"), others, still=False)
    assert lineup is not None
    assert len(np.unique(lineup.known)) == 23
    assert set(lineup.people.tolist()) == {0, 1, 2}
    assert best(identify(lineup), "rank-1").chance == pytest.approx(1 / 3)


@pytest.mark.parametrize(("cover", "method"), [(weak_blur, "blur:15"), (black, "eyelid:solid")])
def test_one_person_among_others_is_one_trial(cover: Callable[[Picture], Picture], method: str) -> None:
    """Its chance is not 1, which nothing beats; and its AUC is no proof, though it has no spread."""
    others = np.stack([track.clear[0] for track in tracks_of(black, people=46)[1:]])
    lineup = line_up(tracks_of(cover, each=4)[:1], parse(method), others, still=False)
    assert lineup is not None
    found = identify(lineup)
    named, pairs = best(found, "rank-1"), best(found, "AUC")
    assert named.chance == pytest.approx(1 / 46)
    assert named.beats_chance == (cover is weak_blur)
    assert named.interval[1] - named.chance > 0.9
    assert pairs.interval == (0, 1)


@pytest.mark.parametrize(
    ("method", "still", "learned"),
    [
        ("eyelid:solid", True, False),
        (None, True, False),
        ("eyelid:solid", False, True),
        ("dp-pixelate:eps=1", True, True),
    ],
)
def test_it_says_why_nobody_learned(method: str | None, still: bool, learned: bool) -> None:
    tracks = tracks_of(black, people=3, each=4)
    for track in tracks if still else ():
        del track.clear[1:], track.shown[1:]
    found = identified(tracks, method, still=still)
    assert (found.unlearned is None) == learned
    trained = [result for result in found.results if result.threat.knowledge is Knowledge.RETRAINED]
    assert bool(trained) == learned
    assert learned or "one treated picture" in str(found.unlearned)


def test_probes_and_gallery_are_other_moments() -> None:
    tracks = tracks_of(weak_blur)
    lineup = line_up(tracks, None, NOBODY, still=False)
    assert lineup is not None
    shown = {picture.tobytes() for picture in lineup.probes}
    assert not shown & {picture.tobytes() for picture in lineup.treated[:, 0]}


@pytest.mark.parametrize("people", [0, 1])
def test_nobody_to_tell_apart_is_no_line_up(people: int) -> None:
    assert line_up(tracks_of(black)[:people], None, NOBODY, still=False) is None


def test_few_pictures_are_attacked_by_who_needs_no_more() -> None:
    tracks = tracks_of(weak_blur, people=3, each=3)
    for track in tracks:
        del track.clear[2:], track.shown[2:]
    assert identified(tracks, None).results


def test_restoring_a_weak_blur_names_people_and_black_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restored, "EPOCHS", 1)
    weak, none = tracks_of(weak_blur, people=6, each=4), tracks_of(black, people=4, each=4)
    assert restore(weak, still=False).results[0].beats_chance
    made = restore(none, still=False)
    assert not made.results[0].beats_chance
    assert set(made.portraits) == {id(track) for track in none}
    with pytest.raises(UsageError, match="other people"):
        restore(none[:1], still=False)
