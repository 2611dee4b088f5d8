"""What one check found out, and how that is shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MODES = frozenset({"real", "rootless", "simulate"})
REAL = frozenset({"real", "rootless"})
"""Modes with machines and networks that exist."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One prerequisite."""

    name: str
    works: bool
    detail: str = ""
    remedy: str = ""
    needed_by: frozenset[str] = frozenset()
    """Modes that cannot do without it; a lack that hinders no mode is only worth knowing."""

    def stops(self, mode: str) -> bool:
        return not self.works and mode in self.needed_by


def page(findings: Iterable[Finding], mode: str) -> list[str]:
    """The findings as lines: what is well, what would be better, what is missing. Pure."""
    lines = []
    for finding in findings:
        mark = "ok     " if finding.works else "MISSING" if finding.stops(mode) else "note   "
        detail = " ".join(finding.detail.split())
        lines.append(f"{mark}  {finding.name}{': ' + detail if detail else ''}")
        if not finding.works and finding.remedy:
            lines.append(f"           remedy: {' '.join(finding.remedy.split())}")
    return lines
