"""Which ganbench this is, as it was installed: a release's number, or how far after one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

NOT_INSTALLED = "0+unknown"
"""What a checkout on PYTHONPATH calls itself that nobody installed."""


def _installed() -> str:
    try:
        return version("ganbench")
    except PackageNotFoundError:
        return NOT_INSTALLED


__version__ = _installed()
