"""The built-in reporters: a terminal, Markdown, CSV, JSON and a page to look at."""

from __future__ import annotations

from ganbench import hookimpl
from ganbench.default_plugins.reporters.console import PIPE_WIDTH, Console
from ganbench.default_plugins.reporters.files import CSV, JSON, harmless
from ganbench.default_plugins.reporters.html import HTML
from ganbench.default_plugins.reporters.markdown_table import Markdown, escaped, markdown

__all__ = [
    "CSV",
    "HTML",
    "JSON",
    "PIPE_WIDTH",
    "Console",
    "Markdown",
    "escaped",
    "harmless",
    "markdown",
]


@hookimpl
def register_reporters(register) -> None:
    for reporter in (Console, Markdown, CSV, JSON, HTML):
        register(reporter)
