"""What a diagnosis says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "constant-data",
    "divergence",
    "discriminator-overpowers",
    "generator-overpowers",
    "mode-collapse",
    "uninformative-critic",
]


@dataclass(frozen=True)
class Finding:
    """One trouble, with the numbers it was seen in."""

    kind: Kind
    title: str
    seen: str
    remedies: tuple[str, ...]


def lines(findings: Sequence[Finding]) -> str:
    """Return plain sentences for the log: what was seen and what to try; "" without findings."""
    return "\n".join(
        f"diagnosis: {finding.title}: {finding.seen}\n  try: {'; '.join(finding.remedies)}"
        for finding in findings
    )
