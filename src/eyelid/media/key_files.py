"""Files of keys: new, whole, and readable as far as each may be."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eyelid.errors import OutputError
from eyelid.media.atomic import sync_folder

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A file to write, and its permissions; its repr shows no secret."""

    path: Path
    content: bytes
    mode: int = 0o600

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r})"


def write_new(*files: KeyFile) -> None:
    """Write files that belong together, all or none; none replaces another. Raises OutputError."""
    with ExitStack() as undo:
        for file in files:
            try:
                descriptor = os.open(
                    file.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, file.mode
                )
                undo.callback(file.path.unlink, missing_ok=True)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(file.content)
                    stream.flush()
                    os.fsync(descriptor)
            except FileExistsError:
                raise OutputError(
                    f"{file.path} exists and may be the only key to something; choose another name"
                ) from None
            except OSError as error:
                raise OutputError(
                    f"{file.path} cannot be written ({error.strerror}); choose another place"
                ) from error
            sync_folder(file.path.parent)
        undo.pop_all()
