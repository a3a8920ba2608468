"""The methods by name: a new one is its own file, one import and one name in :data:`Method`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import Field, TypeAdapter, ValidationError

from eyelid.errors import UsageError
from eyelid.obfuscate.blur import Blur
from eyelid.obfuscate.cloak import Cloak
from eyelid.obfuscate.dp_blur import DpBlur
from eyelid.obfuscate.dp_pixelate import DpPixelate
from eyelid.obfuscate.lock import Lock
from eyelid.obfuscate.metric import Metric
from eyelid.obfuscate.pixelate import Pixelate
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.remove.parameters import Remove
from eyelid.obfuscate.solid import Solid
from eyelid.obfuscate.svd import Svd

__all__ = [
    "NAMES",
    "Blur",
    "Cloak",
    "DpBlur",
    "DpPixelate",
    "Lock",
    "Method",
    "Metric",
    "Pixelate",
    "Remove",
    "Solid",
    "Svd",
    "build",
    "parse",
]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eyelid.obfuscate.base import Obfuscator

Method: TypeAlias = Annotated[
    Solid | Pixelate | Blur | Lock | DpPixelate | DpBlur | Metric | Svd | Cloak | Remove,
    Field(discriminator="name"),
]
"""The parameters of any method."""

_PARAMETERS = {c.model_fields["name"].default: c for c in get_args(get_args(Method)[0])}
NAMES: tuple[str, ...] = tuple(_PARAMETERS)


def build(method: Method, coverage: Coverage | None = None, sidecar: Path | None = None) -> Obfuscator:
    """Return the obfuscator for a method; ``sidecar`` is required where ``method.sidecar`` names a suffix."""
    return method.build(coverage or Coverage(), sidecar)


def parse(text: str, given: Mapping[str, float | None] | None = None) -> Method:
    """Read a method as typed: ``solid``, ``pixelate:8``, ``blur:cells=4,levels=16``, ``lock:my.key``.

    A value without a name is the method's first parameter; a name may be cut short as long as it stays clear,
    as in ``dp-pixelate:eps=.1``. ``given`` are parameters that came as options of their own, None where they
    did not. Raises UsageError.
    """
    name, _, rest = text.partition(":")
    if name not in _PARAMETERS:
        raise UsageError(f"there is no method {name!r}; choose one of {', '.join(NAMES)}")
    options = [field for field in _PARAMETERS[name].model_fields if field != "name"]
    values: dict[str, Any] = {"name": name}
    for part in filter(None, rest.split(",")):
        typed, equals, value = part.partition("=")
        if not equals:
            typed, value = (options or [""])[0], part
        key = _option(typed, options)
        if key is None or key in values:
            raise UsageError(
                f"the method {name} cannot take {part!r}; "
                + (f"it takes {', '.join(options)}, each once" if options else "it has no parameters")
            )
        values[key] = value
    for key, number in (given or {}).items():
        if number is None:
            continue
        if key in values:
            raise UsageError(f"--{key} is given twice: leave it out, or take it out of {text!r}")
        if key not in options:
            fitting = [name for name, kind in _PARAMETERS.items() if key in kind.model_fields]
            raise UsageError(f"--{key} is for --method {' or '.join(fitting)}; leave it out, or choose one")
        values[key] = number
    try:
        method: Method = TypeAdapter[Method](Method).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        field = " ".join(str(part) for part in problem["loc"][1:])
        reason = problem["msg"].removeprefix("Value error, ").lower()
        raise UsageError(
            f"the method {name} cannot use {_named(field, values, text)}: {reason}; correct it"
        ) from None
    return method


def _named(field: str, values: Mapping[str, Any], text: str) -> str:
    """Return what is wrong as the user knows it: a parameter with its value, or all of what was typed."""
    if field not in values:
        return f"{text!r}" + (f": {field}" if field else "")
    value = values[field]
    return f"{field} {value:.16g}" if isinstance(value, float) else f"{field} {value}"


def _option(typed: str, options: list[str]) -> str | None:
    """Return the one option that a name or its beginning stands for, None where there is none or several."""
    fitting = [option for option in options if option == typed] or [
        option for option in options if typed and option.startswith(typed)
    ]
    return fitting[0] if len(fitting) == 1 else None
