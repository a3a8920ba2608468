"""``eyelid infer he``: inference on encrypted images; the server computes without a secret key."""

from __future__ import annotations

import typer

app = typer.Typer(
    help="Homomorphic encryption: the server computes on ciphertexts and never holds a key to them.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Homomorphic encryption: the server computes on ciphertexts and never holds a key to them."""
