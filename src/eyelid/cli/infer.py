"""``eyelid infer``: a model's answer without showing the image, in three ways that trust different things."""

from __future__ import annotations

import typer

from eyelid.cli import infer_enclave, infer_he, infer_mpc, infer_plan

app = typer.Typer(
    help="Ask a model without showing it the image: encrypted, shared among parties, or in an enclave.",
    no_args_is_help=True,
)
app.add_typer(infer_he.app, name="he")
app.add_typer(infer_mpc.app, name="mpc")
app.add_typer(infer_enclave.app, name="enclave")
app.command("plan")(infer_plan.plan)
