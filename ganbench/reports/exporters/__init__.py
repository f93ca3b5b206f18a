"""Measurements as files of other tools: what a run or a baseline holds, said their way."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganbench.reports.exporters.named_measurements import Export, NamedMeasurements

FILES = {
    "github-action-benchmark": ("gha-smaller.json", "gha-bigger.json"),
    "bencher": ("bmf.json",),
    "pytorch-oss": ("pytorch-oss.json",),
    "junit": ("junit.xml",),
    "openmetrics": ("metrics.txt",),
    "dvc": ("metrics.json",),
    "mllog": ("mllog.log",),
}
"""By format. Each has a module of its name here, whose `export` gives the texts in this order."""


def render(to: str, source: NamedMeasurements) -> Export:
    """Return measurements in the format `to`."""
    module = importlib.import_module(f"{__name__}.{to.replace('-', '_')}")
    found: Export = module.export(source)
    return found
