"""``eyelid attack cloak``: do recognisers still name people in cloaked pictures?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eyelid.cli.options import Data, Json, Quiet, words
from eyelid.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from eyelid.attack.cloak_transfer import Cloaked, Transfer

CAPTION = (
    "known: the cloak is made against it. A cloak that works where it is known and fails where it is not "
    "hides nobody: anyone may use another recogniser, or train one on cloaked pictures, as the last one is."
)


def cloak(
    data: Data,
    method: Annotated[
        str, typer.Option("--method", "-m", help="The cloak, as in 'eyelid anonymize --method'.")
    ] = "cloak",
    against: Annotated[
        str | None,
        typer.Option(
            help="The recognisers that the cloak is made against, with commas; all that ship by default. "
            "Leave one out to see whether a cloak works on one that it does not know."
        ),
    ] = None,
    people: Annotated[int, typer.Option(min=1, max=1000, help="People of whom one picture is cloaked.")] = 12,
    seed: Annotated[int, typer.Option(min=0, help="Which people and pictures.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Cloak pictures of known people, and see which recognisers still name them, after uploads too."""
    from eyelid.attack.cloak_retrained import LESSONS, CloakRetrained, prepare, retrain
    from eyelid.attack.cloak_transfer import CloakTransfer, Upload, cloak_probes, recognisers
    from eyelid.attack.dataset import read_faces
    from eyelid.cli.output import Display, say_json
    from eyelid.jobs.progress import Progress
    from eyelid.obfuscate.cloak import FOOLED, Cloak
    from eyelid.obfuscate.registry import parse

    chosen = parse(method)
    if not isinstance(chosen, Cloak):
        raise UsageError(f"{method} is no cloak; attack other methods with 'eyelid attack reidentify'")
    known = FOOLED if against is None else tuple(dict.fromkeys(words(against)))
    strange = [name for name in known if name not in FOOLED]
    if strange or not known:
        raise UsageError(
            f"a cloak cannot be made against {strange[0] if strange else 'nobody'}; "
            f"choose among {', '.join(FOOLED)}"
        )
    faces = read_faces(data)
    everybody = len(faces.names)
    probed = min(people, everybody)
    total = probed + min(LESSONS, everybody)
    with Display(as_json=as_json, quiet=quiet) as display:
        target = cloak_probes(
            faces,
            chosen,
            people,
            seed,
            against=known,
            listener=lambda done, _: display(Progress(data, done, total, "pages")),
        )
        lessons = prepare(
            target.gallery,
            chosen,
            seed=seed,
            against=known,
            listener=lambda done, _: display(Progress(data, probed + done, total, "pages")),
        )
    attacks = [
        CloakTransfer(recogniser, upload, smooths=smooths)
        for recogniser in recognisers(known)
        for smooths in (False, True)
        for upload in Upload
    ]
    learnt = retrain(lessons)
    attacks += [CloakRetrained(learnt, upload) for upload in Upload]
    measured = [attack.measure(target) for attack in attacks]
    if as_json:
        for transfer in measured:
            say_json("result", {"method": method, "against": known, **transfer.model_dump(mode="json")})
        return
    from rich.console import Console

    Console().print(_table(target, measured))


def _table(target: Cloaked, measured: list[Transfer]) -> Table:
    from rich.box import SIMPLE
    from rich.table import Table

    from eyelid.evidence.summary import number

    cloaked = number(len(target.clear.people), "person", "people")
    title = (
        f"{cloaked} cloaked, {len(target.gallery.people)} in the gallery; "
        f"chance {measured[0].result.chance:.1%}"
    )
    table = Table(title=title, title_justify="left", caption=CAPTION, caption_justify="left", box=SIMPLE)
    table.add_column("recogniser", no_wrap=True)
    for name in ("the attacker", "upload"):
        table.add_column(name)
    for name in ("clear", "cloaked", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    before = ""
    for transfer in measured:
        result, first = transfer.result, transfer.recogniser != before
        if first:
            table.add_section()
        low, high = result.interval
        table.add_row(
            f"{transfer.recogniser}\n[dim]{_to_the_cloak(transfer)}[/]" if first else "",
            result.threat.knowledge.value,
            transfer.upload.value,
            f"{transfer.clear:.1%}",
            f"[{'red' if result.beats_chance else 'green'}]{result.success:.1%}[/]",
            f"{low:.1%} to {high:.1%}",
        )
        before = transfer.recogniser
    return table


def _to_the_cloak(transfer: Transfer) -> str:
    from eyelid.attack.base import Knowledge

    if transfer.result.threat.knowledge is Knowledge.RETRAINED:
        return "learnt"
    return "known" if transfer.seen else "UNKNOWN"
