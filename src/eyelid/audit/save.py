"""Writes both files of an audit, or none."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from eyelid.audit.file import write
from eyelid.audit.report import render
from eyelid.media.atomic import atomic_output

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from eyelid.audit.run import Audited


def save(
    audited: Audited,
    json: Path,
    html: Path,
    *,
    show_original: bool = False,
    key: Ed25519PrivateKey | None = None,
    force: bool = False,
) -> None:
    """Write the record, signed where there is a key, and the report; no original in it unless asked for.

    Raises OutputError; then neither new file is there.
    """
    page = render(audited, html.name, show_original=show_original)
    with ExitStack() as undo:
        with atomic_output(html, force=force) as partial:
            partial.write_text(page, encoding="utf-8")
            write(audited.audit, json, key=key, force=force)
            undo.callback(json.unlink, missing_ok=True)  # the report may still fail to take its name
        undo.pop_all()
