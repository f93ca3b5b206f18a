"""`ganbench plugins check`."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import completion, options
from ganbench.cli.output import print_json

if TYPE_CHECKING:
    from ganbench.registry.registry import Entry, Registry


@click.command("check")
@click.argument(
    "target", metavar="NAME|FILE.py|MODULE", shell_complete=completion.plugins(or_else="file")
)
@options.kind
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="An option of the plugin, for one that needs some or is too large by default.",
)
@options.plugin
@options.as_json
def command(
    target: str,
    kind: str | None,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    as_json: bool,
) -> int:
    """Run the conformance kit on the plugin NAME, or on all that a FILE.py or MODULE registers.

    Every failure is a sentence that says what to change. Exit code 1 where there is any.
    """
    from ganbench.registry import registry
    from ganbench.testing import check_plugin

    found, entries = _found(registry.load(plugins), target, kind)
    chosen = _options(settings)
    reports = []
    for entry in entries:
        _refuse_lacking(found, entry, chosen)
    for entry in entries:
        started = time.perf_counter()
        plugin = found.build(entry.kind, entry.name, chosen) if chosen else entry.cls
        results = check_plugin(plugin)
        reports.append((entry, results, time.perf_counter() - started))
    failed = any(not result.passed for _, results, _ in reports for result in results)
    if as_json:
        print_json(
            [
                {
                    "kind": entry.kind,
                    "name": entry.name,
                    "source": str(entry.source),
                    "seconds": seconds,
                    "checks": [dataclasses.asdict(r) | {"passed": r.passed} for r in results],
                }
                for entry, results, seconds in reports
            ]
        )
        return 1 if failed else 0
    for entry, results, seconds in reports:
        broken = [result for result in results if not result.passed]
        passed = len(results) - len(broken)
        print(
            f"{entry.kind} {entry.name}: {passed} of {len(results)} checks passed, {seconds:.1f} s"
        )
        for result in results:
            if result.breaks:
                print(f"  {result.check}: broken as declared: {result.breaks}")
        for result in broken:
            print(f"  {result.check}: {result.message}")
    return 1 if failed else 0


def _found(installed: Registry, target: str, kind: str | None) -> tuple[Registry, list[Entry]]:
    """By name; else whatever the file or module registers, and where it is registered."""
    from ganbench.errors import ConfigError
    from ganbench.registry.discovery import is_file
    from ganbench.registry.registry import Registry

    if not is_file(target):
        try:
            return installed, installed.find(target, kind)
        except ConfigError:
            if "." not in target and "_" not in target:  # no module's name either
                raise
    alone = Registry()  # where an installed copy of it is in nobody's way
    alone.add_named(target)
    return alone, alone.entries()


def _refuse_lacking(registry: Registry, entry: Entry, chosen: dict[str, Any]) -> None:
    fields = registry.options_model(entry.kind, entry.name).model_fields
    lacking = [name for name, info in fields.items() if info.is_required() and name not in chosen]
    if lacking and chosen.keys() <= fields.keys():  # else what is unknown is told of, too
        from ganbench.errors import ConfigError

        raise ConfigError(
            f"{entry.kind} '{entry.name}' needs {', '.join(lacking)}; give it with "
            f"--set {lacking[0]}=VALUE"
        )


def _options(settings: tuple[str, ...]) -> dict[str, Any]:
    from ganbench.config.yaml_document import Document

    document = Document.parse("{}", "--set")
    for setting in settings:
        document = document.with_override(setting)
    return document.data()
