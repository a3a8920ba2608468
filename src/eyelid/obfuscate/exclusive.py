"""What one region may read of a frame where others cover the same samples.

Two releases that read one pixel cost its owner both. So a sample that several regions or tracks cover is read
by none of them: then what changes within one region moves its own releases alone, however regions overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from eyelid.obfuscate.regions import Patch, Region
    from eyelid.types import Plane, RawFrame, Samples


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A region of a frame, and the regions of others that come near it."""

    frame: RawFrame
    region: Region
    others: tuple[Region, ...] = ()

    def samples(self, plane: Plane) -> Samples:
        """Return the samples of the region's box in a plane; those that others cover too are middle grey.

        None lies beyond the peak, which a damaged file with fewer bits than its samples hold could have.
        """
        patch = self.region.patch(plane)
        samples: Samples = plane.samples[patch.rows, patch.columns]
        if plane.peak < np.iinfo(samples.dtype).max:
            samples = np.minimum(samples, plane.peak)
        if not self.others:
            return samples
        samples = samples.copy()
        for other in self.others:
            _grey(samples, patch, other.patch(plane), (plane.peak + 1) // 2)
        return samples


def parts(frame: RawFrame, found: Sequence[tuple[Hashable, Region]]) -> list[Part]:
    """Return each region of a frame with those of other accounts that may share samples with it."""
    if len(found) < 2:
        return [Part(frame, region) for _, region in found]
    # A sample of a subsampled plane stands for pixels beyond the region on either side.
    reach = 2 * max(max(plane.step_x, plane.step_y) for plane in frame.planes)
    edges = np.array([(region.x0, region.y0, region.x1, region.y1) for _, region in found])
    begins_before = np.all(edges[:, None, :2] < edges[None, :, 2:] + reach, axis=2)
    near_by: list[list[bool]] = np.logical_and(begins_before, begins_before.T).tolist()
    return [
        Part(
            frame,
            region,
            tuple(other for (name, other), near in zip(found, row, strict=True) if near and name != account),
        )
        for (account, region), row in zip(found, near_by, strict=True)
    ]


def _grey(samples: Samples, patch: Patch, theirs: Patch, middle: int) -> None:
    """Overwrite the samples of a patch that another patch of the same plane covers."""
    top, bottom = max(patch.rows.start, theirs.rows.start), min(patch.rows.stop, theirs.rows.stop)
    left, right = max(patch.columns.start, theirs.columns.start), min(patch.columns.stop, theirs.columns.stop)
    if top >= bottom or left >= right:
        return
    shared = samples[
        top - patch.rows.start : bottom - patch.rows.start,
        left - patch.columns.start : right - patch.columns.start,
    ]
    if theirs.mask is None:
        shared[...] = middle
        return
    mask = theirs.mask[
        top - theirs.rows.start : bottom - theirs.rows.start,
        left - theirs.columns.start : right - theirs.columns.start,
    ]
    np.copyto(shared, middle, where=mask, casting="unsafe")
