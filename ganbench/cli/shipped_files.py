"""What commands do with the benchmarks that come with ganbench: list and copy them."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

import click

from ganbench.cli import model_options
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError
from ganbench.util.messages import known


def show(*, as_json: bool) -> None:
    """Print each with what it says of itself."""
    from ganbench.config import shipped

    found = list(shipped.described())
    if as_json:
        benchmarks = [{**asdict(one), "file": str(one.file)} for one in found]
        print_json({"folder": str(shipped.folder()), "benchmarks": benchmarks})
        return
    lines = click.HelpFormatter()
    lines.write_dl([(one.name, one.description) for one in found])
    print(f"{lines.getvalue()}\nThey are in {shipped.folder()}.")
    print("`ganbench run NAME` runs one, and `ganbench new --from NAME` copies it, to be edited.")


def copy(name: str, out: Path | None, *, force: bool, as_json: bool) -> int:
    """Copy one as it is, and say which commands follow. Raises ConfigError where it cannot."""
    from ganbench.config import shipped
    from ganbench.util import files

    if name not in shipped.files():
        raise ConfigError(
            f"--from {name}: nothing of that name comes with ganbench"
            f"{shipped.near(Path(f'{name}.yaml'))}{known(shipped.files())}"
        )
    source, out = shipped.named(name), out or Path(f"{name}.yaml")
    model_options.check_out(out, (".yaml", ".yml"), force)
    with model_options.writing(out):
        files.write_text(out, source.read_text("utf-8"))
    commands = [f"ganbench {command} {shlex.quote(str(out))}" for command in ("plan", "run")]
    if as_json:
        print_json({"file": str(out), "from": str(source), "commands": commands})
        return 0
    print(f"{out}: a copy of {source}")
    print("\n".join(commands))
    return 0


def refuse(target: str) -> None:
    """Raise ConfigError for the name of one in place of data."""
    from ganbench.config import shipped

    if target in shipped.files() and not Path(target).exists():
        raise ConfigError(
            f"{target} is no data, but a benchmark that comes with ganbench; to copy that: "
            f"ganbench new --from {target}"
        )
