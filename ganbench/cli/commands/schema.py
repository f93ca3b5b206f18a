"""`ganbench schema`."""

from __future__ import annotations

import click

from ganbench.cli import options
from ganbench.cli.output import print_json


@click.command("schema")
@options.plugin
def command(plugins: tuple[str, ...]) -> int:
    """Print the JSON Schema of benchmark files, with the installed plugins' names and options.

    Save it as ganbench.schema.json and begin a YAML with
    `# yaml-language-server: $schema=ganbench.schema.json`.
    """
    from ganbench.config.json_schema import benchmark_schema
    from ganbench.registry import registry

    print_json(benchmark_schema(registry.load(plugins)))
    return 0
