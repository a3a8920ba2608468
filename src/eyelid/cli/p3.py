"""``eyelid p3``: a photo in two parts, one to publish and one encrypted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyelid.cli.options import Force, Json, Output
from eyelid.errors import UsageError

app = typer.Typer(
    help="Split a JPEG into a public part and an encrypted secret part, and join them again.",
    no_args_is_help=True,
)

Key = Annotated[
    Path, typer.Option("--key", metavar="FILE", help="A key that `eyelid keygen` made.", readable=False)
]


@app.command("split")
def split(
    photo: Annotated[
        Path, typer.Argument(metavar="PHOTO", help="A JPEG of 8 bits a sample.", readable=False)
    ],
    key: Key,
    threshold: Annotated[
        int,
        typer.Option(
            "--threshold",
            "-T",
            metavar="T",
            help="Coefficients up to T, 1 to 100, stay public; a smaller T makes more of the photo secret.",
        ),
    ] = 10,
    output: Output = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Write the public part PHOTO.p3.jpg and the encrypted secret part PHOTO.p3.jpg.secret.

    The public part shows outlines and detail, and people in it ARE recognised; it is not anonymised.
    """
    from rich.filesize import decimal

    from eyelid.cli.output import say, say_json
    from eyelid.jobs.p3 import split as split_photo

    made = split_photo(photo, key, threshold, output, force=force)
    if as_json:
        say_json("result", made.model_dump(mode="json"))
        return
    found = made.reidentification
    say(
        f"{made.public}: the public part, {decimal(made.public_bytes)} of {decimal(made.photo_bytes)}, "
        f"without {', '.join(made.dropped) or 'metadata, as the photo had none'} | "
        f"{made.secret}: the secret part, {decimal(made.secret_bytes)}"
    )
    say(
        f"NOT anonymous: in public parts {found.rank_1:.0%} of {found.people} people were recognised at "
        f"T = {found.threshold}, measured by `{found.command}`"
    )


@app.command("join")
def join(
    public: Annotated[
        Path,
        typer.Argument(metavar="PUBLIC", help="The public part, or with --resized a copy.", readable=False),
    ],
    key: Key,
    secret: Annotated[
        Path | None,
        typer.Option(
            "--secret", metavar="FILE", help="The secret part; by default PUBLIC.secret.", readable=False
        ),
    ] = None,
    resized: Annotated[
        bool,
        typer.Option("--resized", help="PUBLIC is a resized copy: the photo comes back as PNG at that size."),
    ] = False,
    kind: Annotated[
        str | None,
        typer.Option(
            "--filter",
            metavar="NAME",
            help="What it was resized with, found by itself if not given: box, bilinear, hamming, bicubic, "
            "lanczos, cv-area, cv-linear, cv-cubic, cv-lanczos.",
        ),
    ] = None,
    output: Output = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Restore the photo from both parts, with exactly the coefficients that it had."""
    from eyelid.cli.output import say, say_json
    from eyelid.jobs import p3

    if kind is not None and not resized:
        raise UsageError("--filter says how the public part was resized; give --resized too, or leave it out")
    if resized:
        found = None if kind is None else p3.filter_named(kind)
        joined, used = p3.join_resized(public, key, output, secret=secret, kind=found, force=force)
        how, note = used.value, f", nearly exact at this size, resized with {used.value}"
    else:
        joined = p3.join(public, key, output, secret=secret, force=force)
        how, note = None, ""
    if as_json:
        say_json("result", {"output": str(joined), "exact": not resized, "filter": how})
    else:
        say(f"{joined}: the photo is visible again{note}; this copy is NOT anonymised")
