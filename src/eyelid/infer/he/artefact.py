"""What a compiled network is on disk: a manifest that both sides read, and weights that the server keeps."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from eyelid.errors import InputError
from eyelid.infer.he import container
from eyelid.infer.he.packing import Layout, Packing
from eyelid.infer.he.scheme import Scheme
from eyelid.infer.he.sparse import Sparse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

VERSION: Final = 2


class Target(StrEnum):
    """What a compiled network is packed for."""

    LATENCY = "latency"
    THROUGHPUT = "throughput"


class Frozen(BaseModel):
    """A record that never changes and knows all of its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Manifest(Frozen):
    """What the client must know: nothing about the layers, only how to encrypt and how to read the answer.

    ``scale`` is the CKKS scale at which the image is encrypted. In latency mode one image is one ciphertext:
    its planes, each row at ``row_pitch`` slots and each plane at ``plane_pitch``, repeated until the slots
    are full. In throughput mode every pixel is a ciphertext and its slots are up to ``images`` images.
    ``rotation_steps`` are the steps for which the server needs rotation keys; ``output_slots`` names for each
    class the slot of its score in latency mode.
    """

    version: int = Field(default=VERSION, ge=VERSION, le=VERSION)
    digest: str
    mode: Target
    scheme: Scheme
    scale: float = Field(gt=1)
    input_shape: tuple[int, int, int]
    row_pitch: int
    plane_pitch: int
    images: int
    input_ciphertexts: int
    output_ciphertexts: int
    rotation_steps: tuple[int, ...]
    output_slots: tuple[int, ...]

    @property
    def classes(self) -> int:
        """How many scores an answer has."""
        return len(self.output_slots)


class StageRecord(Frozen):
    """What the report says of one stage: its layers, level, scale and range."""

    name: str
    sources: tuple[int, ...]
    squares: bool
    primes: int
    scale: float
    product_scale: float
    headroom_bits: float
    precision_bits: float
    fit_error: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """A linear map of earlier results plus bias, squared unless it is the last: one step of evaluation.

    ``maps`` has one map for each of ``record.sources`` (-1 is the image); ``bias`` is float64 (outputs,).
    ``pool`` adds squares up (throughput alone). ``center`` is subtracted after that, float64 (results,); a
    stage without a square has none.
    """

    record: StageRecord
    maps: tuple[Sparse, ...]
    bias: NDArray[np.float64]
    pool: Sparse | None
    center: NDArray[np.float64]
    packing: Packing | None


@dataclass(frozen=True, slots=True, eq=False)
class Artefact:
    """A compiled network: the manifest for both sides, the stages for the server. It holds no key."""

    manifest: Manifest
    stages: tuple[Stage, ...]

    def save(self) -> bytes:
        """Return the artefact as bytes: a zip file of JSON and numpy arrays."""
        arrays: dict[str, NDArray[np.generic]] = {}
        head = []
        for number, stage in enumerate(self.stages):
            for term, linear in enumerate(stage.maps):
                for key, value in (("rows", linear.rows), ("columns", linear.columns)):
                    arrays[f"{number}.{term}.{key}"] = value.astype(np.int32)
                arrays[f"{number}.{term}.values"] = linear.values.astype(np.float32)
            if stage.pool is not None:
                arrays[f"{number}.pool.rows"] = stage.pool.rows.astype(np.int32)
                arrays[f"{number}.pool.columns"] = stage.pool.columns.astype(np.int32)
            arrays[f"{number}.bias"] = stage.bias
            arrays[f"{number}.center"] = stage.center
            packing = None
            if stage.packing is not None:
                layout = stage.packing.layout
                arrays[f"{number}.ciphertext"] = layout.ciphertext.astype(np.int32)
                arrays[f"{number}.slot"] = layout.slot.astype(np.int32)
                packing = _Packing(
                    period=layout.period,
                    contraction=stage.packing.contraction,
                    cyclic=stage.packing.cyclic,
                    cell=stage.packing.cell,
                    baby=stage.packing.baby,
                    offset=stage.packing.offset,
                )
            shapes = tuple(linear.shape for linear in stage.maps)
            pool = None if stage.pool is None else stage.pool.shape
            head.append(_Head(record=stage.record, shapes=shapes, pool=pool, packing=packing))
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            for name, text in (
                ("manifest.json", self.manifest.model_dump_json()),
                ("stages.json", json.dumps([item.model_dump(mode="json") for item in head])),
            ):
                archive.writestr(zipfile.ZipInfo(name), text)
            for name, array in arrays.items():
                part = io.BytesIO()
                np.save(part, array, allow_pickle=False)
                archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue(), zipfile.ZIP_DEFLATED, 1)
        return stream.getvalue()

    @classmethod
    def load(cls, data: bytes) -> Artefact:
        """Read what :meth:`save` wrote; raises :class:`InputError` for anything else."""
        try:
            parts = container.unpack(data)
        except container.DAMAGE as error:
            raise InputError(_DAMAGED) from error
        return cls.from_parts(parts)

    @classmethod
    def from_parts(cls, parts: Mapping[str, bytes]) -> Artefact:
        """Return the artefact of an unpacked file; raises :class:`InputError` where its parts are none."""
        try:
            manifest = Manifest.model_validate_json(parts["manifest.json"])
            heads = _HEADS.validate_json(parts["stages.json"])
            if set(parts) != {"manifest.json", "stages.json", *_array_names(heads)}:
                raise InputError("The artefact holds parts that none should hold; compile the model again.")
            if any((head.packing is None) != (manifest.mode is Target.THROUGHPUT) for head in heads):
                raise InputError(_DAMAGED)
            return cls(manifest, tuple(_stage(number, head, parts) for number, head in enumerate(heads)))
        except container.DAMAGE as error:
            raise InputError(_DAMAGED) from error


_DAMAGED: Final = "The artefact is damaged or of another version; compile the model again."


class _Packing(Frozen):
    period: int
    contraction: tuple[tuple[int, int], ...]
    cyclic: int | None
    cell: tuple[int, int, int, int] | None
    baby: int = Field(ge=1)
    offset: int


class _Head(Frozen):
    record: StageRecord
    shapes: tuple[tuple[int, int], ...]
    pool: tuple[int, int] | None
    packing: _Packing | None


_HEADS: Final = TypeAdapter(tuple[_Head, ...])


def _array_names(heads: tuple[_Head, ...]) -> list[str]:
    names = []
    for number, head in enumerate(heads):
        parts = [f"{t}.{key}" for t in range(len(head.shapes)) for key in ("rows", "columns", "values")]
        parts += () if head.pool is None else ("pool.rows", "pool.columns")
        parts += ["bias", "center", *(("ciphertext", "slot") if head.packing is not None else ())]
        names += [f"{number}.{part}.npy" for part in parts]
    return names


def _stage(number: int, head: _Head, parts: Mapping[str, bytes]) -> Stage:
    def whole(name: str) -> NDArray[np.int64]:
        return container.array(parts[f"{number}.{name}.npy"], np.int32).astype(np.int64)

    def real(name: str, kind: type[np.floating] = np.float64) -> NDArray[np.float64]:
        return container.array(parts[f"{number}.{name}.npy"], kind).astype(np.float64)

    maps = tuple(
        _sound(
            Sparse(whole(f"{term}.rows"), whole(f"{term}.columns"), real(f"{term}.values", np.float32), shape)
        )
        for term, shape in enumerate(head.shapes)
    )
    pool = None
    if head.pool is not None:
        rows = whole("pool.rows")
        pool = _sound(Sparse(rows, whole("pool.columns"), np.ones(rows.shape), head.pool))
    packing = None
    if head.packing is not None:
        layout = Layout(whole("ciphertext"), whole("slot"), head.packing.period)
        if layout.ciphertext.shape != layout.slot.shape or layout.count < 1 or layout.slot.min() < 0:
            raise ValueError("a layout that cannot be")
        way = head.packing
        packing = Packing(layout, way.contraction, way.cyclic, way.cell, way.baby, way.offset)
    return Stage(head.record, maps, real("bias"), pool, real("center"), packing)


def _sound(matrix: Sparse) -> Sparse:
    """Return a matrix whose entries lie in it; raises ValueError for any other."""
    if not matrix.rows.shape == matrix.columns.shape == matrix.values.shape == (matrix.rows.size,):
        raise ValueError("a matrix of rows, columns and values that do not belong together")
    for index, size in zip((matrix.rows, matrix.columns), matrix.shape, strict=True):
        if index.size and not 0 <= index.min() <= index.max() < size:
            raise ValueError("a matrix with an entry outside")
    return matrix
