"""``eyelid anonymize``: copies of photos and videos in which the targets are hidden."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eyelid.cli.options import (
    Detectors,
    DeviceOption,
    Force,
    Json,
    Output,
    QualityOption,
    Quiet,
    Sign,
    Threads,
    settings_of,
    words,
)


def anonymize(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="SOURCE...", help="Photos, videos, or one folder.", readable=False),
    ],
    output: Output = None,
    targets: Annotated[
        str | None,
        typer.Option(
            "--targets",
            "-t",
            help="What to hide, with commas: face, plate, person, text, screen, vehicle. "
            "By default face,plate; with remove person,vehicle too.",
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            help="Solid, pixelate, blur, lock, dp-pixelate, dp-blur, metric, svd, cloak or remove.",
        ),
    ] = "solid",
    epsilon: Annotated[
        float | None,
        typer.Option(help="Of dp-pixelate, dp-blur, metric, svd: less is more noise."),
    ] = None,
    pixels: Annotated[
        int | None,
        typer.Option(help="Of dp-pixelate, dp-blur: epsilon is for so many pixels of a region."),
    ] = None,
    quality: QualityOption = "balanced",
    shape: Annotated[
        str | None,
        typer.Option(help="Outline: ellipse or box; by default ellipses for faces and boxes for the rest."),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="Part of a detection's side that is covered beyond it, e.g. 0.2.")
    ] = None,
    keep: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="PHOTO", help="A person whose face stays visible. May be repeated.", readable=False
        ),
    ] = None,
    on_lost: Annotated[
        str, typer.Option(help="Where a tracked target is lost: hold (cover its last place) or cover-frame.")
    ] = "hold",
    detections: Annotated[
        Path | None,
        typer.Option(
            metavar="COCO",
            help="Cover what this file from 'eyelid detect' says; detect nothing.",
            readable=False,
        ),
    ] = None,
    detector: Detectors = None,
    views: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Of remove: more photos of the place, to fill photos from.", readable=False
        ),
    ] = None,
    audio: Annotated[str, typer.Option(help="The sound of a video: keep (voices too!) or drop.")] = "keep",
    crf: Annotated[int | None, typer.Option(help="Quality of the video encoder; lower is better.")] = None,
    preset: Annotated[str | None, typer.Option(help="Speed of the video encoder, e.g. veryfast.")] = None,
    encoder: Annotated[str | None, typer.Option(help="Video encoder, e.g. libx264 or libx265.")] = None,
    key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Key of --method lock; see 'eyelid keygen'.", readable=False),
    ] = None,
    sign: Sign = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes for many files; one for each core by default."),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS", help="Spread many files over a Ray cluster: local, auto or its address."
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Only three seconds, where most is to hide; then an estimate.")
    ] = False,
    device: DeviceOption = "cpu",
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Hide faces, plates and more in photos and videos.

    Each output gets a file of evidence beside it that says what was done, and what is not covered.
    """
    from eyelid.errors import UsageError
    from eyelid.obfuscate.registry import parse

    if key is not None and method != "lock":
        raise UsageError("--key is for --method lock; leave it out, or lock")
    if method == "lock" and key is None:
        raise UsageError(
            "--method lock needs a key; make one with 'eyelid keygen my.key' and give --key my.key"
        )
    if views is not None and method != "remove":
        raise UsageError("--views is for --method remove; leave it out, or remove")
    chosen = parse(f"{method}:key={key}" if key else method, {"epsilon": epsilon, "pixels": pixels})
    settings = settings_of(
        {
            "targets": chosen.targets if targets is None else words(targets),
            "method": chosen,
            "coverage": {"shape": shape, "margin": margin},
            "quality": quality,
            "on_lost": on_lost,
            "keep": keep or [],
            "detections": detections,
            "detectors": detector or [],
            "views": views,
            "encoding": {"encoder": encoder, "crf": crf, "preset": preset, "audio": audio},
            "device": device,
            "threads": threads,
            "signing_key": sign,
        }
    )
    if preview:
        from eyelid.cli.report_preview import preview_one

        preview_one(sources, output, settings, force=force, as_json=as_json, quiet=quiet)
    else:
        from eyelid.cli.report import anonymize_many

        anonymize_many(
            sources,
            output,
            settings,
            workers=workers,
            ray=ray,
            force=force,
            as_json=as_json,
            quiet=quiet,
        )
