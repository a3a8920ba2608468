"""Who computes together: parties, their addresses and certificates, who owns what and who gets the result."""

from __future__ import annotations

import hashlib
import json
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from eyelid.errors import InputError, UsageError


class Protocol(StrEnum):
    """How shares are multiplied. There is no dealer but where the name says it."""

    CHEETAH = "cheetah"
    ABY3 = "aby3"
    SEMI2K = "semi2k-trusted-dealer-INSECURE"


ASSUMPTIONS = {
    Protocol.CHEETAH: "Both parties follow the protocol (semi-honest); neither sees the other's input.",
    Protocol.ABY3: "All three follow the protocol (semi-honest), and no two of them pool what they see.",
    Protocol.SEMI2K: (
        "INSECURE: the first party deals the randomness of all others and can compute every input from it."
    ),
}
PARTIES = {Protocol.CHEETAH: (2,), Protocol.ABY3: (3,), Protocol.SEMI2K: (2, 3)}


class Member(BaseModel):
    """One party: its name, the address it listens at, and the certificate (PEM) that it must show."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w .-]+$")]
    address: str
    certificate: Path

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or not 0 < int(port) < 65536:
            raise ValueError(f"{value} is no address; write host:port")
        return value

    @property
    def pem(self) -> str:
        """Return the certificate's text; raises :class:`InputError` when there is none."""
        try:
            text = self.certificate.read_text("ascii")
        except (OSError, ValueError) as error:
            raise InputError(
                f"The certificate of {self.name}, {self.certificate}, cannot be read; ask {self.name} for it."
            ) from error
        if text.count("-----BEGIN CERTIFICATE-----") != 1 or "PRIVATE KEY" in text:
            raise InputError(
                f"{self.certificate} is not one certificate (PEM) and nothing else; "
                "'eyelid infer mpc certificate' makes one."
            )
        return text if text.endswith("\n") else text + "\n"


class Peers(BaseModel):
    """The parties in order, and their roles by name. The owners of model and data are two parties."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="peers.toml")
    party: Annotated[tuple[Member, ...], Field(min_length=2, max_length=3)]
    model_owner: str
    data_owner: str
    receiver: str
    protocol: Protocol | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        names = [member.name for member in self.party]
        for what in ("name", "address"):
            if len({getattr(member, what) for member in self.party}) < len(names):
                raise ValueError(f"two parties have the same {what}")
        for role in ("model_owner", "data_owner", "receiver"):
            if getattr(self, role) not in names:
                raise ValueError(f"{role} is {getattr(self, role)!r}, which is none of the parties {names}")
        if self.model_owner == self.data_owner:
            raise ValueError("model_owner and data_owner are the same party: it can run the model by itself")
        return self

    @property
    def parties(self) -> int:
        """Return how many parties there are."""
        return len(self.party)

    def number(self, name: str) -> int:
        """Return the number of the party of this name or number; raises :class:`UsageError`."""
        for number, member in enumerate(self.party):
            if name in (member.name, str(number)):
                return number
        known = ", ".join(f"{number} ({member.name})" for number, member in enumerate(self.party))
        raise UsageError(f"There is no party {name!r}; the peers are {known}.")

    def choose(self, protocol: str | None = None) -> Protocol:
        """Return the protocol: as asked, as in the file, or CHEETAH for two parties and ABY3 for three.

        The one with a trusted dealer is taken only where its full name is asked for at each start, never from
        the file. Raises :class:`UsageError`.
        """
        if protocol is not None and protocol not in set(Protocol):
            if "semi2k" in protocol.lower():
                raise UsageError(
                    "SEMI2K has a trusted dealer: its first party can compute every input. For a test alone, "
                    f"ask for {Protocol.SEMI2K.value}; else leave --protocol out."
                )
            raise UsageError(f"There is no protocol {protocol!r}; choose {' or '.join(Protocol)}.")
        if protocol is None and self.protocol is Protocol.SEMI2K:
            raise UsageError(
                f"The peers file asks for SEMI2K, whose dealer can compute every input; it is used only with "
                f"--protocol {Protocol.SEMI2K.value} on the command line of every party."
            )
        chosen = Protocol(protocol) if protocol else self.protocol
        chosen = chosen or (Protocol.CHEETAH if self.parties == 2 else Protocol.ABY3)
        if self.parties not in PARTIES[chosen]:
            wanted = " or ".join(map(str, PARTIES[chosen]))
            raise UsageError(f"{chosen.value} is for {wanted} parties, and the peers are {self.parties}.")
        return chosen

    def digest(self, protocol: Protocol) -> str:
        """Return a SHA-256 of all that the parties must agree on, certificates included."""
        agreed = {
            "party": [[member.name, member.address, member.pem] for member in self.party],
            "roles": [self.model_owner, self.data_owner, self.receiver],
            "protocol": protocol.value,
        }
        return hashlib.sha256(json.dumps(agreed).encode()).hexdigest()


def read(path: Path) -> Peers:
    """Read a ``peers.toml``; certificates are looked for beside it. Raises :class:`InputError`."""
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is not there; docs/infer/mpc.md shows what it holds.") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as TOML: {error}") from error
    try:
        peers = Peers.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}.") from error
    placed = [
        member.model_copy(update={"certificate": path.parent / member.certificate}) for member in peers.party
    ]
    return peers.model_copy(update={"party": tuple(placed)})
