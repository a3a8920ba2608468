"""JSON Schemas of evidence, policies and appraisals, as published in ``docs/schema``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from eyelid.evidence.model import schema_of
from eyelid.infer.enclave import appraisal, evidence, policy

if TYPE_CHECKING:
    from eyelid.infer.enclave.evidence import Record

MODELS: Final[dict[str, tuple[type[Record], str]]] = {
    "attestation": (evidence.Evidence, evidence.SCHEMA),
    "attestation-policy": (policy.PolicyFile, policy.SCHEMA),
    "appraisal": (appraisal.Appraisal, appraisal.SCHEMA),
}


def json_schema(name: str) -> str:
    """Return the JSON Schema (draft 2020-12) of one of MODELS."""
    model, version = MODELS[name]
    return schema_of(model, version, "serialization" if name == "appraisal" else "validation")


if __name__ == "__main__":
    import sys

    sys.stdout.write(json_schema(sys.argv[1]))
