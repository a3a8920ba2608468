"""How attacks on methods, and their results, look on a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from textwrap import fill
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.table import Table

    from eyelid.attack.base import AttackResult, Listener


def results_table(results: Iterable[AttackResult], width: int) -> Table:
    """Return a table with a line for each attack: what it measured, chance, and what that comes to.

    ``width``: columns of the terminal; a quarter are for the name of the attack, whose words stay whole.
    """
    from rich.table import Table
    from rich.text import Text

    from eyelid.audit.words import COLOURS, figure, interval, reading

    results = tuple(results)
    widest = max([width // 4, *(len(word) for found in results for word in found.attack.split())])
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("attack", no_wrap=True)
    for title in ("attacker", "measured", "chance", ""):
        table.add_column(title, overflow="fold")
    for found in results:
        said = reading(found)
        table.add_row(
            Text(fill(found.attack, widest, break_on_hyphens=False)),
            found.threat.knowledge.value,
            f"{found.measure} {figure(found.success, found.measure)} ({interval(found)})",
            figure(found.chance, found.measure),
            Text(said.words, COLOURS[said.tone]),
        )
    return table


@contextmanager
def bars(*, shown: bool) -> Iterator[Callable[[str], Listener]]:
    """Yield what makes a listener for the work on one method; bars are on a terminal's stderr only."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    drawn = Progress(*columns, console=console, transient=True, disable=not shown or not console.is_terminal)

    def listen(method: str) -> Listener:
        task = drawn.add_task(method, total=None)
        return lambda done, of: drawn.update(task, completed=done, total=of)

    with drawn:
        yield listen
