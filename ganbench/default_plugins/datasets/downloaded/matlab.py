"""Files of MATLAB's format, which SciPy reads; ganbench does not install it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganbench import DataError


def no_reader(dataset: str) -> str | None:
    """Return why the files cannot be read on this machine, or None."""
    if find_spec("scipy") is None:
        return f"the files of {dataset} are MATLAB's, and SciPy reads them: `pip install scipy`"
    return None


def contents(path: Path) -> dict[str, Any]:
    """Return the arrays by name, without axes of length one. Raises DataError."""
    from scipy.io import loadmat

    try:
        return loadmat(path, squeeze_me=True)
    except Exception as error:  # of any kind: of a file that is no MATLAB file
        raise DataError(f"{path}: not readable as a MATLAB file: {error}") from error
