"""Do recognisers name the people in a cloaked photo, those too that its cloak never saw, or that learn?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.attack.cloak_retrained import CloakRetrained, prepare, retrain
from eyelid.attack.cloak_transfer import (
    Cloaked,
    CloakTransfer,
    Portraits,
    Upload,
    face_boxes,
    recognisers,
)
from eyelid.audit.known import as_written
from eyelid.errors import UsageError
from eyelid.obfuscate.cloak import Cloak
from eyelid.obfuscate.registry import parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.attack.base import AttackResult, Listener
    from eyelid.attack.dataset import Pictures
    from eyelid.audit.watch import Track
    from eyelid.evidence.model import Step

_UPLOADS = (Upload.NONE, Upload.HALF)


def in_line(tracks: Sequence[Track], distractors: Pictures) -> Cloaked:
    """Return the cloaked faces, and a gallery of the clear face of each track and of the distractors.

    That the very same moment is in the gallery is the harder test. Raises UsageError where there is nobody to
    tell apart.
    """
    if not tracks or len(tracks) + len(distractors) < 2:
        raise UsageError("there is nobody to tell apart; give pictures of other people (--gallery)")
    clear = np.stack([track.clear[0] for track in tracks])
    known = np.stack([*clear, *distractors])
    boxes = face_boxes(known)
    numbers = np.arange(len(known))
    probes = Portraits(clear, boxes[: len(clear)], numbers[: len(clear)])
    return Cloaked(probes, np.stack([track.shown[0] for track in tracks]), Portraits(known, boxes, numbers))


def transfer(target: Cloaked) -> Iterator[AttackResult]:
    """Yield what each recogniser that ships makes of the cloaked faces, as they are and after an upload."""
    for recogniser in recognisers():
        for upload in _UPLOADS:
            yield CloakTransfer(recogniser, upload).run(target)


def retrained(target: Cloaked, step: Step, listener: Listener) -> Iterator[AttackResult]:
    """Yield what somebody makes of them who cloaks the gallery by the same ``step``, and learns from that.

    ``listener`` counts the pictures. Raises UsageError where PyTorch or onnx is not installed.
    """
    method = parse(as_written(step))
    if not isinstance(method, Cloak):
        raise UsageError(f"{step.name} is no cloak")
    recogniser = retrain(prepare(target.gallery, method, listener=listener))
    for upload in _UPLOADS:
        yield CloakRetrained(recogniser, upload).run(target)
