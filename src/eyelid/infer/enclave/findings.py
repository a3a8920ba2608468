"""The checks as they are made: refused at once where nothing is authentic, collected where it is."""

from __future__ import annotations

from eyelid.infer.enclave.appraisal import Check


class Refused(Exception):  # noqa: N818  # not an error of eyelid: it becomes a failed check
    """Evidence that is malformed or not authentic; nothing that it says can be appraised further."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.check = Check(name=name, passed=False, reason=reason)


class Findings:
    """Collects checks in the order in which they are made."""

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def add(self, name: str, passed: bool, yes: str, no: str) -> None:
        """Record a check with the reason that fits its outcome."""
        self.checks.append(Check(name=name, passed=passed, reason=yes if passed else no))

    def found(self, name: str, reason: str) -> None:
        """Record a check that passed; its failure would have been raised as Refused."""
        self.add(name, True, reason, "")

    def allowed(self, name: str, value: str, allowed: str | tuple[str, ...], what: str) -> None:
        """Record whether a value is on a list, where the word "any" stands for every value."""
        if allowed == "any":
            self.found(name, f"the policy accepts any {what}; found {value}")
        else:
            self.add(
                name,
                value in allowed,
                f"the {what} is on the policy's list: {value}",
                f"the {what} is not on the policy's list: {value}",
            )
