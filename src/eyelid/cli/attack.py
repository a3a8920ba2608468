"""``eyelid attack``: how much a method leaves, measured by those who want to break it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eyelid.cli import attack_cloak, attack_file, attack_restore
from eyelid.cli.options import Data, Json, Quiet, words
from eyelid.cli.results import bars

if TYPE_CHECKING:
    from eyelid.attack.base import AttackResult
    from eyelid.attack.reidentify import Reidentification

app = typer.Typer(
    help="Attack a method, by pictures treated alike, or one output: how much is left?",
    no_args_is_help=True,
)
app.command("restore")(attack_restore.restore)
app.command("deblur")(attack_restore.deblur)
app.command("keyed-blur")(attack_restore.keyed_blur)
app.command("cloak")(attack_cloak.cloak)
app.command("context")(attack_file.context)
app.command("metadata")(attack_file.metadata)
app.command("voice")(attack_file.voice)
app.command("redetect")(attack_file.redetect)

Seeds: TypeAlias = Annotated[
    int, typer.Option("--seeds", min=1, max=1000, help="Splits into training pictures and probes, averaged.")
]
CAPTION = (
    "The highest rate of a method counts, whoever reaches it: attackers know the method, and may learn from "
    "pictures treated alike."
)
EXAMPLE = "pixelate:16,p3:10,dp-pixelate:eps=.1"


@app.command("reidentify")
def reidentify(
    data: Data,
    methods: Annotated[
        str,
        typer.Option(
            "--methods",
            "-m",
            help=f"What to attack, with commas. As published: {EXAMPLE}; as eyelid ships it: "
            "eyelid:pixelate, or eyelid: before anything that 'eyelid anonymize --method' takes.",
        ),
    ],
    seeds: Seeds = 10,
    attackers: Annotated[
        str | None, typer.Option("--attackers", "-a", help="Which attackers, with commas; all by default.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--every", help="Show each attacker, not the strongest only.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Name the people in treated pictures: by attackers that know nothing, the method, or train on it."""
    from eyelid.attack.dataset import read_faces
    from eyelid.attack.reidentify import ATTACKERS, Reidentify
    from eyelid.attack.treatment import parse_list
    from eyelid.cli.output import say_json
    from eyelid.evidence.summary import number

    treatments = parse_list(methods)
    chosen = tuple(ATTACKERS) if attackers is None else tuple(words(attackers))
    attacks = [Reidentify(treatment, attackers=chosen, seeds=seeds) for treatment in treatments]
    faces = read_faces(data)
    measured: list[Reidentification] = []
    with bars(shown=not (as_json or quiet)) as listen:
        for treatment, attack in zip(treatments, attacks, strict=True):
            measured.append(attack.measure(faces, listener=listen(treatment.name)))
            if as_json:
                say_json("result", measured[-1].model_dump(mode="json"))
    if not as_json:
        first = measured[0]
        _print(
            f"{first.people} people, {first.pictures} pictures, {number(seeds, 'split', 'splits')}; chance "
            f"{first.strongest[-1].chance:.1%}",
            [
                (m.method, m.origin.value, result)
                for m in measured
                for result in (m.attackers if every else m.strongest)
            ],
        )


@app.command("average")
def average(
    data: Data,
    methods: Annotated[
        str, typer.Option("--methods", "-m", help="What to attack, with commas: dp-pixelate:eps=.1.")
    ],
    frames: Annotated[
        int, typer.Option("--frames", min=2, max=10_000, help="Releases of each picture that are averaged.")
    ] = 100,
    seeds: Seeds = 10,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Average many noisy releases of a face that holds still, as in a video without a ledger."""
    from eyelid.attack.average import AverageAttack
    from eyelid.attack.dataset import read_faces
    from eyelid.attack.treatment import parse_list
    from eyelid.cli.output import say_json
    from eyelid.evidence.summary import number

    treatments = parse_list(methods)
    faces = read_faces(data)
    rows: list[tuple[str, str, AttackResult]] = []
    with bars(shown=not (as_json or quiet)) as listen:
        for treatment in treatments:
            attack = AverageAttack(treatment, frames=frames, seeds=seeds)
            measured = attack.measure(faces, listener=listen(treatment.name))
            if as_json:
                say_json("result", measured.model_dump(mode="json"))
            rows.append((treatment.name, "one frame", measured.single))
            rows.append((treatment.name, f"{frames} frames averaged", measured.averaged))
    if not as_json:
        splits = number(seeds, "split", "splits")
        _print(f"{len(faces.names)} people, {len(faces.people)} pictures, {splits}", rows)


def _print(title: str, rows: Iterable[tuple[str, str, AttackResult]]) -> None:
    """Print one line for each result, methods apart from each other."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left", box=SIMPLE)
    table.add_column("method", no_wrap=True)
    table.add_column("the attacker")
    table.add_column("rank-1", justify="right", no_wrap=True)
    table.add_column("95 % interval", justify="right", no_wrap=True)
    table.add_column("strongest")
    before = ("", "")
    for method, which, result in rows:
        first = before != (method, which)
        if first:
            table.add_section()
        low, high = result.interval
        table.add_row(
            f"{escape(method)}\n[dim]{which}[/]" if first else "",
            result.threat.knowledge.value,
            f"[{'red' if result.beats_chance else 'green'}]{result.success:.1%}[/]",
            f"{low:.1%} to {high:.1%}",
            result.attack,
        )
        before = (method, which)
    Console().print(table)
