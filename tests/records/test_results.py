"""Trials' results as values: metrics, and counts and durations in the same form."""

from __future__ import annotations

from ganbench.records import results


def test_counts_and_durations_have_their_units() -> None:
    columns = (results.KIMG, results.G_UPDATES, results.G_PARAMETERS, results.SECONDS)
    assert [(c.name, c.unit, c.kind, c.gated) for c in columns] == [
        ("kimg", "kimg", "count", True),
        ("g-updates", "", "count", True),
        ("g-parameters", "", "count", True),
        ("seconds", "s", "timing", False),
    ]
