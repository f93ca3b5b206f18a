"""The losses of the last window are numbers to compare by."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ganbench import Unavailable
from ganbench.default_plugins.metrics.numerics import FinalLosses


def test_terms_of_the_last_window_are_summed():
    windows = [
        SimpleNamespace(d_terms={"real": 9.0}, g_terms={"adversarial": 9.0}),
        SimpleNamespace(d_terms={"real": 0.5, "fake": 0.25}, g_terms={"adversarial": 2.0}),
    ]
    found = FinalLosses().compute(SimpleNamespace(windows=windows))
    assert found == {"d-loss": 0.75, "g-loss": 2.0}
    assert [column.name for column in FinalLosses().columns] == list(found)
    assert {column.kind for column in FinalLosses().columns} == {"numerics"}


def test_without_training_there_are_none():
    with pytest.raises(Unavailable, match="nothing was trained"):
        FinalLosses().compute(SimpleNamespace(windows=[]))
