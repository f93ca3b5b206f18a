"""`ganbench plugins`, and the commands below it."""

from __future__ import annotations

import dataclasses
import sys
from typing import Any

import click

from ganbench.cli import options, streams
from ganbench.cli.lazy_group import LazyGroup
from ganbench.cli.output import print_json

NARROW = 100  # columns of a terminal, below which what all share is said once
COMMANDS = {
    "new": "Write a package of a new plugin: it installs, passes its tests and trains.",
    "show": "Show a plugin's options, declarations and origin.",
    "check": "Run the conformance kit on a plugin.",
}


@click.group(
    "plugins",
    cls=LazyGroup,
    package=__name__,
    summaries=COMMANDS,
    invoke_without_command=True,
)
@click.option("--load", is_flag=True, help="Import every plugin, and say what is wrong with it.")
@click.option("--markdown", "as_markdown", is_flag=True, help="As a table for documents.")
@options.plugin
@options.as_json
@click.pass_context
def command(
    ctx: click.Context, load: bool, as_markdown: bool, plugins: tuple[str, ...], as_json: bool
) -> int:
    """List every plugin: kind, name, distribution, version, and what it is in one line.

    Without --load the list is read from the sources, and nothing is imported.
    """
    if ctx.invoked_subcommand:
        return 0
    from ganbench.registry import manifest

    if as_markdown:
        print(markdown(plugins))
        return 0
    listed = [dataclasses.asdict(entry) for entry in manifest.listing(plugins, load=load)]
    failures = _load(plugins) if load else []
    reasons = {failure["source"]: failure["reason"] for failure in failures}
    for entry in listed:
        source = f"{entry['distribution']} {entry['version']}".strip()
        entry["problem"] = reasons.get(source, entry["problem"])
    if as_json:
        print_json({"plugins": listed, "failures": failures} if load else listed)
    else:
        _print(listed)
    for failure in failures:
        print(f"\n{failure['source']} failed to load: {failure['reason']}", file=sys.stderr)
        print(failure["detail"], end="", file=sys.stderr)
    return 2 if failures else 0


def markdown(plugins: tuple[str, ...] = ()) -> str:
    """Return a table of what is installed, by kind."""
    from ganbench.registry import manifest

    lines = ["| kind | name | what it is |", "|---|---|---|"]
    for entry in manifest.listing(plugins):
        lines.append(f"| {entry.kind} | `{entry.name}` | {entry.summary} |")
    return "\n".join(lines)


def _load(plugins: tuple[str, ...]) -> list[dict[str, str]]:
    from ganbench.registry import registry

    failures = registry.load(plugins).failures
    return [{"source": str(f.source), "reason": f.reason, "detail": f.detail} for f in failures]


def _print(listed: list[dict[str, Any]]) -> None:
    from rich.table import Table

    console = streams.console(pipe_width=160)
    table = Table(box=None, pad_edge=False)
    sources = {f"{entry['distribution']} {entry['version']}".strip() for entry in listed}
    is_short = console.width < NARROW and len(sources) == 1
    for head in ("kind", "name", *(() if is_short else ("from",)), "what it is"):
        table.add_column(head, overflow="fold")
    for entry in listed:
        source = () if is_short else (f"{entry['distribution']} {entry['version']}".strip(),)
        what = f"problem: {entry['problem']}" if entry["problem"] else entry["summary"]
        table.add_row(entry["kind"], entry["name"], *source, what)
    console.print(table)
    if is_short:
        console.print(f"all of {sources.pop()}")
