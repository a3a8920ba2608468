"""``eyelid infer he``: inference on encrypted images; the server computes without a secret key."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from eyelid.cli import infer_he_faces
from eyelid.cli.options import Force, Json, TlsCertificate, TlsKey, tls_of

app = typer.Typer(
    help="Homomorphic encryption: the server computes on ciphertexts and never holds a key to them.",
    no_args_is_help=True,
)
app.command("gallery")(infer_he_faces.gallery)
app.command("match")(infer_he_faces.match)

Passphrase: TypeAlias = infer_he_faces.Passphrase
Key: TypeAlias = infer_he_faces.Key
Server: TypeAlias = infer_he_faces.Server
Authority: TypeAlias = infer_he_faces.Authority


@app.command("compile")
def compile_model(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL.onnx", help="The network, as ONNX.", readable=False)
    ],
    calibrate: Annotated[
        list[Path],
        typer.Option(
            "--calibrate",
            metavar="PATH",
            help="Images like those to come: a folder, pictures, or .npy.",
            readable=False,
        ),
    ],
    target: Annotated[
        str,
        typer.Option("--target", help="latency: one image, one ciphertext; throughput: thousands at once."),
    ] = "latency",
    degree: Annotated[
        int,
        typer.Option(
            "--degree", min=2, max=4, help="Of the polynomials for Relu; 3 and 4 take two levels each."
        ),
    ] = 2,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the artefact goes.", readable=False)
    ] = Path("server.eyelid"),
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Turn a network into an artefact for the server: weights and parameters, no keys."""
    from eyelid.cli.output import say, say_json
    from eyelid.errors import UsageError
    from eyelid.infer import onnx_reader, pictures
    from eyelid.infer.he.artefact import Target
    from eyelid.infer.he.compile import compile as compile_network
    from eyelid.infer.he.report import report
    from eyelid.media.atomic import atomic_output, check_output

    if target not in list(Target):
        raise UsageError(f"--target {target}: choose latency or throughput")
    check_output(model, output, force=force)
    network = onnx_reader.read(model)
    images = pictures.load(calibrate, network.input_shape)
    artefact = compile_network(network, images, Target(target), degree=degree)
    with atomic_output(output, force=force) as partial:
        partial.write_bytes(artefact.save())
    told = report(artefact)
    if as_json:
        say_json("artefact", {"file": str(output), **told.model_dump(mode="json")})
    else:
        say(str(told))
        say(f"{output}: for the server; it holds no key. Next: eyelid infer he keygen {output}")


@app.command("keygen")
def keygen(
    source: Annotated[
        str, typer.Argument(metavar="ARTEFACT|URL", help="The artefact, or the server that has it.")
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Where the secret key goes.", readable=False),
    ] = Path("client.key"),
    rotate: Annotated[
        bool, typer.Option("--rotate", help="Put a new key in the place of FILE; the old one is kept aside.")
    ] = False,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Days until the key expires.")] = 365,
    passphrase_file: Passphrase = None,
    authority: Authority = None,
) -> None:
    """Make a key pair: FILE stays with you, sealed by a passphrase; FILE.eval is what servers may have."""
    from rich.filesize import decimal

    from eyelid.cli.infer_he_faces import offer_of
    from eyelid.cli.output import say
    from eyelid.cli.passphrase import passphrase
    from eyelid.infer.he import keys

    told = offer_of(source, authority)
    word = passphrase(passphrase_file, new=not rotate)
    if rotate:
        made, kept = keys.rotate(output, word, told.artefact, told.demands, days=days)
        say(f"{kept}: the old key, for old answers; delete it when you need them no more")
    else:
        made = keys.generate(output, told.artefact, told.demands, word, days=days)
    public = keys.evaluation_path(output)
    say(f"{output}: keep it secret; it decrypts. Key {made.key_id}, until {made.expires:%Y-%m-%d}")
    say(f"{public}: {decimal(public.stat().st_size)} for the server, sent with the first request")


@app.command("serve")
def serve(
    artefact: Annotated[
        Path, typer.Argument(metavar="ARTEFACT", help="What compile or gallery wrote.", readable=False)
    ],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes a free one and says which.")
    ] = 8443,
    host: Annotated[
        str, typer.Option("--host", help="The address to serve on; other machines need TLS.")
    ] = "127.0.0.1",
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    clients: Annotated[
        int, typer.Option("--clients", min=1, max=1000, help="How many clients' evaluation keys to hold.")
    ] = 8,
) -> None:
    """Answer encrypted requests over HTTP; /openapi.json describes it. There is no secret key here."""
    from eyelid.cli.output import say
    from eyelid.infer import serving
    from eyelid.infer.he import programs
    from eyelid.infer.he.server import KeyStore
    from eyelid.infer.he.server import Server as HeServer
    from eyelid.infer.he.service import application

    tls = tls_of(tls_certificate, tls_key)
    server = HeServer(programs.load(artefact), KeyStore(clients))

    def ready(address: str) -> None:
        typer.echo(f"serving {artefact.name} at {address}")

    serving.serve(application(server), port=port, host=host, tls=tls, ready=ready)
    say("stopped")


@app.command("predict")
def predict(
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", help="Pictures, folders of them, or .npy arrays.", readable=False),
    ],
    key: Key = Path("client.key"),
    server: Server = "http://127.0.0.1:8443",
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Print unrounded scores: NEVER pass these on, they tell of the secret key."
        ),
    ] = False,
    passphrase_file: Passphrase = None,
    authority: Authority = None,
    as_json: Json = False,
) -> None:
    """Encrypt images here, let the server compute, decrypt its answer here: class and rounded scores."""
    import numpy as np

    from eyelid.cli.infer_he_faces import connected
    from eyelid.cli.output import say, say_json
    from eyelid.errors import InferenceError, InputError
    from eyelid.infer import pictures
    from eyelid.infer.he.contract import UncalibratedError
    from eyelid.infer.he.network_program import NetworkOffer

    outside: list[str] = []
    with connected(server, key, passphrase_file, authority) as (remote, client):
        told = client.offer
        if not isinstance(told, NetworkOffer):
            raise InputError(f"{server} has a gallery, not a network; use match")
        batch, names = pictures.load_named(images, told.manifest.input_shape)
        for start in range(0, len(batch), told.manifest.images):
            request = client.encrypt(batch[start : start + told.manifest.images])
            response = remote.run(request.data)
            part = names[start : start + request.rows]
            try:
                classes = client.classes(response, request)
                scores = client.decrypt(response, request, exact=exact)
            except UncalibratedError as error:  # go on asking: a server must not see what was in its answers
                outside += [part[row] for row in error.rows]
                continue
            for name, found, row in zip(part, classes.tolist(), scores, strict=True):
                if as_json:
                    say_json("result", {"image": name, "class": found, "scores": row.tolist()})
                else:
                    shown = np.array2string(row, precision=17 if exact else 4, max_line_width=10_000)
                    say(f"{name}: class {found}, scores {shown}")
    if outside:
        raise InferenceError(
            f"{', '.join(outside)}: outside of what the network was calibrated for, so the scores are "
            "not to be relied on; its owner can compile it with images like these"
        )
