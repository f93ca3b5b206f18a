"""A run that reporters can be shown."""

from __future__ import annotations

import pytest
from helpers.pages import BCE, FID, LSGAN, REAL, SPEED

from ganbench import Report


@pytest.fixture
def report(runs) -> Report:
    good = {FID: 1.0, "modes": 8.0, "cond-accuracy": "the generator is not told a class"}
    good |= {SPEED: 1000.0}
    worse = {**good, FID: 2.0, SPEED: 1234.0}
    return Report.of(
        runs.write(
            {
                REAL: [runs.reference({FID: 0.001, "modes": 8.0})],
                BCE: [runs.result(good), runs.result({**good, FID: 1.5})],
                LSGAN: [runs.result(worse), runs.lost("failed", "a | b <script>\nline two")],
            }
        )
    )
