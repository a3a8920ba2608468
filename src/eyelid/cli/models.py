"""``eyelid models``: the cards of the networks inside."""

from __future__ import annotations

from eyelid.cli.options import Json


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
        convention = card.input
        table.add_row(
            "input",
            f"{convention.channels.upper()}, {convention.layout.upper()}, minus {convention.mean}, "
            f"divided by {convention.scale}, sides a multiple of {convention.multiple}"
            + (f"; through {card.after}, whose output it takes" if card.after else ""),
        )
        for figure in card.measured:
            table.add_row(
                "measured",
                f"{figure.what}: {figure.value:g}{figure.unit} on {figure.data} ({figure.command})",
            )
        console.print(table)
