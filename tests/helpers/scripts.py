"""The scripts of benchmarks/, imported as Python finds them when one is run."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(folder: str, name: str) -> ModuleType:
    """Import a script anew, with the others beside it on the path meanwhile."""
    place = BENCHMARKS / folder
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        for beside in place.glob("*.py"):
            patch.delitem("sys.modules", beside.stem, raising=False)
        return importlib.import_module(name)
