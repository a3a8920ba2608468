"""``eyelid attack restore``, ``deblur`` and ``keyed-blur``: can the picture behind a treatment come back?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eyelid.cli.options import Data, Json, Quiet
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from eyelid.attack.base import AttackResult
    from eyelid.attack.lowpass import Lowpass
    from eyelid.attack.restoration import RestorationAttack

Seed: TypeAlias = Annotated[int, typer.Option(min=0, help="Which half of the people is attacked.")]


def restore(
    data: Data,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="What to attack, with commas: pixelate:16,blur:25,p3:10.")
    ] = "pixelate:16",
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a network on other people's pictures, treated alike, to restore those of the victims."""
    from eyelid.attack.restore import LearnedRestoration
    from eyelid.attack.treatment import parse_list

    for treatment in parse_list(methods):
        _run(LearnedRestoration(treatment, seed=seed), data, treatment.name, as_json=as_json, quiet=quiet)


def deblur(
    data: Data,
    blur: Annotated[
        str,
        typer.Option(help="The filter: opencv:KERNEL in pixels, or pillow:RADIUS in pixels."),
    ] = "opencv:25",
    blind: Annotated[
        bool,
        typer.Option("--blind", help="The attacker does not know the width; each picture betrays it."),
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reverse a Gaussian blur through the real filter and its rounding; no training."""
    from pydantic import ValidationError

    from eyelid.attack.deblur import Deblur
    from eyelid.attack.lowpass import OpenCvBlur, PillowBlur

    library, _, width = blur.partition(":")
    kinds: dict[str, tuple[type[Lowpass], str]] = {
        "opencv": (OpenCvBlur, "kernel"),
        "pillow": (PillowBlur, "radius"),
    }
    if library not in kinds:
        raise UsageError(f"there is no filter {blur!r}; give opencv:25 or pillow:4, for example")
    kind, name = kinds[library]
    try:
        lowpass = kind.model_validate({name: width} if width else {})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].lower()
        raise UsageError(f"the filter {blur!r} cannot be used: {problem}; correct its {name}") from None
    against = f"{blur}, width unknown" if blind else blur
    _run(Deblur(lowpass, seed, blind=blind), data, against, as_json=as_json, quiet=quiet)


def keyed_blur(
    data: Data,
    pairs: Annotated[
        int,
        typer.Option(min=0, max=100, help="Pictures that the attacker has from before and after; 0: blind."),
    ] = 1,
    side: Annotated[int, typer.Option(min=3, max=63, help="Pixels on a side of the secret filter.")] = 21,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find the secret filter of a keyed blur, from known pairs or blindly, and reverse it."""
    import secrets

    from eyelid.attack.keyed_blur import KeyedBlur

    attack = KeyedBlur(secrets.token_bytes(32), pairs, side | 1, seed)
    _run(attack, data, f"a secret filter of {side | 1} pixels", as_json=as_json, quiet=quiet)


def _run(attack: RestorationAttack, data: Path, against: str, *, as_json: bool, quiet: bool) -> None:
    from eyelid.attack.dataset import read_faces
    from eyelid.cli.output import say, say_json
    from eyelid.cli.results import bars

    faces = read_faces(data)
    with bars(shown=not (as_json or quiet)) as listen:
        result = attack.result(attack.measure(faces, listen(against)))
    if as_json:
        say_json("result", {"against": against, **result.model_dump(mode="json")})
    else:
        say(_sentence(result, against))


def _sentence(result: AttackResult, against: str) -> str:
    low, high = result.interval
    return (
        f"{result.attack} against {against} ({result.threat.knowledge}): {result.measure} of the restored "
        f"pictures {result.success:.3f} [{low:.3f}, {high:.3f}] of {result.n}, chance {result.chance:.3f} | "
        f"{result.note}"
    )
