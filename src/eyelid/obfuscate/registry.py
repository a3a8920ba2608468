"""The methods by name: a new one is its own file, one import and one name in :data:`Method`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, get_args

from pydantic import Field, TypeAdapter, ValidationError

from eyelid.errors import UsageError
from eyelid.obfuscate.blur import Blur
from eyelid.obfuscate.cloak import Cloak
from eyelid.obfuscate.lock import Lock
from eyelid.obfuscate.pixelate import Pixelate
from eyelid.obfuscate.regions import Coverage
from eyelid.obfuscate.solid import Solid

__all__ = ["NAMES", "Blur", "Cloak", "Lock", "Method", "Pixelate", "Solid", "build", "parse"]

if TYPE_CHECKING:
    from pathlib import Path

    from eyelid.obfuscate.base import Obfuscator

Method: TypeAlias = Annotated[Solid | Pixelate | Blur | Lock | Cloak, Field(discriminator="name")]
"""The parameters of any method."""

_PARAMETERS = {c.model_fields["name"].default: c for c in get_args(get_args(Method)[0])}
NAMES: tuple[str, ...] = tuple(_PARAMETERS)


def build(method: Method, coverage: Coverage | None = None, sidecar: Path | None = None) -> Obfuscator:
    """Return the obfuscator for a method; ``sidecar`` is required where ``method.sidecar`` names a suffix."""
    return method.build(coverage or Coverage(), sidecar)


def parse(text: str) -> Method:
    """Read a method as typed: ``solid``, ``pixelate:8``, ``blur:cells=4,levels=16``, ``lock:my.key``.

    A value without a name is the method's first parameter. Raises UsageError.
    """
    name, _, rest = text.partition(":")
    if name not in _PARAMETERS:
        raise UsageError(f"there is no method {name!r}; choose one of {', '.join(NAMES)}")
    options = [field for field in _PARAMETERS[name].model_fields if field != "name"]
    values: dict[str, Any] = {"name": name}
    for part in filter(None, rest.split(",")):
        key, equals, value = part.partition("=")
        if not equals:
            key, value = (options or [""])[0], part
        if key not in options or key in values:
            raise UsageError(
                f"the method {name} cannot take {part!r}; "
                + (f"it takes {', '.join(options)}, each once" if options else "it has no parameters")
            )
        values[key] = value
    try:
        method: Method = TypeAdapter[Method](Method).validate_python(values)
    except ValidationError as error:
        problem = error.errors()[0]
        where = " ".join(str(part) for part in problem["loc"][1:])
        raise UsageError(
            f"the method {name} cannot use {where} in {text!r}: {problem['msg'].lower()}; correct it"
        ) from None
    return method
