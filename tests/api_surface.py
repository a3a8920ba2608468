"""The public surface of eyelid: what a user may import, recorded in api_surface.json.

``make api`` records it anew after a change that is meant; the change then shows in review.
"""

import inspect
import json
from enum import EnumType
from importlib import import_module
from pathlib import Path

RECORD = Path(__file__).with_suffix(".json")
MODULES = ("eyelid", "eyelid.types", "eyelid.errors", "eyelid.evidence.model", "eyelid.evidence.verify")


def surface() -> dict[str, dict[str, list[str]]]:
    """Return for each public module its public names, each with its parameters or members."""
    return {module: _names(module) for module in MODULES}


def _names(module_name: str) -> dict[str, list[str]]:
    module = import_module(module_name)
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module_name
    ]
    return {name: _parameters(getattr(module, name)) for name in sorted(names)}


def _parameters(value: object) -> list[str]:
    if isinstance(value, EnumType):
        return list(value.__members__)
    if not callable(value):
        return []
    try:
        return list(inspect.signature(value).parameters)
    except ValueError:
        return []


if __name__ == "__main__":
    RECORD.write_text(json.dumps(surface(), indent=2) + "\n")
