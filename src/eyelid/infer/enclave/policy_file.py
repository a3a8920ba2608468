"""A policy from its file: each mistake in it is one sentence, and its roots are read and checked at once."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from eyelid.errors import UsageError
from eyelid.infer.enclave.evidence import Assurance, Kind
from eyelid.infer.enclave.policy import (
    ANY,
    SCHEMA,
    NitroPolicy,
    PolicyFile,
    RootFile,
    SgxPolicy,
    SnpPolicy,
    TdxPolicy,
    TpmPolicy,
)
from eyelid.infer.enclave.roots import SHIPPED, PinnedRoot, own_root, shipped_root
from eyelid.media.limited import read_limited

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

SIZE_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was read and is sound: its settings, its roots by kind, and the SHA-256 of its file.

    ``collateral`` is the folder (or file) of certificates and collateral that the policy names.
    ``unjudged`` says what no policy of the user's decided.
    """

    settings: PolicyFile
    roots: Mapping[Kind, tuple[PinnedRoot, ...]]
    sha256: str
    collateral: Path | None
    unjudged: tuple[str, ...] = ()


def read_policy(path: Path) -> Policy:
    """Read a policy; raises UsageError with one sentence that names the file and what is wrong in it."""
    content = read_limited(
        "policy",
        path,
        SIZE_LIMIT,
        error=UsageError,
        advice="check its path, or write one with eyelid infer enclave policy",
    )
    try:
        table = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise UsageError(f"the policy {path} is not text; it must be TOML in UTF-8") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"the policy {path} is not TOML: {error}") from None
    try:
        settings = PolicyFile.model_validate(table)
    except ValidationError as error:
        raise UsageError(f"the policy {path}: {_sentence(error.errors(include_url=False))}") from None
    return make_policy(settings, path.parent, hashlib.sha256(content).hexdigest(), name=str(path))


_ANY_CODE: Final[Mapping[Kind, Mapping[str, str]]] = {
    Kind.SEV_SNP: {"measurements": ANY, "min_tcb": ANY},
    Kind.TDX: {"mr_td": ANY},
    Kind.SGX: {"mr_enclave": ANY},
    Kind.NITRO: {"pcrs": ANY},
}


def genuine(kind: Kind) -> Policy:
    """Return the policy that asks only whether saved evidence is genuine and in force, of whatever code.

    Raises UsageError for a TPM, for which a user must bring the root.
    """
    if kind not in _ANY_CODE:
        raise UsageError(f"evidence of a {kind.value} needs a policy, which names its root: --policy p.toml")
    roots = [name for name, entry in SHIPPED.items() if kind in entry.kinds]
    section = {"roots": roots, **_ANY_CODE[kind]}
    settings = PolicyFile.model_validate(
        {"schema": SCHEMA, "nonce": ANY, "manifests": ANY, kind.value: section}
    )
    sha256 = hashlib.sha256(settings.model_dump_json().encode()).hexdigest()
    pinned = {kind: tuple(shipped_root(name, kind) for name in roots)}
    unjudged = "which code this is evidence of, and for whom: no policy was given, so any is accepted"
    return Policy(settings, pinned, sha256, None, (unjudged,))


def make_policy(settings: PolicyFile, folder: Path, sha256: str, *, name: str = "policy") -> Policy:
    """Read the roots that a policy pins, from ``folder`` where they are files; raises UsageError."""
    kinds = [kind for kind in Kind if settings.section(kind) is not None]
    if not kinds:
        raise UsageError(
            f"the policy {name} accepts no kind of evidence; add a section: "
            + ", ".join(f"[{kind.value}]" for kind in Kind)
        )
    roots = {}
    for kind in kinds:
        try:
            roots[kind] = _roots(settings, kind, folder)
        except UsageError as error:
            raise UsageError(f"the policy {name}, [{kind.value}] roots: {error}") from None
    collateral = None if settings.collateral is None else folder / settings.collateral
    if collateral is not None and not collateral.exists():
        raise UsageError(
            f"the policy {name}: there is no collateral at {collateral}; name it from the policy's folder"
        )
    return Policy(settings, roots, sha256, collateral)


def _roots(settings: PolicyFile, kind: Kind, folder: Path) -> tuple[PinnedRoot, ...]:
    section = settings.section(kind)
    assert section is not None
    found = []
    for root in section.roots:
        if not isinstance(root, RootFile):
            found.append(shipped_root(root, kind))
        elif kind is Kind.TPM:
            if root.assurance is None:
                raise UsageError(
                    f"say of {root.file} what it certifies: assurance = 'hardware-tpm' or 'software-tpm'"
                )
            found.append(own_root(folder / root.file, root.sha256, Assurance(root.assurance)))
        elif root.assurance is not None:
            raise UsageError(f"assurance is for roots of TPMs; leave it out of {root.file}")
        else:
            found.append(own_root(folder / root.file, root.sha256, Assurance.TEE))
    return tuple(found)


_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "": PolicyFile,
    "sev-snp": SnpPolicy,
    "tdx": TdxPolicy,
    "sgx": SgxPolicy,
    "nitro": NitroPolicy,
    "tpm": TpmPolicy,
}


_LABEL: Final = re.compile(r"[\[({]|^(str|RootFile|MinimumTcb|constrained-str)$")
"""Parts of a place that pydantic adds, and no file has: the branches of a union."""


def _sentence(errors: list[ErrorDetails]) -> str:
    """Turn the most telling thing that pydantic rejects into words for whoever wrote the file."""
    error = max(errors, key=_telling)
    parts = [str(part) for part in error["loc"]]
    section = parts[0] if parts and parts[0] in _SECTIONS else ""
    path = [part for part in parts[1 if section else 0 :] if not _LABEL.search(part)]
    place = f"[{section}] {'.'.join(path)}".strip() if section else ".".join(path)
    key = path[-1] if path else ""
    match error["type"]:
        case "extra_forbidden":
            near = get_close_matches(key, _keys(section), 1)
            return f"{place} is not a setting" + (f"; did you mean {near[0]}?" if near else "")
        case "missing" if place == "schema":
            return f'it must begin with schema = "{SCHEMA}"'
        case "missing":
            hint = "" if len(path) > 1 or key == "roots" else f', or write {key} = "any"'
            return f"{place} is missing; say what is allowed{hint}"
        case "too_short":
            return f"{place} is empty, so nothing could pass; say what is allowed"
        case "string_pattern_mismatch" if "[key]" in parts:
            return f"{place} is not the number of a register: write it in quotes, from 0 up"
        case "string_pattern_mismatch":
            return f"{place} must be hexadecimal of the right length, not {_shown(error['input'])}"
        case "timezone_aware" | "datetime_from_date_parsing" | "datetime_type":
            return f"{place} must be a time with its zone, such as 2026-01-31T12:00:00Z"
        case "value_error":
            return f"{place}: {error['msg'].removeprefix('Value error, ')}"
    message = error["msg"].removesuffix(", unable to interpret input")
    message = message.replace("Input should be", "it must be").replace("a valid tuple", "a list, in [ ]")
    return f"{place}: {message}, not {_shown(error['input'])}"


def _telling(error: ErrorDetails) -> tuple[bool, bool, int, bool]:
    """Rank errors: a wrong name first; the branch of a union that fits best is the one that got deepest."""
    follows = error["type"] == "too_short" and bool(error["input"])
    return (
        error["type"] == "extra_forbidden",
        not follows,
        len(error["loc"]),
        error["type"] != "literal_error",
    )


def _keys(section: str) -> list[str]:
    return [field.alias or key for key, field in _SECTIONS[section].model_fields.items()]


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
