"""``eyelid infer plan``: which way of private inference fits a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyelid.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

    from eyelid.infer.plan import Way


def plan(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="The network, as ONNX.", readable=False)
    ],
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibrate",
            metavar="PATH",
            help="Images like those to come: a folder, pictures, or .npy.",
            readable=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the ways of private inference side by side: what each costs, assumes, and tells whom.

    All figures are estimates for one image, on one thread of a machine like this project's.
    """
    from rich.console import Console

    from eyelid.cli.output import say_json
    from eyelid.infer.plan import plan as plan_ways

    ways = plan_ways(model, calibrate or ())
    if as_json:
        for way in ways:
            say_json("way", way.model_dump(mode="json"))
        return
    console = Console(highlight=False)
    console.print(_costs(ways))
    for way in ways:
        console.print()
        _explain(console, way)


def _costs(ways: Sequence[Way]) -> Table:
    """Return the ways side by side."""
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("one image")
    for title in ("next door", "far away", "up", "down", "once before"):
        table.add_column(title, justify="right")
    for way in ways:
        if way.refused is not None:
            table.add_row(way.name, "not possible")
        else:
            times = (_duration(way.seconds), _duration(way.far_seconds))
            table.add_row(way.name, *times, *map(_size, (way.upload, way.download, way.once)))
    table.caption = "estimates; far away: 20 ms, 100 Mbit/s"
    table.caption_justify = "left"
    return table


def _explain(console: Console, way: Way) -> None:
    from rich.padding import Padding
    from rich.text import Text

    lines = [f"assumes: {way.assumption}"]
    lines += [f"{known.side} learns: {known.learns}" for known in way.knows]
    if way.note:
        lines.append(f"mind: {way.note}")
    console.print(Text.assemble((way.name, "bold"), f"  {way.command}"))
    if way.refused is not None:
        console.print(Padding(Text(f"not possible: {way.refused}", "red"), (0, 0, 0, 2)))
    for line in lines:
        console.print(Padding(Text(line), (0, 0, 0, 2)))


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _size(size: float | None) -> str:
    from rich.filesize import decimal

    return decimal(round(size)) if size else "-"
