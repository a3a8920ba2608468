"""The command line: parse, call the API, print. Start-up stays light: commands import what they use."""

from __future__ import annotations


def main() -> None:
    """Run the command line and exit with its code."""
    from eyelid.cli.app import run

    run()
