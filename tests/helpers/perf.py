"""The scripts of benchmarks/perf, imported as Python finds them when one is run."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks/perf"


def script(name: str) -> ModuleType:
    """Import a script anew, with the others beside it on the path meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        for beside in FOLDER.glob("*.py"):
            patch.delitem("sys.modules", beside.stem, raising=False)
        return importlib.import_module(name)
