"""`ganbench plugins new`."""

from __future__ import annotations

from pathlib import Path

import click

from ganbench.registry import scaffold
from ganbench.util.messages import an


@click.command("new")
@click.option("--kind", type=click.Choice(scaffold.SLUGS), required=True, help="Of the plugin.")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path("."),
    metavar="DIR",
    help="Where the package's folder goes; here, where it is left out.",
)
def command(kind: str, name: str, into: Path) -> int:
    """Write a package whose plugin NAME, such as my-loss, works as it is: change it from there.

    It installs, is listed, passes its own tests and has a benchmark that trains it.
    """
    package = scaffold.write(kind, name, into)
    module, benchmark = package / f"{scaffold.module_name(name)}.py", package / "benchmark.yaml"
    test = package / "tests" / f"test_{name.replace('-', '_')}.py"
    print(f"{package}: {an(kind)} '{name}' that works as it is. Next:")
    print(f"  1. change it           {module}")
    print(f"     and its own numbers {test} (the kit's test stays)")
    print(f"  2. check it            ganbench plugins check {module}")
    print(f"  3. run it              ganbench run {benchmark} --plugin {module}")
    print(f"  4. install and test it pip install -e {package} && pytest {package}")
    return 0
