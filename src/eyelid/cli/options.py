"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eyelid.errors import UsageError

if TYPE_CHECKING:
    from pydantic import ValidationError

    from eyelid.infer.serving import Tls
    from eyelid.jobs.settings import Settings

Targets: TypeAlias = Annotated[
    str,
    typer.Option(
        "--targets", "-t", help="What to hide, with commas: face, plate, person, text, screen, vehicle."
    ),
]
QualityOption: TypeAlias = Annotated[
    str, typer.Option("--quality", "-q", help="Work spent on detection: fast, balanced or thorough.")
]
Detectors: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--detector",
        metavar="SPEC",
        help="Your own detector, in place of the shipped one for its target: "
        "model.onnx:plate, or package.module:callable:person. May be repeated.",
    ),
]
DeviceOption: TypeAlias = Annotated[str, typer.Option("--device", help="Where networks run: cpu or cuda.")]
Threads: TypeAlias = Annotated[
    int | None, typer.Option("--threads", min=1, help="Threads for detection; one for each core by default.")
]
Force: TypeAlias = Annotated[bool, typer.Option("--force", "-f", help="Replace outputs that exist.")]
Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON lines for programs.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
Output: TypeAlias = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="PATH", help="Where the output goes.", readable=False)
]
Sign: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--sign", metavar="PEM", help="Sign the record of it with this Ed25519 key.", readable=False
    ),
]
Data: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--data", metavar="DIR", help="Pictures of known people: a subfolder for each.", readable=False
    ),
]

TlsCertificate: TypeAlias = Annotated[
    Path | None,
    typer.Option("--tls-certificate", metavar="PEM", help="The server's certificate.", readable=False),
]
TlsKey: TypeAlias = Annotated[
    Path | None,
    typer.Option("--tls-key", metavar="PEM", help="The certificate's private key.", readable=False),
]


def tls_of(certificate: Path | None, key: Path | None) -> Tls | None:
    """Return what a server needs for TLS, where it is asked for; raises UsageError for one of two."""
    from eyelid.infer.serving import Tls

    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise UsageError("TLS needs a certificate and its key: give both --tls-certificate and --tls-key")
    return Tls(certificate, key)


def words(value: str) -> list[str]:
    """Split a list with commas."""
    return [word.strip() for word in value.split(",") if word.strip()]


def settings_of(values: dict[str, object]) -> Settings:
    """Return what the options ask for; raises UsageError for a value that cannot be."""
    from pydantic import ValidationError

    from eyelid.jobs.settings import Settings

    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise usage_error(error) from None


def usage_error(error: ValidationError) -> UsageError:
    """Turn a rejected setting into one sentence."""
    first = error.errors(include_url=False)[0]
    option = next((part for part in reversed(first["loc"]) if isinstance(part, str)), "settings")
    given = first["input"] if isinstance(first["input"], str | int | float) else "what you gave"
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "enum":
        message = "choose " + message.removeprefix("Input should be ").replace("'", "")
    else:
        message = message.replace("Input should", "it must")
    return UsageError(f"--{option.replace('_', '-')} {given}: {message}")
