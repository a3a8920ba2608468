"""``eyelid infer enclave`` serve, measure, seal and predict: the two ends of attested inference."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, get_args

import typer

from eyelid.cli.options import Force, Json, TlsCertificate, TlsKey, tls_of

if TYPE_CHECKING:
    from eyelid.infer.enclave.appraisal import Appraisal
    from eyelid.infer.enclave.evidence import Kind
    from eyelid.infer.enclave.launch import Launch
    from eyelid.infer.enclave.manifest import Configuration
    from eyelid.infer.enclave.messages import Answer

SOFTWARE = "software:"

Model: TypeAlias = Annotated[
    str, typer.Argument(help="An ONNX file, or what a shipped detector finds: person, vehicle, face, ...")
]
Threads: TypeAlias = Annotated[int, typer.Option("--threads", min=1, max=256, help="Of the network.")]
Least: TypeAlias = Annotated[
    float, typer.Option("--least", min=0.0, max=1.0, help="Score from which a detector's find counts.")
]
KeyLife: TypeAlias = Annotated[
    int, typer.Option("--key-life", min=60, max=2_592_000, help="Seconds for which a key is encrypted to.")
]
Tpm: TypeAlias = Annotated[
    str,
    typer.Option("--tpm", help="The TPM's device, the socket of swtpm, or software:FOLDER to try it out."),
]
Pcr: TypeAlias = Annotated[
    int, typer.Option("--pcr", min=11, max=14, help="Which PCR holds the measurement of the workload.")
]
SealedKey: TypeAlias = Annotated[
    Path | None,
    typer.Option("--sealed-key", help="The model is sealed, and this is its key: see seal.", readable=False),
]


def serve(
    model: Model,
    evidence: Annotated[
        str, typer.Option("--evidence", help="What must vouch for the workload: tpm, tdx or sev-snp.")
    ],
    tpm: Tpm = "/dev/tpmrm0",
    pcr: Pcr = 11,
    ek_chain: Annotated[
        Path | None,
        typer.Option(
            "--ek-chain", help="PEM certificates between the TPM's and its maker's root.", readable=False
        ),
    ] = None,
    sealed_key: SealedKey = None,
    threads: Threads = 1,
    least: Least = 0.5,
    key_life: KeyLife = 86_400,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8443,
    host: Annotated[str, typer.Option("--host", help="The address to listen at.")] = "127.0.0.1",
    tls_certificate: TlsCertificate = None,
    tls_key: TlsKey = None,
    as_json: Json = False,
) -> None:
    """Measure a model and the code that runs it, and answer encrypted pictures with evidence of both.

    The worker runs in a sandbox without network. Evidence that can't be had here ends the command.
    """
    from eyelid.cli.output import say, say_json
    from eyelid.models.extras import require

    require("a server", "serve", "fastapi", "uvicorn")
    from eyelid.infer.enclave.launch import Enclosed
    from eyelid.infer.enclave.sealed import read_sealed_key
    from eyelid.infer.enclave.serve import enclave_application
    from eyelid.infer.serving import serve as serve_http

    tls = tls_of(tls_certificate, tls_key)
    kind = _kind(evidence)
    sealed = None if sealed_key is None else read_sealed_key(sealed_key)
    configuration, path = _configuration(
        model, sealed=sealed is not None, threads=threads, least=least, key_life=key_life
    )
    with ExitStack() as stack:
        launch = _launch(stack, configuration, path, kind, tpm, pcr, ek_chain)
        if sealed is not None:
            from dataclasses import replace

            launch = replace(launch, sealed=sealed)
        workload = stack.enter_context(Enclosed(launch))
        digest = workload.manifest.digest.hex()

        def ready(address: str) -> None:
            if as_json:
                say_json("ready", {"address": address, "manifest": digest, "evidence": kind.value})
            else:
                say(f"{address} answers; evidence: {kind.value}; manifest: {digest}")

        serve_http(
            enclave_application(workload),
            port=port,
            host=host,
            tls=tls,
            ready=ready,
        )


def measure(
    model: Model,
    sealed: Annotated[bool, typer.Option("--sealed", help="The model's file is a sealed one.")] = False,
    threads: Threads = 1,
    least: Least = 0.5,
    key_life: KeyLife = 86_400,
    as_json: Json = False,
) -> None:
    """Print the manifest that a server of this release has with this model: what a policy pins."""
    from eyelid.cli.output import say, say_json
    from eyelid.infer.enclave.launch import Launch

    configuration, path = _configuration(
        model, sealed=sealed, threads=threads, least=least, key_life=key_life
    )
    manifest = Launch(configuration, path).manifest()
    digest = manifest.digest.hex()
    if as_json:
        say_json("manifest", {"sha256": digest, "manifest": manifest.model_dump(mode="json", by_alias=True)})
    else:
        say(digest)


def policy(
    model: Model,
    root: Annotated[
        Path,
        typer.Option(
            "--root", help="Certificate of the TPM's maker, PEM or DER, that came a safe way.", readable=False
        ),
    ],
    assurance: Annotated[
        str, typer.Option("--assurance", help="What it certifies: hardware-tpm, or software-tpm to try out.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The policy to write.", readable=False)],
    sealed: Annotated[bool, typer.Option("--sealed", help="The model's file is a sealed one.")] = False,
    threads: Threads = 1,
    least: Least = 0.5,
    key_life: KeyLife = 86_400,
    force: Force = False,
) -> None:
    """Write a policy that lets this release run with this model on TPMs of one maker; read it, then use."""
    from eyelid.cli.output import say
    from eyelid.infer.enclave.launch import Launch
    from eyelid.infer.enclave.policy_file import read_policy
    from eyelid.infer.enclave.policy_for import policy_text
    from eyelid.media.atomic import atomic_output

    configuration, path = _configuration(
        model, sealed=sealed, threads=threads, least=least, key_life=key_life
    )
    manifest = Launch(configuration, path).manifest().digest
    with atomic_output(output, force=force) as temporary:
        temporary.write_text(policy_text(manifest, root, assurance))
        read_policy(temporary)
    say(f"{output} allows the manifest {manifest.hex()} on TPMs of {root}")


def seal(
    model: Annotated[Path, typer.Argument(help="An ONNX file.", readable=False)],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The sealed model; its key is beside it.", readable=False)
    ],
    tpm: Tpm = "/dev/tpmrm0",
    pcr: Pcr = 11,
    threads: Threads = 1,
    least: Least = 0.5,
    key_life: KeyLife = 86_400,
) -> None:
    """Encrypt a model so that only the measured workload on this very TPM can read it, once in each boot.

    The options are those with which it will be served. A new release of eyelid needs a new seal.
    """
    import os

    from eyelid.cli.output import say
    from eyelid.infer.enclave.evidence import Kind
    from eyelid.infer.enclave.manifest import measure, read_model
    from eyelid.infer.enclave.sealed import check_places, encrypt, key_path, seal_key, write_sealed
    from eyelid.infer.enclave.tpm_device import Tpm as Device
    from eyelid.infer.enclave.tpm_link import open_tpm

    configuration, _ = _configuration(
        str(model), sealed=True, threads=threads, least=least, key_life=key_life
    )
    check_places(model, output)
    secret, content = encrypt(read_model(model))
    with ExitStack() as stack:
        launch = _launch(stack, configuration, output, Kind.TPM, tpm, pcr, None)
        assert launch.tpm is not None
        file = open_tpm(launch.tpm)
        stack.callback(os.close, file)
        device = stack.enter_context(Device(file, pcr=pcr))
        sealed = seal_key(device, secret, measure(content, configuration).digest)
        write_sealed(output, content, sealed)
    say(f"{output} is sealed to this machine; serve it with --sealed-key {key_path(output)}")


def predict(
    images: Annotated[list[str], typer.Argument(help="Pictures, and last the server's address.")],
    policy_file: Annotated[
        Path, typer.Option("--policy", "-p", help="Whom to trust, and what may run there.", readable=False)
    ],
    ca: Annotated[
        Path | None, typer.Option("--ca", help="The server's certificate authority, PEM.", readable=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """Appraise a server's evidence and, only if it passes, ask about pictures encrypted to its key."""
    from eyelid.cli.output import say, say_json
    from eyelid.errors import UsageError
    from eyelid.infer.calling import Caller
    from eyelid.infer.enclave.client import EnclaveClient
    from eyelid.infer.enclave.policy_file import read_policy
    from eyelid.media.still import StillReader

    pictures, address = [Path(image) for image in images[:-1]], images[-1]
    if not pictures:
        raise UsageError("name at least one picture, and then the server's address")
    with Caller(address, authority=ca) as caller:
        client = EnclaveClient(caller, read_policy(policy_file))
        verdict = client.appraise()
        verdict.attested_key()
        if not as_json:
            say(f"evidence passes; assurance: {verdict.assurance.value}")
        for path in pictures:
            with StillReader(path) as reader:
                picture = next(iter(reader)).bgr()
            answer = client.predict(picture)
            if as_json:
                say_json("answer", _content(path, answer, verdict))
            else:
                say(f"{path}: {_words(answer)}")


def appraise(address: str, policy_file: Path, ca: Path | None) -> Appraisal:
    """Return the verdict on a running server's evidence."""
    from eyelid.infer.calling import Caller
    from eyelid.infer.enclave.client import EnclaveClient
    from eyelid.infer.enclave.policy_file import read_policy

    with Caller(address, authority=ca) as caller:
        return EnclaveClient(caller, read_policy(policy_file)).appraise()


def _kind(named: str) -> Kind:
    from eyelid.errors import AttestationError, UsageError
    from eyelid.infer.enclave.evidence import Kind

    names = {"snp": Kind.SEV_SNP, **{kind.value: kind for kind in Kind}}
    if named not in names:
        raise UsageError(f"{named} is no kind of evidence; choose tpm, tdx or sev-snp")
    kind = names[named]
    if kind not in (Kind.TPM, Kind.TDX, Kind.SEV_SNP):
        raise AttestationError(f"evidence of {kind.value} can be appraised but not collected by eyelid")
    return kind


def _configuration(
    model: str, *, sealed: bool, threads: int, least: float, key_life: int
) -> tuple[Configuration, Path | None]:
    """Return the configuration, and the model's path where it is no shipped detector."""
    from eyelid.infer.enclave.manifest import Configuration, Detects

    detector = model if model in get_args(Detects) and not Path(model).exists() else None
    content = {
        "detector": detector,
        "sealed": sealed,
        "threads": threads,
        "least": least,
        "key_life": key_life,
    }
    return Configuration.model_validate(content), None if detector else Path(model)


def _launch(
    stack: ExitStack,
    configuration: Configuration,
    model: Path | None,
    kind: Kind,
    tpm: str,
    pcr: int,
    ek_chain: Path | None,
) -> Launch:
    """Return what to launch; a software TPM runs until the stack is closed."""
    from eyelid.infer.enclave.evidence import Kind
    from eyelid.infer.enclave.launch import Launch

    if kind is not Kind.TPM:
        return Launch(configuration, model, kind)
    certificates = () if ek_chain is None else _certificates(ek_chain)
    device = Path(tpm)
    if tpm.startswith(SOFTWARE):
        from eyelid.infer.enclave.software_tpm import SoftwareTpm

        software = stack.enter_context(SoftwareTpm(Path(tpm.removeprefix(SOFTWARE))))
        device, certificates = software.socket, (*certificates, *software.certificates)
    return Launch(configuration, model, kind, device, pcr, certificates)


def _certificates(path: Path) -> tuple[bytes, ...]:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificates

    from eyelid.errors import InputError

    try:
        return tuple(c.public_bytes(Encoding.DER) for c in load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError):
        raise InputError(f"{path} holds no certificates in PEM; check its path") from None


def _content(path: Path, answer: Answer, verdict: Appraisal) -> dict[str, object]:
    """Return an answer for a program: what was found, or the outputs as lists."""
    outputs = {output.name: output.array().tolist() for output in answer.outputs}
    found = None if answer.found is None else [one.model_dump(mode="json") for one in answer.found]
    count = None if answer.found is None else len(answer.found)
    return {
        "file": str(path),
        "assurance": verdict.assurance.value,
        "count": count,
        "found": found,
        "outputs": outputs,
    }


def _words(answer: Answer) -> str:
    if answer.found is not None:
        return f"{len(answer.found)} found"
    parts = []
    for output in answer.outputs:
        values = output.array()
        shape = "x".join(map(str, values.shape))
        best = f", largest at {int(values.argmax())} ({values.max():.4g})" if values.size else ""
        parts.append(f"{output.name} {shape}{best}")
    return "; ".join(parts)
