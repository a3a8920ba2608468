"""Do recognisers still name the people in a cloaked photo, those too that its cloak never saw?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eyelid.attack.cloak_transfer import (
    Cloaked,
    CloakTransfer,
    Portraits,
    Upload,
    face_boxes,
    recognisers,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eyelid.attack.base import AttackResult
    from eyelid.attack.dataset import Pictures
    from eyelid.audit.watch import Track


def transfer(tracks: Sequence[Track], distractors: Pictures) -> Iterator[AttackResult]:
    """Yield what each recogniser that ships makes of the cloaked faces, as they are and after an upload.

    The gallery holds the clear face of each track, which is the harder test, and the distractors.
    """
    clear = np.stack([track.clear[0] for track in tracks])
    known = np.stack([*clear, *distractors])
    boxes = face_boxes(known)
    numbers = np.arange(len(known))
    probes = Portraits(clear, boxes[: len(clear)], numbers[: len(clear)])
    target = Cloaked(probes, np.stack([track.shown[0] for track in tracks]), Portraits(known, boxes, numbers))
    for recogniser in recognisers():
        for upload in (Upload.NONE, Upload.HALF):
            yield CloakTransfer(recogniser, upload).run(target)
