"""Options that several commands share, and what they turn into."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any, Literal, TypeVar

import click
from click.core import ParameterSource

from ganbench.cli import completion
from ganbench.cli.output import tell
from ganbench.registry.kinds import KINDS
from ganbench.runs.benchmark import BenchmarkArguments

F = TypeVar("F", bound=Callable[..., Any])

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
quiet = click.option("--quiet", "-q", is_flag=True, help="No progress on stderr.")
plugin = click.option(
    "--plugin",
    "plugins",
    multiple=True,
    metavar="FILE.py|MODULE",
    help="Load this plugin too.",
    shell_complete=completion.files,
)


run_dir = click.argument("run_dir", type=click.Path(path_type=Path), shell_complete=completion.runs)

run_dirs = click.argument(
    "places",
    metavar="RUN...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=completion.runs,
)
duplicates = click.option(
    "--duplicates",
    type=click.Choice(["refuse", "first"]),
    default="refuse",
    show_default=True,
    help="Where a cell and seed are in several runs and do not agree; first takes the first's.",
)


def names(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[str] | None:
    """Return a list of an option's words between commas; None where it is left out.

    A comma in parentheses belongs to a word, as in fid@random-conv(width=8,depth=2).
    """
    if value is None:
        return None
    return [name.strip() for name in re.split(r",(?![^()]*\))", value)]


def key_values(what: str) -> Callable[[F], F]:
    """Return `-o KEY=VALUE` as `settings`; `what` says what it is of."""
    return click.option("-o", "--option", "settings", multiple=True, metavar="KEY=VALUE", help=what)


columns = click.option(
    "--columns",
    callback=names,
    metavar="fid,modes|all",
    help="Show these columns in the terminal; by default as many of the first as fit.",
)


def _forbid_downloads(ctx: click.Context, parameter: click.Parameter, forbidden: bool) -> None:
    """For this process and its workers."""
    if forbidden:
        os.environ["GANBENCH_OFFLINE"] = "1"


def _seconds(ctx: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    from ganbench.config.schema import seconds

    if value is None:
        return None
    try:
        found = float(seconds(value))
    except ValueError:
        found = 0.0
    if not found > 0:
        raise click.BadParameter(f"'{value}': expected a duration like 90s, 30m or 8h")
    return found


max_time = click.option(
    "--max-time",
    callback=_seconds,
    metavar="8h",
    help="End after so long, as Ctrl-C does; `ganbench resume` goes on.",
)
fail_fast = click.option("--fail-fast", is_flag=True, help="Stop at the first trial not ok.")


def _jobs(
    ctx: click.Context, parameter: click.Parameter, value: str | None
) -> int | Literal["auto"] | None:
    if value is None or value == "auto":
        return value  # type: ignore[return-value]
    if not value.removeprefix("-").isdecimal():
        raise click.BadParameter(f"'{value}': expected a whole number of at least 1, or auto")
    found: int = click.IntRange(min=1)(value, parameter, ctx)
    return found


jobs = click.option(
    "--jobs",
    callback=_jobs,
    metavar="N|auto",
    help="Trials at once; auto: as many as are fastest.",
)
offline = click.option(
    "--offline",
    is_flag=True,
    expose_value=False,
    callback=_forbid_downloads,
    help="Download nothing, as with GANBENCH_OFFLINE=1.",
)

continues = click.option(
    "--continue",
    "continues",
    type=click.Path(path_type=Path),
    metavar="RUN",
    shell_complete=completion.runs,
    help="Train on what this run has trained, to the file's larger budget.",
)

kind = click.option(
    "--kind", type=click.Choice(list(KINDS)), help="Where two kinds have a plugin of that name."
)

allow_config_plugins = click.option(
    "--allow-config-plugins",
    "trusts_file",
    is_flag=True,
    help="Import the code that the file's `plugins` name.",
)
force = click.option("--force", is_flag=True, help="Replace what is there already.")


def allow_other_versions(whose: str = "") -> Callable[[F], F]:
    """Return the option that lets a model be built with other plugins; `whose` says of what."""
    what = "go on with other versions of plugins than at training."
    told = f"{whose}: {what}" if whose else what.capitalize()
    return click.option("--allow-other-versions", is_flag=True, help=told)


def device(what: str) -> Callable[[F], F]:
    """Return the option of a device, on which `what` is done."""
    return click.option(
        "--device",
        default="auto",
        show_default=True,
        metavar="auto|cpu|cuda|cuda:N|mps",
        help=what,
    )


class Unless(click.Argument):
    """An argument whose place an eager option may take."""

    def __init__(self, *args: Any, unless: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.unless = unless

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Return the value; of what is left out, None where the option is there."""
        if ctx.get_parameter_source(self.unless) is not ParameterSource.COMMANDLINE:
            return super().process_value(ctx, value)
        if not self.value_is_missing(value):
            option = next(p for p in ctx.command.params if p.name == self.unless)
            raise click.UsageError(f"{option.opts[0]} takes no {self.human_readable_name}", ctx)
        return None


_BENCHMARK = [
    click.argument(
        "file",
        cls=Unless,
        unless="listed",
        type=click.Path(),
        shell_complete=completion.benchmarks,
    ),
    click.option("--profile", metavar="NAME", help="Lay this profile of the file over it."),
    click.option(
        "--set",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Change a setting, as in training.budget.kimg=20.",
    ),
    click.option("--seeds", metavar="0,1,2", help="Train these seeds, not the file's."),
    click.option(
        "--only", multiple=True, metavar="AXIS=VALUE", help="Only these cells, as in loss=bce."
    ),
    plugin,
    allow_config_plugins,
    device("Where to train."),
]


def benchmark(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the benchmark file and everything that changes what it means, in one value."""
    return _with_arguments(function, takes_runs=False)


def benchmark_or_run(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do so for a command that takes a run's folder too, which wins over a name."""
    return _with_arguments(function, takes_runs=True)


def _with_arguments(function: Callable[..., Any], *, takes_runs: bool) -> Callable[..., Any]:
    @wraps(function)
    def with_arguments(**params: Any) -> Any:
        from ganbench.config import shipped

        asked = params["file"] or ""
        if takes_runs and asked and Path(asked).is_dir():
            params["file"] = os.path.join(asked, "")
        elif asked in shipped.files() and not params.get("quiet"):
            tell(logging.INFO, f"{asked} is {shipped.named(asked)}")
        return function(taken(params), **params)

    found = with_arguments
    for option in reversed(_BENCHMARK):
        found = option(found)
    return found


def taken(params: dict[str, Any]) -> BenchmarkArguments:
    """Take the arguments of a benchmark out of what a command was given, and return them.

    A bare name is that of a file that comes with ganbench.
    """
    from ganbench.config import shipped

    params["file"] = shipped.named(params["file"] or "")
    names = [f.name for f in fields(BenchmarkArguments) if f.name in params]
    return BenchmarkArguments(**{name: params.pop(name) for name in names})
