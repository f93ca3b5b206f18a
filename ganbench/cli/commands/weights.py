"""`ganbench weights`."""

from __future__ import annotations

import click

from ganbench.cli import completion, options
from ganbench.cli.output import print_json

KIND = "feature extractor"


@click.command("weights")
@click.argument("name", required=False, shell_complete=completion.plugins(KIND))
@options.offline
@options.plugin
@options.as_json
def command(name: str | None, plugins: tuple[str, ...], as_json: bool) -> int:
    """Show which feature extractors can work on this machine, or download what NAME needs.

    Downloads are checked by their SHA-256. No other command downloads weights, and
    --offline or GANBENCH_OFFLINE=1 forbids it to this one too.
    """
    from ganbench.errors import DataError
    from ganbench.registry import registry
    from ganbench.util import files

    found = registry.load(plugins)
    if name is not None:
        path = found.extractor(name).fetch(files.data())
        why = found.extractor(name).missing(files.data())
        if path is None and why:
            raise DataError(f"feature extractor '{name}': {why}")
        if as_json:
            print_json({"name": name, "path": None if path is None else str(path)})
        else:
            print(path or f"{name} needs no download")
        return 0
    listed = {
        extractor: found.extractor(extractor).missing(files.data())
        for extractor in found.names(KIND)
    }
    if as_json:
        print_json([{"name": n, "missing": why} for n, why in listed.items()])
        return 0
    for extractor, why in listed.items():
        print(f"{extractor}: {why or 'ready'}")
    return 0
