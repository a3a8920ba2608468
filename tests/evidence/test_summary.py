from pathlib import Path

import pytest

from eyelid.evidence.model import Kept, Step
from eyelid.evidence.scope import with_scope
from eyelid.evidence.software import software
from eyelid.evidence.summary import summary
from eyelid.privacy.ledger import PrivacySpent
from eyelid.types import Target
from tests.evidence.samples import SOLID, clip_evidence, still_evidence


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "street.anon.mp4"
    path.write_bytes(b"safe")
    return path


def test_the_line_of_a_clip_says_everything(output: Path) -> None:
    line = summary(clip_evidence(output), Path("out/street.anon.evidence.json"))
    assert line.split(" | ") == [
        "street.anon.mp4: covered 3 face tracks in 90 frames, found no licence plates",
        "96 frames, 12 held from their neighbours",
        "1 frame covered whole (detector failed)",
        "1 track left visible on request",
        "dropped: GPS position, cover art",
        "NOT covered: the position and size of what is covered; people kept visible on request; "
        "voices and other sound; what was not asked for: whole bodies, text, screens, vehicles",
        "1 warning",
        "evidence: out/street.anon.evidence.json",
    ]


@pytest.mark.parametrize(
    ("faces", "words"),
    [(0, "found no faces"), (1, "covered 1 face"), (1234, "covered 1,234 faces")],
)
def test_the_line_of_a_still_has_correct_plurals(output: Path, faces: int, words: str) -> None:
    line = summary(still_evidence(output, faces=faces), Path("e.json"))
    assert line.startswith(f"street.anon.mp4: {words} | dropped: nothing | NOT covered: ")
    assert "frame" not in line.split("NOT covered")[0]
    assert "\n" not in line


def test_a_cloaked_face_is_not_called_covered(output: Path) -> None:
    evidence = still_evidence(output, faces=2)
    settings = evidence.settings.model_copy(update={"method": Step(name="cloak")})
    line = summary(evidence.model_copy(update={"settings": settings}), Path("e.json"))
    assert line.startswith("street.anon.mp4: cloaked 2 faces, STILL VISIBLE to everyone who looks | ")
    assert "covered" not in line.split("NOT covered")[0]


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("solid", {}, None),
        (
            "pixelate",
            {"cells": 8, "levels": 1},
            "0 bits of a region survive pixelate; with more levels it can be attacked",
        ),
        (
            "blur",
            {"cells": 4, "levels": 1},
            "0 bits of a region survive blur; with more levels it can be attacked",
        ),
        (
            "pixelate",
            {"cells": 8, "levels": 4},
            "pixelate with 4 levels CAN BE ATTACKED: it leaves what people can be recognised by",
        ),
        (
            "blur",
            {"cells": 4, "levels": 256},
            "blur with 256 levels CAN BE ATTACKED: it leaves what people can be recognised by",
        ),
    ],
)
def test_a_mosaic_and_a_blur_say_that_they_can_be_attacked(
    name: str, parameters: dict[str, int], words: str | None, output: Path
) -> None:
    evidence = still_evidence(output, faces=2)
    method = Step(name=name, parameters={**parameters})
    settings = evidence.settings.model_copy(update={"method": method})
    parts = summary(evidence.model_copy(update={"settings": settings}), Path("e.json")).split(" | ")
    said = [part for part in parts if "attacked" in part.lower()]
    assert said == ([words] if words else [])


def test_keeping_nobody_is_said(output: Path) -> None:
    kept = Kept(references=1, detections=0, tracks=0)
    line = summary(clip_evidence(output).model_copy(update={"kept": kept}), Path("e.json"))
    assert " | 0 tracks left visible on request | " in line


def spent(whole: float, releases: int) -> PrivacySpent:
    return PrivacySpent(
        mechanism="noise",
        adjacency="two inputs",
        pixels=16,
        epsilon=0.5 if releases else 0,
        epsilon_whole=whole,
        epsilon_file=0.5 * releases,
        releases=releases,
        accounts=releases,
    )


@pytest.mark.parametrize(
    ("whole", "said"), [(322.0, "322"), (12_341.0, "12,350"), (0.64401, "0.6441"), (1e-6, "0.000001")]
)
def test_epsilon_is_never_rounded_down(output: Path, whole: float, said: str) -> None:
    line = summary(
        still_evidence(output, faces=2).model_copy(update={"privacy": spent(whole, 2)}), Path("e.json")
    )
    words = (
        f" | epsilon {said} for a whole region, 0.5 for any 16 pixels of it, 1 in 2 releases of the file | "
    )
    assert words in line


def test_where_nothing_was_released_no_epsilon_of_zero_sounds_safe(output: Path) -> None:
    evidence = still_evidence(output, faces=0).model_copy(update={"privacy": spent(0, 0)})
    line = summary(evidence, Path("e.json"))
    assert " | nothing was released with noise | " in line
    assert "epsilon" not in line


def test_what_is_hidden_with_a_person_is_not_called_open() -> None:
    limits = with_scope(SOLID, {Target.PERSON, Target.VEHICLE}).not_covered
    assert limits[-1] == "what was not asked for: text, screens"
    everything = with_scope(SOLID, set(Target)).not_covered
    assert everything == SOLID.not_covered


def test_sound_and_kept_people_are_named_only_where_they_are() -> None:
    assert not any("voices" in limit for limit in with_scope(SOLID, {Target.FACE}).not_covered)
    assert any("voices" in limit for limit in with_scope(SOLID, {Target.FACE}, audio=True).not_covered)


def test_software_names_what_ran() -> None:
    names = {item.name for item in software()}
    assert {"python", "eyelid", "av", "numpy", "openvino", "pillow", "cryptography"} <= names
