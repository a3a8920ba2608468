"""One file through the whole job: times, sound, evidence, signature."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

import eyelid
from eyelid.detect.custom import SupervisionDetector
from eyelid.errors import InputError, OutputError, UsageError
from eyelid.evidence.model import SignedEvidence
from eyelid.evidence.signing import generate_signing_key
from eyelid.evidence.summary import summary
from eyelid.evidence.verify import SignatureState
from eyelid.jobs.settings import Settings
from eyelid.media.encoding import AudioMode, VideoEncoding
from eyelid.types import GuaranteeKind, Quality, Target
from tests.canary import Scene, Spotted, Truth, pictures, save_clip, save_still, spot
from tests.media import clips
from tests.media.clips import VARIABLE, Clip

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.jobs.progress import Progress
    from eyelid.types import Bgr

SCENE = Scene()
CORNER = Truth(lambda _: [(4, 4, 30, 30)])


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("quality", Quality)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".mov"])
def test_times_of_a_variable_frame_rate_are_kept(suffix: str, quality: Quality, tmp_path: Path) -> None:
    drawn = [SCENE.picture(moment) for moment in range(len(VARIABLE))]
    source = save_clip(tmp_path / f"a{suffix}", drawn, ticks=VARIABLE)
    result = eyelid.anonymize(
        source, targets=["face"], settings=Settings(quality=quality), detectors=[SCENE.detector()]
    )
    assert clips.times(result.output) == clips.times(source)
    assert len(clips.times(source)) == len(VARIABLE)


@pytest.mark.parametrize(
    ("suffix", "audio", "encoder"),
    [(".mp4", "aac", "libx264"), (".mkv", "flac", "libx264"), (".webm", "libopus", "libvpx-vp9")],
)
def test_sound_is_copied_or_dropped_and_said(suffix: str, audio: str, encoder: str, tmp_path: Path) -> None:
    options = {"deadline": "realtime", "cpu-used": "8"} if encoder == "libvpx-vp9" else {"preset": "veryfast"}
    source = Clip(encoder, frames=20, audio=audio, options=options).write(tmp_path / f"a{suffix}")
    kept = eyelid.anonymize(source, tmp_path / f"kept{suffix}", targets=["face"], detectors=[CORNER])
    assert clips.packets(kept.output) == clips.packets(source)
    assert clips.packets(source)[0]
    assert kept.evidence is not None
    assert len(kept.evidence.audio) == 1
    assert any("voice" in limit for limit in kept.evidence.guarantee.not_covered)
    dropped = eyelid.anonymize(
        source,
        tmp_path / f"dropped{suffix}",
        targets=["face"],
        settings=Settings(encoding=VideoEncoding(audio=AudioMode.DROP)),
        detectors=[CORNER],
    )
    assert clips.packets(dropped.output) == []
    assert dropped.evidence is not None
    assert dropped.evidence.audio == ()
    assert "sound" in dropped.evidence.dropped
    assert not any("voices and other sound" in limit for limit in dropped.evidence.guarantee.not_covered)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_streams_and_titles_are_dropped_and_said(suffix: str, tmp_path: Path) -> None:
    source = Clip(frames=10, secrets=True, audio="aac").write(tmp_path / f"a{suffix}")
    assert clips.CANARY.encode() in source.read_bytes()
    result = eyelid.anonymize(source, targets=["face"], detectors=[CORNER])
    assert clips.CANARY.encode() not in result.output.read_bytes()
    assert clips.CANARY not in result.task.evidence.read_text()
    assert result.evidence is not None
    assert result.evidence.dropped


def test_evidence_says_what_was_done(tmp_path: Path) -> None:
    source = save_clip(tmp_path / "Jane_Doe.mp4", [SCENE.picture(moment) for moment in range(12)])
    settings = Settings(quality=Quality.THOROUGH)
    detector = Truth(lambda frame: [] if frame.index in (5, 6) else SCENE.boxes(frame.index))
    result = eyelid.anonymize(
        source,
        tmp_path / "safe.mp4",
        targets=["face", "plate"],
        method="pixelate:6",
        settings=settings,
        detectors=[detector, Truth(lambda _: [], Target.PLATE)],
    )
    evidence = result.evidence
    assert evidence is not None
    on_disk = eyelid.verify(result.output).record
    assert isinstance(on_disk, SignedEvidence)
    assert on_disk.model_dump(exclude={"signature"}) == evidence.model_dump()
    assert evidence.input.sha256 == sha256(source)
    assert evidence.input.size == source.stat().st_size
    assert evidence.output.sha256 == sha256(result.output)
    assert evidence.output.name == "safe.mp4"
    assert evidence.frames.total == 12
    assert evidence.frames.held == 2
    faces, plates = evidence.counts
    assert (faces.target, faces.detections, faces.tracks, faces.frames) == (Target.FACE, 24, 2, 12)
    assert (plates.target, plates.detections, plates.tracks, plates.frames) == (Target.PLATE, 0, 0, 0)
    assert evidence.settings.method.name == "pixelate"
    assert evidence.settings.method.parameters["cells"] == 6
    assert evidence.settings.stride == 1
    assert evidence.settings.detectors == ("tests.canary:Truth:face", "tests.canary:Truth:plate")
    assert evidence.guarantee.kind is GuaranteeKind.EMPIRICAL
    assert (evidence.media.width, evidence.media.height) == (SCENE.width, SCENE.height)
    assert any("bodies" in limit for limit in evidence.guarantee.not_covered)
    written = result.task.evidence.read_text()
    assert "Jane" not in written
    assert str(tmp_path) not in written
    assert json.loads(written)["signature"] is None


def test_frames_that_seem_to_be_missing_are_a_warning(tmp_path: Path) -> None:
    times = [number * 512 for number in range(30) if number != 20]
    clip = Clip(frames=29, times=times, options={"preset": "ultrafast"})
    result = eyelid.anonymize(clip.write(tmp_path / "a.mkv"), targets=["face"], detectors=[CORNER])
    assert result.evidence is not None
    (warning,) = result.evidence.warnings
    assert warning.startswith("1 frame is missing from a steady rate, the first after 0.76 s")
    assert "1 warning" in summary(result.evidence, result.task.evidence)
    assert clips.times(result.output) == clips.times(tmp_path / "a.mkv")


class Picky:
    """A callable without a name of its own."""

    def __call__(self, picture: Bgr) -> Spotted:
        return spot(picture)


def test_evidence_names_a_callable_as_the_command_line_does(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    spec = "tests.canary:spot:face"
    by_name = eyelid.anonymize(source, tmp_path / "b.png", settings=Settings(detectors=(spec,)))
    by_hand = eyelid.anonymize(
        source,
        tmp_path / "c.png",
        detectors=[
            SupervisionDetector(spot, Target.FACE),  # type: ignore[arg-type]  # as supervision.Detections
            SupervisionDetector(Picky(), {0: Target.TEXT, 1: Target.PLATE}),  # type: ignore[arg-type]
        ],
    )
    assert by_name.evidence is not None
    assert by_hand.evidence is not None
    assert by_name.evidence.settings.detectors == (spec,)
    assert by_hand.evidence.settings.detectors == (spec, "tests.jobs.test_anonymizer:Picky:plate,text")


def test_verify_notices_any_change(tmp_path: Path) -> None:
    generate_signing_key(tmp_path / "sign.pem")
    source = save_still(tmp_path / "a.png", SCENE)
    result = eyelid.anonymize(
        source,
        targets=["face"],
        settings=Settings(signing_key=tmp_path / "sign.pem"),
        detectors=[SCENE.detector()],
    )
    checked = eyelid.verify(result.output)
    assert checked.ok
    assert checked.signature is SignatureState.VALID
    content = result.output.read_bytes()
    for at in np.linspace(0, len(content) - 1, 9, dtype=int):
        result.output.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        assert not eyelid.verify(result.output).ok
    result.output.write_bytes(content)
    text = result.task.evidence.read_text()
    result.task.evidence.write_text(text.replace('"detections": 2', '"detections": 3'))
    assert not eyelid.verify(result.output).ok
    result.task.evidence.write_text(text)
    assert eyelid.verify(result.output).ok


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for suffix in (".png", ".jpg", ".mp4"):
        if suffix == ".mp4":
            source = save_clip(tmp_path / "a.mp4", [SCENE.picture(moment) for moment in range(9)])
        else:
            source = save_still(tmp_path / f"a{suffix}", SCENE)
        made = [
            eyelid.anonymize(
                source, tmp_path / f"{n}{suffix}", targets=["face"], detectors=[SCENE.detector()]
            ).output.read_bytes()
            for n in range(2)
        ]
        assert made[0] == made[1]


def test_pixels_outside_are_those_of_the_input(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    result = eyelid.anonymize(source, targets=["face"], detectors=[CORNER])
    (before,), (after,) = pictures(source), pictures(result.output)
    assert np.array_equal(before[40:], after[40:])
    assert np.array_equal(before[:, 40:], after[:, 40:])


def test_the_evidence_is_there_before_the_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds an output finds its evidence; where evidence cannot be written there is no output."""
    from eyelid.jobs import anonymizer

    def fail(*_: object, **__: object) -> None:
        raise OutputError("no space left")

    monkeypatch.setattr(anonymizer, "write", fail)
    source = save_still(tmp_path / "a.png", SCENE)
    with pytest.raises(OutputError):
        eyelid.anonymize(source, targets=["face"], detectors=[CORNER])
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    source = save_clip(tmp_path / "a.mp4", [SCENE.picture(moment) for moment in range(20)])

    def stop(progress: Progress) -> None:
        if progress.done == 7:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        eyelid.anonymize(source, targets=["face"], detectors=[CORNER], listener=stop)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_progress_counts_every_frame(tmp_path: Path) -> None:
    seen: list[Progress] = []
    source = save_clip(tmp_path / "a.mp4", [SCENE.picture(moment) for moment in range(9)])
    eyelid.anonymize(source, targets=["face"], detectors=[CORNER], listener=seen.append)
    assert [progress.done for progress in seen] == list(range(1, 10))
    assert {(progress.total, progress.unit, progress.path) for progress in seen} == {(9, "frames", source)}


def test_words_that_make_no_sense_are_usage_errors(tmp_path: Path) -> None:
    source = save_still(tmp_path / "a.png", SCENE)
    for options, words in [
        ({"targets": ["nose"]}, "targets"),
        ({"targets": []}, "targets"),
        ({"method": "smear"}, "no method"),
    ]:
        with pytest.raises(UsageError, match=words):
            eyelid.anonymize(source, **options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="anonymize_folder"):
        eyelid.anonymize(tmp_path)
    with pytest.raises(UsageError, match=r"use eyelid\.anonymize"):
        eyelid.anonymize_folder(source)
    with pytest.raises(InputError, match="does not exist"):
        eyelid.anonymize(tmp_path / "none.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_the_shipped_networks_hide_a_face_in_a_photo(tmp_path: Path, portrait: Path) -> None:
    result = eyelid.anonymize(portrait, tmp_path / "a.jpg")
    assert result.evidence is not None
    assert result.evidence.counts[0].detections == 1
    assert {model.name for model in result.evidence.models} >= {"centerface", "plate"}
    (picture,) = pictures(result.output)
    face = picture[52:80, 100:124].astype(int)  # eyes, nose and mouth of the astronaut
    assert face.max() < 40
    (before,) = pictures(portrait)
    assert np.abs(before[:, :40].astype(int) - picture[:, :40]).mean() < 2
