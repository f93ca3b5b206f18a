"""The conformance kit: what every plugin of a kind must do, as named checks.

    from ganbench.testing import parametrize_with_checks

    @parametrize_with_checks(MyLoss)
    def test_conformance(check):
        check()

A plugin is given as its class, or as an instance where its defaults are too large to test with.
`sanity_findings(MyMetric())` tells which published sanity checks a metric passes.
"""

from ganbench.testing.kit import (
    Check,
    Result,
    check_plugin,
    checks_for,
    parametrize_with_checks,
)
from ganbench.testing.sanity.report import SanityFinding, sanity_findings

__all__ = [
    "Check",
    "Result",
    "SanityFinding",
    "check_plugin",
    "checks_for",
    "parametrize_with_checks",
    "sanity_findings",
]
