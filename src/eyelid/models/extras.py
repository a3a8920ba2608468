"""Optional packages: what is missing is one sentence, not a traceback."""

from __future__ import annotations

from importlib.util import find_spec

from eyelid.errors import UsageError


def require(what: str, extra: str, *packages: str) -> None:
    """Raise UsageError unless all ``packages``, which ``what`` needs and ``extra`` brings, are installed."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise UsageError(
            f"{what} needs eyelid[{extra}] ({', '.join(missing)} missing); run: pip install 'eyelid[{extra}]'"
        )
