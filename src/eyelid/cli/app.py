"""All commands in one program, and how any error becomes one sentence and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from eyelid import __version__
from eyelid.cli import anonymize, attack, audit, detect, infer, keygen, models, p3, unlock, verify
from eyelid.cli.output import complain
from eyelid.errors import EyelidError

app = typer.Typer(
    name="eyelid",
    help="Private computer vision: hide what must not be seen, and say what is left.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("anonymize")(anonymize.anonymize)
app.command("audit")(audit.audit)
app.command("detect")(detect.detect)
app.command("models")(models.models)
app.command("unlock")(unlock.unlock)
app.command("verify")(verify.verify)
app.command("keygen")(keygen.keygen)
app.add_typer(p3.app, name="p3")
app.add_typer(attack.app, name="attack")
app.add_typer(infer.app, name="infer")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eyelid {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Private computer vision: hide what must not be seen, and say what is left."""


class _Stopped(BaseException):
    """A signal asks the program to end, through all context managers, so that nothing half done stays."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def _stop(number: int, _frame: FrameType | None) -> None:
    raise _Stopped(number)


def run() -> None:
    """Run the program; an error is one sentence on stderr, and a code: 1 failed, 2 wrong usage."""
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except EyelidError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except _Stopped as stopped:
        complain("stopped; what was not finished has been removed, and the input is as it was")
        sys.exit(stopped.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # the last fence: a message could quote what was being hidden
        if os.environ.get("EYELID_DEBUG"):
            raise
        complain(
            f"an unexpected {type(error).__name__} ended the run and nothing was written; "
            "set EYELID_DEBUG=1 to see where, and please report it"
        )
        sys.exit(1)
