"""What a compiled network will need and how exact it is, layer by layer, before anything is encrypted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from eyelid.infer.he.artefact import Artefact, Frozen, Target
from eyelid.infer.he.lowering import IMAGE
from eyelid.infer.he.planning import count, image_layout

if TYPE_CHECKING:
    from eyelid.infer.he.artefact import Manifest, Stage
    from eyelid.infer.he.planning import Cost

SEED_BYTES: Final = 64
MS: Final = {"switch": 0.24, "product": 0.1, "square": 0.2, "weight": 0.006, "row": 0.25}
"""Milliseconds at N = 8192, one thread: a key switch for each of primes * (primes + 1) parts, and for each
prime a product with a plaintext and a square, and in throughput mode a weight and a row of the matrix. Other
machines differ."""


class LayerReport(Frozen):
    """One encrypted layer: the primes that it starts with (``level``) and log2 of its scale.

    ``headroom_bits``: by how much values may outgrow those of the calibration images before they wrap;
    ``precision_bits``: largest value over expected rounding error; ``fit_error``: root mean square error of
    the parabola that stands for the activation, None where it is exact.
    """

    name: str
    level: int
    scale_bits: float
    headroom_bits: float
    precision_bits: float
    fit_error: float | None
    rotations: int
    products: int
    milliseconds: float


class Report(Frozen):
    """A compiled network in figures: MB are 10^6 bytes, times CPU milliseconds on one thread, estimated.

    ``request_mb`` is one seeded request, ``keys_mb`` the seeded evaluation keys, sent once. In throughput
    mode one request holds ``images`` images.
    """

    mode: Target
    degree: int
    modulus_bits: tuple[int, ...]
    security_bits: int
    depth: int
    images: int
    layers: tuple[LayerReport, ...]
    rotation_keys: int
    request_mb: float
    answer_mb: float
    keys_mb: float
    milliseconds: float

    def __str__(self) -> str:
        bits = " + ".join(map(str, self.modulus_bits))
        lines = [
            f"{self.mode.value}: ring {self.degree}, modulus {bits} bits, {self.security_bits}-bit security",
            f"{'layer':<16}{'level':>6}{'scale':>7}{'headroom':>10}{'precision':>11}{'fit':>9}{'ms':>9}",
        ]
        for layer in self.layers:
            fit = "exact" if layer.fit_error is None else f"{layer.fit_error:.3g}"
            lines.append(
                f"{layer.name:<16}{layer.level:>6}{layer.scale_bits:>7.1f}{layer.headroom_bits:>10.1f}"
                f"{layer.precision_bits:>11.1f}{fit:>9}{layer.milliseconds:>9.1f}"
            )
        per = f" for {self.images} images" if self.images > 1 else ""
        lines.append(
            f"estimated {self.milliseconds:.0f} ms{per}; request {self.request_mb:.2f} MB, answer "
            f"{self.answer_mb:.2f} MB, {self.rotation_keys} rotation keys; keys {self.keys_mb:.1f} MB, once"
        )
        return "\n".join(lines)


def report(artefact: Artefact) -> Report:
    """Report levels, scales, headroom, precision, work and sizes of an artefact."""
    manifest = artefact.manifest
    bits = tuple(modulus.bit_length() for modulus in manifest.scheme.moduli)
    layers = []
    layouts = {IMAGE: image_layout(manifest.input_shape)}
    for number, stage in enumerate(artefact.stages):
        cost = None
        if stage.packing is not None:
            layouts[number] = stage.packing.layout
            cost = count(stage.packing, stage.maps, [layouts[source] for source in stage.record.sources])
        layers.append(_layer(stage, manifest, cost))
    data, degree = sum(bits[:-1]), manifest.scheme.degree
    keys = len(manifest.rotation_steps) + 1
    return Report(
        mode=manifest.mode,
        degree=degree,
        modulus_bits=bits,
        security_bits=128,
        depth=sum(stage.record.squares for stage in artefact.stages),
        images=manifest.images,
        layers=tuple(layers),
        rotation_keys=keys - 1,
        request_mb=manifest.input_ciphertexts * (degree * data / 8 + SEED_BYTES) / 1e6,
        answer_mb=manifest.output_ciphertexts * 2 * degree * bits[0] / 8 / 1e6,
        keys_mb=keys * (len(bits) - 1) * (degree * sum(bits) / 8 + SEED_BYTES) / 1e6,
        milliseconds=sum(layer.milliseconds for layer in layers),
    )


def _layer(stage: Stage, manifest: Manifest, cost: Cost | None) -> LayerReport:
    record = stage.record
    size = manifest.scheme.degree / 8192 * math.log2(manifest.scheme.degree) / 13
    if cost is None:
        rotations, products = 0, sum(len(linear.values) for linear in stage.maps)
        rows, switches = stage.bias.size, stage.center.size
        each = products * MS["weight"] + rows * (MS["row"] + MS["square"] * record.squares)
    else:
        rotations, products = cost.rotations, cost.products
        squares = cost.ciphertexts * record.squares
        switches = rotations + squares
        each = products * MS["product"] + squares * MS["square"]
    work = record.primes * ((record.primes + 1) * switches * MS["switch"] + each)
    return LayerReport(
        name=record.name,
        level=record.primes,
        scale_bits=math.log2(record.scale),
        headroom_bits=record.headroom_bits,
        precision_bits=record.precision_bits,
        fit_error=record.fit_error,
        rotations=rotations,
        products=products,
        milliseconds=work * size,
    )
