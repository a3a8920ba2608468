"""Attacks on what eyelid made: what is left, in a table, a report and a signed record.

The package can be called: ``eyelid.audit(output, original)``, see :func:`eyelid.audit.api.audit`.
"""

from __future__ import annotations

import sys
from inspect import Signature, signature
from types import ModuleType

from eyelid.audit.api import AuditResult, audit


class _Callable(ModuleType):
    """A package that is a function too, as ``eyelid.audit`` names both."""

    __signature__: Signature = signature(audit)
    __call__ = staticmethod(audit)


sys.modules[__name__].__class__ = _Callable

__all__ = ["AuditResult", "audit"]
