"""What a pipe or a CI log is told of a long loop."""

from __future__ import annotations

import pytest

from ganbench.cli.commands.datasets import bars
from ganbench.util import progress


def test_a_log_hears_of_the_start_and_then_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with bars.shown(quiet=False):
        for _ in progress.tracked(range(5), "training the judge", 5):
            now[0] += 40
    assert capsys.readouterr().err.splitlines() == [
        "training the judge: 5",
        "training the judge: 2 of 5",
        "training the judge: 4 of 5",
    ]
