"""What evidence holds: counts, hashes, settings and limits; no pixels, boxes, text or names of inputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final, Literal, Self, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    StringConstraints,
    field_validator,
    model_validator,
)

from eyelid.privacy.ledger import PrivacySpent
from eyelid.types import Fill, Guarantee, Quality, Shape, Target

if TYPE_CHECKING:
    from pydantic.json_schema import JsonSchemaMode

SCHEMA: Final = "eyelid-evidence/1"
"""The version of the format; it changes whenever a reader of the old one would misread the new one."""

Sha256: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Name: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]+$")]
Sentence: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f]+$")
]
FileName: TypeAlias = Annotated[
    str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$")
]
Scalar: TypeAlias = bool | int | float | Name | None

SECRET_WORDS: Final = ("key", "secret", "password", "token")


class Record(BaseModel):
    """Base of all parts of the evidence: immutable, closed, without NaN or infinity."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputFile(Record):
    """The input by its content alone, since a file name such as ``Jane_Doe.jpg`` is personal data."""

    sha256: Sha256
    size: NonNegativeInt = Field(description="bytes")


class OutputFile(Record):
    """The output: its name without folders, by which it is found beside the evidence, and its content."""

    name: FileName
    sha256: Sha256
    size: NonNegativeInt = Field(description="bytes")

    @field_validator("name")
    @classmethod
    def _inside_the_folder(cls, name: str) -> str:
        if name in {".", ".."}:
            raise ValueError("the name of the output must name a file")
        return name


class Media(Record):
    """What kind of picture the input is; ``width`` and ``height`` in pixels as written to the output."""

    kind: Literal["still", "video"]
    format: Name
    width: PositiveInt
    height: PositiveInt
    duration: NonNegativeFloat | None = Field(None, description="seconds")


class Software(Record):
    """A program or library that took part, and its version."""

    name: Name
    version: Name


class ModelUsed(Record):
    """A network that searched the frames."""

    name: Name
    sha256: Sha256
    precision: Name
    device: Name


class Step(Record):
    """A named part of the work (method, tracking, encoding) and its parameters; a secret is refused."""

    name: Name
    parameters: dict[Name, Scalar] = {}

    @field_validator("parameters")
    @classmethod
    def _no_secret(cls, parameters: dict[str, Scalar]) -> dict[str, Scalar]:
        for name in parameters:
            if any(word in name.lower() for word in SECRET_WORDS):
                raise ValueError(f"{name!r} may be a secret; evidence holds none")
        return parameters


class Coverage(Record):
    """The outline drawn around detections of one target; ``margin`` is a fraction of the side of the box."""

    target: Target
    shape: Shape
    margin: NonNegativeFloat


class Settings(Record):
    """What was asked for.

    ``stride`` is the distance in frames between two runs of the detector. ``detections`` is the hash of the
    file of detections that the user gave in place of a detector. ``detectors`` are the user's own: a callable
    as module:callable:target, a network as its target and the hash of its file. ``keep`` are the hashes of
    the pictures of people to keep.
    """

    targets: tuple[Target, ...] = Field(min_length=1)
    quality: Quality
    method: Step
    coverage: tuple[Coverage, ...]
    stride: PositiveInt = 1
    tracking: Step | None = None
    encoding: Step | None = None
    detections: Sha256 | None = None
    detectors: tuple[Name, ...] = ()
    keep: tuple[Sha256, ...] = ()


class TargetCount(Record):
    """How much of one target was covered.

    ``detections`` sums over all frames, ``tracks`` is None for stills, ``frames`` counts frames with at least
    one covered region of this target.
    """

    target: Target
    detections: NonNegativeInt
    tracks: NonNegativeInt | None
    frames: NonNegativeInt


class Kept(Record):
    """What was left visible because the user asked for it."""

    references: PositiveInt = Field(description="pictures that name whom to keep")
    detections: NonNegativeInt
    tracks: NonNegativeInt | None


class CoverReason(StrEnum):
    """Why a whole frame is covered."""

    DETECTOR_FAILED = "detector failed"
    TRACK_LOST = "track lost"
    NOT_LISTED = "not in the file of detections"


class CoveredFrames(Record):
    """A run of frames that are covered whole, by their first and last index, counted from 0."""

    first: NonNegativeInt
    last: NonNegativeInt
    reason: CoverReason

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.last < self.first:
            raise ValueError("a range of covered frames ends before it begins")
        return self


class Frames(Record):
    """The frames (or pages) of the output.

    ``held`` counts frames with a covered region that no detector saw there: it missed it, or did not run.
    """

    total: PositiveInt
    held: NonNegativeInt = 0
    covered: tuple[CoveredFrames, ...] = ()

    @property
    def covered_count(self) -> int:
        """The number of frames that are covered whole."""
        return sum(run.last - run.first + 1 for run in self.covered)

    @model_validator(mode="after")
    def _within_the_film(self) -> Self:
        end = -1
        for run in self.covered:
            if run.first <= end:
                raise ValueError("ranges of covered frames must be in order and must not overlap")
            end = run.last
        if max(end, self.held - 1) >= self.total:
            raise ValueError(f"more frames are held or covered than there are: {self.total}")
        return self


class Stage(Record):
    """How long one stage of the work took, in seconds."""

    name: Name
    seconds: NonNegativeFloat


class Evidence(Record):
    """One run of eyelid over one input: what went in, what was done, what came out, what is not covered.

    ``dropped`` names metadata and streams of the input that the output lacks, ``audio`` the codecs of the
    sound that it still holds, ``changes`` says in sentences what else differs. ``encoder`` is the one that
    wrote a video, with the options it was given. ``privacy`` is what a method with noise spent, ``fill``
    where a method that removes took its pixels from. ``created`` is in UTC.
    """

    version: Literal["eyelid-evidence/1"] = Field(SCHEMA, alias="schema")
    created: AwareDatetime
    software: tuple[Software, ...]
    models: tuple[ModelUsed, ...]
    input: InputFile
    output: OutputFile
    media: Media
    settings: Settings
    frames: Frames
    counts: tuple[TargetCount, ...]
    kept: Kept | None = None
    audio: tuple[Name, ...] = ()
    dropped: tuple[Name, ...] = ()
    changes: tuple[Sentence, ...] = ()
    encoder: Step | None = None
    guarantee: Guarantee
    privacy: PrivacySpent | None = None
    fill: Fill | None = None
    timings: tuple[Stage, ...] = ()
    warnings: tuple[Sentence, ...] = ()

    @field_validator("created")
    @classmethod
    def _in_utc(cls, created: datetime) -> datetime:
        if created.utcoffset() != timedelta(0):
            raise ValueError("the time of creation must be in UTC")
        return created.astimezone(UTC)

    @model_validator(mode="after")
    def _counts_fit(self) -> Self:
        counted = [count.target for count in self.counts]
        if sorted(counted) != sorted(set(self.settings.targets)):
            raise ValueError("there must be one count for each target that was asked for")
        if any(count.frames > self.frames.total for count in self.counts):
            raise ValueError(f"a target is counted in more frames than there are: {self.frames.total}")
        return self


class Signature(Record):
    """An Ed25519 signature (RFC 8032) over the canonical JSON of the evidence without this part.

    ``public_key`` (32 bytes) and ``value`` (64 bytes) are in lower-case hexadecimal, which has one spelling.
    """

    algorithm: Literal["Ed25519"]
    public_key: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    value: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{128}$")]


class SignedEvidence(Evidence):
    """Evidence as it stands in a file: with its signature, or with ``null`` where it is not signed."""

    signature: Signature | None = None


def schema_of(model: type[BaseModel], version: str, mode: JsonSchemaMode = "serialization") -> str:
    """Return the JSON Schema (draft 2020-12) of a file of records, as published in ``docs/schema``.

    ``mode``: of files that eyelid writes, or (validation) of those that others write for it to read.
    """
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:eyelid:{version}",
    } | model.model_json_schema(by_alias=True, mode=mode)
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def json_schema() -> str:
    """Return the JSON Schema of a file of evidence."""
    return schema_of(SignedEvidence, SCHEMA)


if __name__ == "__main__":
    import sys

    sys.stdout.write(json_schema())
