"""The policy: whom a verifier trusts, what may run, how old it may be; a file of TOML."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from pydantic import AwareDatetime, BeforeValidator, Field, StringConstraints, model_validator

from eyelid.infer.enclave.evidence import WORKLOAD_PCR, Kind, Record

SCHEMA: Final = "eyelid-attestation-policy/1"
ANY: Final = "any"
"""Accepts whatever is found; it must be written out, for nothing is accepted by silence."""


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Hex32: TypeAlias = Annotated[str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hex48: TypeAlias = Annotated[str, BeforeValidator(_lower), StringConstraints(pattern=r"^[0-9a-f]{96}$")]
HexNonce: TypeAlias = Annotated[
    str, BeforeValidator(_lower), StringConstraints(pattern=r"^([0-9a-f]{2}){1,64}$")
]
HexName: TypeAlias = Annotated[
    str, BeforeValidator(_lower), StringConstraints(pattern=r"^000[bcd]([0-9a-f]{2}){32,64}$")
]
Svn: TypeAlias = Annotated[int, Field(ge=0, le=255)]
Item = TypeVar("Item")
Some: TypeAlias = Annotated[tuple[Item, ...], Field(min_length=1)]

TcbStatus: TypeAlias = Literal[
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
]
"""What Intel says of a platform's firmware. Revoked is not among them: no policy can accept it."""


class RootFile(Record):
    """The user's own root: a certificate (PEM or DER) beside the policy, pinned by the SHA-256 of its DER.

    ``assurance`` is for TPMs alone: whether those whom this root certifies are chips or programs.
    """

    file: Annotated[str, Field(min_length=1)]
    sha256: Hex32
    assurance: Literal["hardware-tpm", "software-tpm"] | None = None


Roots: TypeAlias = Some[str | RootFile]


class MinimumTcb(Record):
    """The least security version of each part of AMD's firmware; ``fmc`` exists from Turin on."""

    bootloader: Svn
    tee: Svn
    snp: Svn
    microcode: Svn
    fmc: Svn = 0


class SnpPolicy(Record):
    """What an SEV-SNP report must say.

    ``providers`` are the cloud providers whose keys (VLEK) may sign in place of a chip's own: none by
    default. ``revocation`` as "required" demands AMD's revocation list among the collateral, in force.
    """

    roots: Roots
    measurements: Literal["any"] | Some[Hex48]
    min_tcb: Literal["any"] | MinimumTcb
    vmpl: Some[Annotated[int, Field(ge=0, le=3)]] = (0,)
    providers: Literal["any"] | tuple[str, ...] = ()
    revocation: Literal["required", "if-at-hand"] = "if-at-hand"
    debug: bool = False
    migration: bool = False


class TdxPolicy(Record):
    """What a TDX quote must say; ``rtmr`` maps "0" to "3" to allowed values."""

    roots: Roots
    mr_td: Literal["any"] | Some[Hex48]
    rtmr: dict[Literal["0", "1", "2", "3"], Some[Hex48]] = Field(default_factory=dict)
    mr_seam: Literal["any"] | Some[Hex48] = "any"
    statuses: Some[TcbStatus] = ("UpToDate",)
    advisories: Literal["any"] | tuple[str, ...] = ()


class SgxPolicy(Record):
    """What an SGX quote must say: which enclave, or whose; for the latter also which product."""

    roots: Roots
    mr_enclave: Literal["any"] | Some[Hex32]
    mr_signer: Literal["any"] | Some[Hex32] = "any"
    isv_prod_id: Annotated[int, Field(ge=0, le=65535)] | None = None
    min_isv_svn: Annotated[int, Field(ge=0, le=65535)] = 0
    statuses: Some[TcbStatus] = ("UpToDate",)
    advisories: Literal["any"] | tuple[str, ...] = ()

    @model_validator(mode="after")
    def _signer_needs_product(self) -> SgxPolicy:
        if self.mr_enclave == ANY and self.mr_signer != ANY and self.isv_prod_id is None:
            raise ValueError("mr_signer without mr_enclave needs isv_prod_id: a signer signs many enclaves")
        return self


class NitroPolicy(Record):
    """What a Nitro document must say; ``pcrs`` maps "0" to "15" to allowed values."""

    roots: Roots
    pcrs: (
        Literal["any"]
        | Annotated[
            dict[Annotated[str, StringConstraints(pattern=r"^([0-9]|1[0-5])$")], Some[Hex48]],
            Field(min_length=1),
        ]
    )
    debug: bool = False


class TpmPolicy(Record):
    """What a TPM's quote must say.

    ``pcrs`` maps "0" to "23" to allowed values of the SHA-256 bank. ``workload_pcr`` need not be among them:
    its value follows from the manifest, and from what it held before (zeros, unless the boot extends it).
    ``aks`` are names of attestation keys that were activated against their EK before, so that a saved quote
    can be appraised; a key that is not listed must be activated now.
    """

    roots: Roots
    pcrs: dict[Annotated[str, StringConstraints(pattern=r"^([0-9]|1[0-9]|2[0-3])$")], Some[Hex32]] = Field(
        default_factory=dict
    )
    workload_pcr: Annotated[int, Field(ge=11, le=14)] = WORKLOAD_PCR
    workload_pcr_before: Hex32 = "00" * 32
    aks: tuple[HexName, ...] = ()


class PolicyFile(Record):
    """A policy as it stands in its file; a kind without a section is refused.

    ``nonce`` in hexadecimal is for saved evidence; a client that asks a server draws its own. ``max_age``
    in seconds. ``at`` is the appraisal time, now by default. ``manifests`` are SHA-256 of the workloads
    that may run.
    """

    version: Literal["eyelid-attestation-policy/1"] = Field(alias="schema")
    nonce: Literal["any"] | HexNonce | None = None
    max_age: Annotated[int, Field(gt=0)] | None = None
    at: AwareDatetime | None = None
    collateral: Annotated[str, Field(min_length=1)] | None = None
    manifests: Literal["any"] | tuple[Hex32, ...] = ()
    sev_snp: SnpPolicy | None = Field(None, alias="sev-snp")
    tdx: TdxPolicy | None = None
    sgx: SgxPolicy | None = None
    nitro: NitroPolicy | None = None
    tpm: TpmPolicy | None = None

    def section(self, kind: Kind) -> SnpPolicy | TdxPolicy | SgxPolicy | NitroPolicy | TpmPolicy | None:
        """Return what the policy says of one kind, None where it says nothing."""
        return {
            Kind.SEV_SNP: self.sev_snp,
            Kind.TDX: self.tdx,
            Kind.SGX: self.sgx,
            Kind.NITRO: self.nitro,
            Kind.TPM: self.tpm,
        }[kind]
