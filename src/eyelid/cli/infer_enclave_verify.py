"""``eyelid infer enclave verify``: is this evidence of the code that may see the image?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eyelid.cli.options import Json

if TYPE_CHECKING:
    from eyelid.infer.enclave.appraisal import Appraisal
    from eyelid.infer.enclave.evidence import Kind


def verify(
    url: Annotated[str | None, typer.Argument(help="A server to ask for fresh evidence.")] = None,
    policy: Annotated[
        Path | None,
        typer.Option("--policy", "-p", help="Whom to trust, and what may run there.", readable=False),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(
            "--evidence", metavar="FILE", help="Saved evidence, in place of a server.", readable=False
        ),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="What FILE is: sev-snp, tdx, sgx, nitro or tpm.")
    ] = None,
    collateral: Annotated[
        Path | None,
        typer.Option(
            "--collateral",
            metavar="PATH",
            help="Folder with certificates and Intel's collateral.",
            readable=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Appraise as of 2026-01-31T12:00Z; now by default."),
    ] = None,
    nonce: Annotated[
        str | None, typer.Option("--nonce", metavar="HEX", help="The nonce for which FILE was made.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", help="The server's certificate authority, PEM.", readable=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Appraise evidence by a policy; the exit code is 0 only if every check passes.

    A saved piece is appraised without any network; without a policy, only whether it is genuine. Nothing is
    sent to a server but the request for evidence.
    """
    from eyelid.cli.output import say_json
    from eyelid.errors import EyelidError, UsageError

    if (url is None) == (evidence is None):
        raise UsageError("name either a server or, with --evidence, a file")
    if evidence is None:
        if any(option is not None for option in (kind, collateral, at, nonce)):
            raise UsageError(
                "--kind, --collateral, --at and --nonce are for saved evidence: a server is asked now"
            )
        if policy is None:
            raise UsageError("give a policy: --policy p.toml says whom to trust and what may run")
        from eyelid.cli.infer_enclave_live import appraise

        appraisal = appraise(str(url), policy, ca)
    else:
        appraisal = _saved(evidence, _kind(kind), policy, collateral, _time(at), _nonce(nonce))
    if as_json:
        say_json("appraisal", appraisal.model_dump(mode="json", by_alias=True))
    else:
        show(appraisal)
    if not appraisal.passed:
        raise typer.Exit(EyelidError.exit_code)


def show(appraisal: Appraisal) -> None:
    """Print an appraisal for people: a table of checks, then the verdict and what it does not cover."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    table = Table(box=SIMPLE, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for check in appraisal.checks:
        mark = Text("pass", style="green") if check.passed else Text("FAIL", style="bold red")
        table.add_row(mark, check.name, Text(check.reason))
    console.print(table)
    verdict = "passed" if appraisal.passed else f"refused: {', '.join(c.name for c in appraisal.failures)}"
    console.print(Text(f"{appraisal.kind.value} evidence {verdict}", style="bold"), soft_wrap=True)
    console.print(Text(f"assurance: {appraisal.assurance.value}"), soft_wrap=True)
    console.print(Text(f"appraised as of {_as_of(appraisal)}"), soft_wrap=True)
    console.print(Text("not covered: " + "; ".join(appraisal.not_covered)), style="dim", soft_wrap=True)


def _as_of(appraisal: Appraisal) -> str:
    """Say the appraisal time, and how far from now it is: a stale verdict must not look like a fresh one."""
    text = f"{appraisal.appraised_at:%Y-%m-%dT%H:%M:%SZ}"
    if appraisal.appraised_now:
        return f"{text} (now)"
    days = (datetime.now(appraisal.appraised_at.tzinfo) - appraisal.appraised_at).days
    if days < 0:
        return f"{text}, as asked; that is in the future"
    return (
        f"{text}, as asked; that is {days} days ago, and says nothing of today"
        if days
        else f"{text}, as asked"
    )


def _saved(
    evidence: Path,
    kind: Kind | None,
    policy: Path | None,
    collateral: Path | None,
    at: datetime | None,
    nonce: bytes | None,
) -> Appraisal:
    from eyelid.infer.enclave.case import Challenge
    from eyelid.infer.enclave.evidence_file import read_evidence
    from eyelid.infer.enclave.policy_file import genuine, read_policy
    from eyelid.infer.enclave.verify import verify as appraise

    rules = read_policy(policy) if policy else None
    saved = read_evidence(evidence, kind)
    return appraise(
        saved, rules or genuine(saved.kind), at=at, collateral=collateral, challenge=Challenge(nonce)
    )


def _kind(named: str | None) -> Kind | None:
    from eyelid.errors import UsageError
    from eyelid.infer.enclave.evidence import Kind

    if named is None:
        return None
    try:
        return Kind(named)
    except ValueError:
        raise UsageError(f"--kind {named}: choose {', '.join(Kind)}") from None


def _time(text: str | None) -> datetime | None:
    from eyelid.errors import UsageError

    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text}: give a time such as 2026-01-31T12:00Z") from None
    if time.tzinfo is None:
        raise UsageError(f"--at {text}: add a time zone, such as Z for UTC")
    return time


def _nonce(text: str | None) -> bytes | None:
    from eyelid.errors import UsageError

    if text is None:
        return None
    try:
        nonce = bytes.fromhex(text)
    except ValueError:
        nonce = b""
    if not 1 <= len(nonce) <= 64:
        raise UsageError("--nonce: give 1 to 64 bytes in hexadecimal")
    return nonce
