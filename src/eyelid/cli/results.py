"""How the results of attacks look on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from eyelid.attack.base import AttackResult


def results_table(results: Iterable[AttackResult]) -> Table:
    """Return a table with a line for each attack: what it measured, chance, and what that comes to."""
    from rich.table import Table
    from rich.text import Text

    from eyelid.audit.words import COLOURS, figure, interval, reading

    table = Table(show_edge=False, pad_edge=False)
    for title in ("attack", "attacker", "measured", "chance", ""):
        table.add_column(title, overflow="fold")
    for found in results:
        said = reading(found)
        table.add_row(
            Text(found.attack),
            found.threat.knowledge.value,
            f"{found.measure} {figure(found.success, found.measure)} ({interval(found)})",
            figure(found.chance, found.measure),
            Text(said.words, COLOURS[said.tone]),
        )
    return table
