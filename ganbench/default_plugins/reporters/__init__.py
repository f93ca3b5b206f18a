"""The built-in reporters: a terminal, Markdown, CSV, JSON and a page to look at."""

from __future__ import annotations

from ganbench import hookimpl
from ganbench.default_plugins.reporters.console import Console
from ganbench.default_plugins.reporters.files import CSV, JSON
from ganbench.default_plugins.reporters.html import HTML
from ganbench.default_plugins.reporters.markdown_table import Markdown, markdown

__all__ = [
    "CSV",
    "HTML",
    "JSON",
    "Console",
    "Markdown",
    "markdown",
]


@hookimpl
def register_reporters(register) -> None:
    for reporter in (Console, Markdown, CSV, JSON, HTML):
        register(reporter)
