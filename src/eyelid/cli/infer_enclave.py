"""``eyelid infer enclave``: inference where evidence of hardware says what code sees the image."""

from __future__ import annotations

import typer

from eyelid.cli import infer_enclave_live, infer_enclave_verify

app = typer.Typer(
    help="Attested inference: the image is encrypted to code whose measurement the hardware vouches for.",
    no_args_is_help=True,
)

app.command("serve")(infer_enclave_live.serve)
app.command("measure")(infer_enclave_live.measure)
app.command("policy")(infer_enclave_live.policy)
app.command("seal")(infer_enclave_live.seal)
app.command("predict")(infer_enclave_live.predict)
app.command("verify")(infer_enclave_verify.verify)


@app.callback()
def group() -> None:
    """Attested inference: the image is encrypted to code whose measurement the hardware vouches for."""
