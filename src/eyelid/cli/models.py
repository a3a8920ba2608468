"""``eyelid models``: the cards of the networks inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eyelid.cli.options import Json

if TYPE_CHECKING:
    from eyelid.models.cards import ModelCard


def models(as_json: Json = False) -> None:
    """Show what networks eyelid ships: source, licence, checksum, measured recall, input convention."""
    from rich.console import Console
    from rich.table import Table

    from eyelid.cli.output import say_json
    from eyelid.models.cards import cards

    if as_json:
        for card in cards():
            say_json("model", card.model_dump(mode="json"))
        return
    console = Console()
    for card in cards():
        table = Table(title=f"[bold]{card.name}[/bold]: {card.task}", title_justify="left", show_header=False)
        table.add_column(style="cyan", no_wrap=True)
        table.add_column(overflow="fold")
        table.add_row("source", f"{card.source} {card.source_version}")
        table.add_row("licence", card.licence)
        table.add_row("training data", card.training_data)
        table.add_row("sha256", card.sha256)
        table.add_row("input", _convention(card))
        for figure in card.measured:
            table.add_row(
                "measured",
                f"{figure.what}: {figure.value:g}{figure.unit} on {figure.data} ({figure.command})",
            )
        console.print(table)


def _convention(card: ModelCard) -> str:
    """Say how a network wants its pictures."""
    wanted = card.input
    said = [wanted.channels.upper(), wanted.layout.upper()]
    if wanted.width and wanted.height:
        said.append(f"{wanted.width} x {wanted.height}")
    if any(wanted.mean):
        said.append("minus " + " ".join(f"{value:g}" for value in wanted.mean))
    if set(wanted.scale) != {1}:
        said.append("divided by " + " ".join(f"{value:g}" for value in wanted.scale))
    if wanted.multiple > 1:
        said.append(f"sides a multiple of {wanted.multiple}")
    return ", ".join(said) + (f"; through {card.after}, whose output it takes" if card.after else "")
