"""``eyelid infer mpc``: inference on shares held by two or three parties, none of which sees the image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from eyelid.cli.options import Json, Quiet

if TYPE_CHECKING:
    from eyelid.infer.mpc.session import Session
    from eyelid.infer.mpc.statistics import Answer, Cost

app = typer.Typer(
    help="Multi-party computation: two or three parties compute on shares, and no dealer is trusted.",
    no_args_is_help=True,
)

PeersFile: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--peers", metavar="TOML", help="Parties, addresses, certificates and roles.", readable=False
    ),
]
Id: TypeAlias = Annotated[str, typer.Option("--id", help="Which party this is: its number or its name.")]
Key: TypeAlias = Annotated[
    Path,
    typer.Option("--key", metavar="PEM", help="The private key of this party's certificate.", readable=False),
]
ProtocolOption: TypeAlias = Annotated[
    str | None,
    typer.Option("--protocol", help="By default cheetah for two parties and aby3 for three; no dealer."),
]
ConnectOption: TypeAlias = Annotated[
    float, typer.Option("--connect", min=1, metavar="S", help="How long to wait for the others.")
]
SilenceOption: TypeAlias = Annotated[
    float, typer.Option("--silence", min=1, metavar="S", help="When a party that sends nothing is given up.")
]
Model: TypeAlias = Annotated[
    Path | None,
    typer.Option("--model", metavar="ONNX", help="The network, at the model's owner alone.", readable=False),
]


@app.command("setup")
def setup(
    folder: Annotated[
        Path | None,
        typer.Option(
            "--folder", metavar="DIR", help="Where; EYELID_MPC_ENV must then name it.", readable=False
        ),
    ] = None,
    python: Annotated[
        str | None, typer.Option("--python", help="A Python 3.11; SPU runs on no other.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Make the environment in which SPU runs: about 1 GB, apart from eyelid's own."""
    from eyelid.cli.output import say
    from eyelid.infer.mpc import setup as environment

    where = environment.make(folder, python=python, say=(lambda _: None) if quiet else say)
    if not quiet:
        say(f"SPU is ready in {where}")
        if folder is not None and where != environment.default_folder():
            say(f"Let programs find it: export {environment.ENVIRONMENT}={where.resolve()}")


@app.command("certificate")
def certificate(
    name: Annotated[str, typer.Argument(help="The party's name, as it stands in peers.toml.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="PEM", help="The certificate; NAME.pem by default.", readable=False
        ),
    ] = None,
) -> None:
    """Make this party's key and the certificate that it gives to the others."""
    from eyelid.cli.output import say
    from eyelid.infer.mpc import certificates

    public = output or Path(f"{name}.pem")
    secret = public.with_suffix(".key")
    certificates.make(name, public, secret)
    say(f"{public}: give it to the other parties")
    say(f"{secret}: keep it here; it belongs to nobody else")


@app.command("party")
def party(
    number: Id,
    peers: PeersFile,
    key: Key,
    model: Model = None,
    protocol: ProtocolOption = None,
    once: Annotated[bool, typer.Option("--once", help="End after one session.")] = False,
    connect: ConnectOption = 86_400,
    silence: SilenceOption = 60,
    as_json: Json = False,
) -> None:
    """Take part, as the model's owner, as a helper or as the receiver, until it is stopped."""
    from eyelid.cli.output import complain
    from eyelid.errors import InferenceError
    from eyelid.infer import onnx_reader
    from eyelid.infer.mpc.peers import read
    from eyelid.infer.mpc.session import Session

    known = read(peers)
    network = onnx_reader.read(model) if model else None
    while True:
        session = Session(
            known,
            number,
            key=key,
            network=network,
            protocol=protocol,
            connect_s=connect,
            silence_s=silence,
        )
        try:
            with session:
                _greet(session, as_json)
                for place, answer in enumerate(session.serve()):
                    _show(answer, [f"batch {place + 1}"] * answer.cost.count, session, as_json)
        except InferenceError as error:
            if once:
                raise
            complain(str(error))
        if once:
            return


@app.command("predict")
def predict(
    images: Annotated[
        list[Path], typer.Argument(help="Pictures, folders of them, or .npy files.", readable=False)
    ],
    number: Id,
    peers: PeersFile,
    key: Key,
    protocol: ProtocolOption = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Run layer by layer, and show what each costs.")
    ] = False,
    connect: ConnectOption = 60,
    silence: SilenceOption = 60,
    as_json: Json = False,
) -> None:
    """Compute on pictures of which no other party sees anything, and end the session."""
    from eyelid.infer import pictures
    from eyelid.infer.mpc.peers import read
    from eyelid.infer.mpc.session import Session

    missing = [path for path in images if not path.exists()]
    if missing:
        from eyelid.errors import InputError

        raise InputError(f"{missing[0]} is not there; name a picture, a folder or a .npy file.")
    with Session(
        read(peers),
        number,
        key=key,
        protocol=protocol,
        profile=profile,
        connect_s=connect,
        silence_s=silence,
    ) as session:
        _greet(session, as_json)
        for path in images:
            batch, names = pictures.load_named(path, session.input_shape)
            done = 0
            for answer in session.predict(batch):
                start, done = done, done + answer.cost.count
                _show(answer, names[start:done], session, as_json)


@app.command("rehearse")
def rehearse(
    model: Annotated[Path, typer.Argument(help="The network (ONNX).", readable=False)],
    images: Annotated[
        list[Path], typer.Argument(help="Pictures, folders of them, or .npy files.", readable=False)
    ],
    parties: Annotated[int, typer.Option("--parties", min=2, max=3, help="How many parties.")] = 3,
    protocol: ProtocolOption = None,
    batch: Annotated[int, typer.Option("--batch", min=1, max=256, help="Pictures at once.")] = 1,
    profile: Annotated[
        bool, typer.Option("--profile", help="Run layer by layer, and show what each costs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Play all parties on this machine: what a network costs, and whether it agrees with the plain one."""
    from eyelid.cli.output import say, say_json
    from eyelid.infer import onnx_reader, pictures
    from eyelid.infer.mpc import rehearsal

    network = onnx_reader.read(model)
    loaded = pictures.load(images, network.input_shape)
    answers = rehearsal.rehearse(
        network, loaded, parties=parties, protocol=protocol, profile=profile, batch=batch
    )
    found, truth = rehearsal.scores(answers), network.run(loaded)
    agree = int((found.argmax(1) == truth.argmax(1)).sum())
    last = answers[-1].cost
    if as_json:
        say_json("rehearsal", {"images": len(found), "agree": agree, "cost": _cost(last)})
        return
    say(f"{agree} of {len(found)} answers are those of the plain network; scores differ by at most "
        f"{abs(found - truth).max():.1e}")  # fmt: skip
    _say_cost(last)


def _greet(session: Session, as_json: bool) -> None:
    from eyelid.cli.output import complain, say_json

    if as_json:
        say_json("joined", {"protocol": session.protocol.value, "assumption": session.assumption})
    else:
        complain(f"joined, {session.protocol.value}: {session.assumption}")


def _show(answer: Answer, names: list[str], session: Session, as_json: bool) -> None:
    from eyelid.cli.output import say, say_json

    if as_json:
        scores = None if answer.scores is None else answer.scores.tolist()
        say_json(
            "answer",
            {
                "images": names,
                "labels": None if answer.scores is None else answer.scores.argmax(1).tolist(),
                "scores": scores,
                "protocol": session.protocol.value,
                "assumption": session.assumption,
                "cost": _cost(answer.cost),
            },
        )
        return
    if answer.scores is None:
        say(f"{', '.join(dict.fromkeys(names))}: computed; the scores went to {session.peers.receiver} alone")
    else:
        for name, row in zip(names, answer.scores, strict=True):
            say(f"{name}: {row.argmax()} (score {row.max():.3f})")
    _say_cost(answer.cost)


def _say_cost(cost: Cost) -> None:
    from eyelid.cli.output import say

    for layer in cost.layers:
        say(
            f"  {layer.name:<16} {layer.seconds:8.4f} s  sent {layer.sent:>10,} B  received "
            f"{layer.received:>10,} B  rounds {layer.rounds:>4}"
        )
    say(
        f"  {cost.count} at once: {cost.seconds:.4f} s, {cost.sent:,} bytes sent and {cost.received:,} "
        "received by this party"
    )


def _cost(cost: Cost) -> dict[str, object]:
    from dataclasses import asdict

    return asdict(cost)
