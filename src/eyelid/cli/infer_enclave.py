"""``eyelid infer enclave``: inference where evidence of hardware says what code sees the image."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Attested inference: the image is encrypted to code whose measurement the hardware vouches for.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Attested inference: the image is encrypted to code whose measurement the hardware vouches for."""
