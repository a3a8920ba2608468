"""Inference in an enclave: evidence is collected, appraised by a policy, and only then encrypted to."""
