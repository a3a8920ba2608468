"""JSON Schemas of evidence, policies and appraisals, as published in ``docs/schema``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Literal

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
    mode: Literal["serialization", "validation"] = "serialization" if name == "appraisal" else "validation"
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": f"urn:eyelid:{version}"}
    schema = head | model.model_json_schema(by_alias=True, mode=mode)
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    import sys

    sys.stdout.write(json_schema(sys.argv[1]))
