"""eyelid: private computer vision. It hides what must not be seen, and says what is left."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyelid.audit.api import audit
    from eyelid.audit.verify import verify
    from eyelid.jobs.api import anonymize, anonymize_folder, unlock
    from eyelid.jobs.settings import Settings
    from eyelid.types import Quality, Shape, Target

__version__ = "0.1.0"

__all__ = [
    "Quality",
    "Settings",
    "Shape",
    "Target",
    "anonymize",
    "anonymize_folder",
    "audit",
    "unlock",
    "verify",
]

_HOMES = {
    "Quality": "eyelid.types",
    "Settings": "eyelid.jobs.settings",
    "Shape": "eyelid.types",
    "Target": "eyelid.types",
    "anonymize": "eyelid.jobs.api",
    "anonymize_folder": "eyelid.jobs.api",
    "audit": "eyelid.audit.api",
    "unlock": "eyelid.jobs.api",
    "verify": "eyelid.audit.verify",
}


def __getattr__(name: str) -> object:
    """Import a public name from its room when it is first used, so that the command line starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eyelid' has no attribute {name!r}")
    found: object = getattr(import_module(_HOMES[name]), name)
    return globals().get(name, found)  # the import binds eyelid.audit, a package that can be called
