"""``eyelid infer he gallery`` and ``match``: whose face is this, asked without showing it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from eyelid.cli.options import Force, Json

if TYPE_CHECKING:
    from eyelid.infer.he.client import Client
    from eyelid.infer.he.contract import Offer
    from eyelid.infer.he.service import Remote

Key: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--key", metavar="FILE", help="The secret key that keygen made; FILE.eval beside it.", readable=False
    ),
]
Server: TypeAlias = Annotated[str, typer.Option("--server", metavar="URL", help="Where the server is.")]
Passphrase: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        help="The key's passphrase is its first line; else $EYELID_PASSPHRASE, else you are asked.",
        readable=False,
    ),
]
Authority: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--ca", metavar="PEM", help="Trust these certificates instead of the system's.", readable=False
    ),
]


def offer_of(source: str, authority: Path | None) -> Offer:
    """Return the offer of an artefact's file, or of the server at an address."""
    from eyelid.infer.calling import Caller
    from eyelid.infer.he import programs
    from eyelid.infer.he.service import Remote

    if "://" not in source:
        return programs.load(Path(source)).offer
    with Caller(source, authority=authority) as caller:
        return Remote(caller).offer()


@contextmanager
def connected(
    server: str, key: Path, passphrase_file: Path | None, authority: Path | None
) -> Iterator[tuple[Remote, Client[Any]]]:
    """Yield the server, which has the evaluation keys then, and a client for its offer."""
    from eyelid.cli.passphrase import passphrase
    from eyelid.infer.calling import Caller
    from eyelid.infer.he import keys
    from eyelid.infer.he.client import Client
    from eyelid.infer.he.service import Remote

    secret = keys.read(key, passphrase(passphrase_file))
    with Caller(server, authority=authority) as caller:
        remote = Remote(caller)
        client = Client(remote.offer(), secret)
        remote.send_keys(client.key_id, keys.evaluation_path(key))
        yield remote, client


def gallery(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Pictures of one face each.", readable=False)
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the gallery goes.", readable=False)
    ] = Path("gallery.eyelid"),
    encrypt: Annotated[
        bool,
        typer.Option("--encrypt", help="Encrypt the gallery too, with a new key; names stay in FILE.names."),
    ] = False,
    key: Key = Path("client.key"),
    passphrase_file: Passphrase = None,
    force: Force = False,
) -> None:
    """Turn a folder of faces into a gallery for a server: embeddings, in the clear or encrypted."""
    from eyelid.cli.output import say
    from eyelid.cli.passphrase import passphrase
    from eyelid.infer.he import faces, gallery_file, keys
    from eyelid.media.atomic import check_output

    check_output(folder, output, force=force)
    paths = faces.pictures(folder)
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    word = passphrase(passphrase_file, new=True) if encrypt else ""
    vectors = faces.embed_folder(paths, faces.FaceReader())
    if not encrypt:
        gallery_file.save_plain(output, folder.name, vectors, names, force=force)
        say(f"{output}: {len(names)} faces, which the server will know. Next: eyelid infer he serve {output}")
        return
    told = gallery_file.encrypted_offer(folder.name, len(names), vectors.shape[1])
    keys.generate(key, told.artefact, told.demands, word)
    gallery_file.save_encrypted(output, told, vectors, keys.read(key, word), force=force)
    listed = gallery_file.save_names(output, names, force=force)
    say(f"{output}: {len(names)} faces under key {key}; the server learns how many, and nothing else")
    say(f"{listed}: whose they are; it stays with you")


def match(
    probe: Annotated[Path, typer.Argument(metavar="PROBE", help="A picture of one face.", readable=False)],
    key: Key = Path("client.key"),
    server: Server = "http://127.0.0.1:8443",
    top: Annotated[int, typer.Option("--top", min=1, max=1000, help="How many of the best to show.")] = 5,
    names: Annotated[
        Path | None,
        typer.Option("--names", metavar="FILE", help="The names of an encrypted gallery.", readable=False),
    ] = None,
    passphrase_file: Passphrase = None,
    authority: Authority = None,
    as_json: Json = False,
) -> None:
    """Find who in a server's gallery resembles a face; the server sees neither the face nor the answer."""
    from eyelid.cli.output import say, say_json
    from eyelid.errors import InputError
    from eyelid.infer.he import faces, gallery_file
    from eyelid.infer.he.gallery import GalleryOffer
    from eyelid.infer.he.gallery import top as best

    embedding = faces.FaceReader().read(probe)
    with connected(server, key, passphrase_file, authority) as (remote, client):
        told = client.offer
        if not isinstance(told, GalleryOffer):
            raise InputError(f"{server} has a network, not a gallery; use predict")
        listed = told.names if names is None else gallery_file.read_names(names, told.vectors)
        request = client.encrypt(embedding)
        scores = client.decrypt(remote.run(request.data), request)[0]
    for index, score in best(scores, min(top, told.vectors)):
        name = listed[index] if listed else f"number {index}"
        same = score >= faces.SAME
        if as_json:
            say_json("match", {"name": name, "index": index, "similarity": score, "same": same})
        else:
            say(f"{score:6.3f}  {'same person' if same else 'another    '}  {name}")
