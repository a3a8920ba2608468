"""The exceptions of eyelid: one small tree, each message one sentence that says what to do next."""

from __future__ import annotations


class EyelidError(Exception):
    """Base of all errors that eyelid raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(EyelidError):
    """The request itself cannot be carried out: wrong option, wrong combination, wrong name."""

    exit_code = 2


class InputError(EyelidError):
    """The input is missing, damaged, empty or not media."""


class UnsupportedError(InputError):
    """The input is sound, but of a kind that eyelid does not handle."""


class OutputError(EyelidError):
    """The output cannot be written, or must not be overwritten."""


class ModelError(EyelidError):
    """A model or detector cannot be loaded, or its weights are not the ones that their card names."""


class DetectionError(EyelidError):
    """A detector failed on a frame; whoever catches it must cover the whole frame."""


class LockError(EyelidError):
    """Locked pixels cannot be restored: wrong key, wrong file, or altered data."""


class EvidenceError(EyelidError):
    """A file of evidence is damaged, forged, or does not belong to its output."""


class BudgetError(EyelidError):
    """A release would cost more epsilon than its budget has left, so it is not made."""


class InferenceError(EyelidError):
    """Private inference cannot go on: a key, a server, a party or a message does not fit, or is not there."""


class AttestationError(EyelidError):
    """Evidence of an enclave is refused, or cannot be collected here."""
