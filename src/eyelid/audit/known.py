"""What an attacker knows of an output: its evidence, by that its method, and other people to compare with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from eyelid.attack.dataset import SIZE, read_faces
from eyelid.attack.treatment import parse
from eyelid.errors import EvidenceError, UsageError
from eyelid.evidence.file import evidence_path, input_file
from eyelid.evidence.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.attack.dataset import Pictures
    from eyelid.attack.treatment import Treatment
    from eyelid.evidence.model import Evidence, Step

_OF_WHOLE_FRAMES: Final = frozenset({"remove", "cloak"})
"""Methods that no attacker can carry out on single faces."""


def evidence_of(output: Path, original: Path, given: Path | None) -> tuple[Evidence | None, str | None]:
    """Return the evidence of the output and its hash; None where nobody gave any and none lies beside it."""
    beside = [path for full in (True, False) if (path := evidence_path(output, full_name=full)).is_file()]
    if given is None and not beside:
        return None, None
    checked = verify(given or output, output)
    if not checked.ok:
        raise EvidenceError(checked.sentence())
    evidence = checked.evidence
    if evidence.input.sha256 != input_file(original).sha256:
        raise UsageError(
            f"{original} is not the file that {output} was made from, by its evidence; name that original"
        )
    return evidence, input_file(checked.evidence_path).sha256


def one_of_each(gallery: Path | None) -> Pictures:
    """Return one clear picture (112, 92) of each person in a folder of other people."""
    if gallery is None:
        return np.zeros((0, *SIZE), np.uint8)
    faces = read_faces(gallery)
    first = [faces.pictures[int(np.flatnonzero(faces.people == p)[0])] for p in range(len(faces.names))]
    return np.stack([np.asarray(cv2.resize(p, SIZE[::-1]), np.uint8) for p in first])


def treatment_of(evidence: Evidence | None) -> Treatment | None:
    """Return what the method of the evidence does to a single face, which an attacker can do as well."""
    if evidence is None or evidence.settings.method.name in _OF_WHOLE_FRAMES:
        return None
    method = evidence.settings.method
    if method.name == "lock":
        return parse("eyelid:solid")
    return parse(f"eyelid:{as_written(method)}")


def as_written(method: Step) -> str:
    """Return a method of some evidence as the command line takes it."""
    values = ",".join(f"{key}={value}" for key, value in method.parameters.items() if value is not None)
    return method.name + (f":{values}" if values else "")
