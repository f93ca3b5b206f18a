"""What a diagnosis says."""

from __future__ import annotations

from collections.abc import Sequence

from ganbench.records.results import Finding


def lines(findings: Sequence[Finding]) -> str:
    """Return plain sentences for the log: what was seen and what to try; "" without findings."""
    return "\n".join(
        f"diagnosis: {finding.title}: {finding.seen}\n  try: {'; '.join(finding.remedies)}"
        for finding in findings
    )
