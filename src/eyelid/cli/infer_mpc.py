"""``eyelid infer mpc``: inference on shares held by two or three parties, none of which sees the image."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Multi-party computation: two or three parties compute on shares, and no dealer is trusted.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Multi-party computation: two or three parties compute on shares, and no dealer is trusted."""
