"""`ganbench results rank`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options, streams
from ganbench.cli.exit_codes import OK
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import json_text, print_json
from ganbench.errors import ConfigError, RunError

if TYPE_CHECKING:
    from ganbench.archive.profiles import Profiles
    from ganbench.archive.ranks import Standings

PIPE_WIDTH = 140
ENDINGS = (".md", ".json")


@click.command("rank")
@options.run_dirs
@click.option(
    "--metric", metavar="COLUMN", help="By this number; else the table's first with a direction."
)
@click.option(
    "--over",
    default="dataset",
    show_default=True,
    callback=options.names,
    metavar="AXES",
    help="The axes that make a task; the others make a variant. dataset,architecture, say.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="AXIS=VALUE",
    help="Only these cells, as in loss=bce; several values of an axis are alternatives.",
)
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1, True, True),
    default=0.05,
    show_default=True,
    help="The chance of any false 'beats'.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write there: .md or .json."
)
@click.option(
    "--diagram",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the critical-difference diagram: .svg, .pdf or .png.",
)
@click.option(
    "--profiles",
    "profiles_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the performance profiles of a time to a target: .svg, .pdf or .png.",
)
@options.duplicates
@options.as_json
def command(
    places: tuple[Path, ...],
    metric: str | None,
    over: list[str],
    only: tuple[str, ...],
    alpha: float,
    out: Path | None,
    diagram: Path | None,
    profiles_file: Path | None,
    duplicates: str,
    as_json: bool,
) -> int:
    """Rank variants over data sets and seeds, and say which no test tells apart.

    RUN is a run's folder, or one with runs below it; several are taken as `ganbench results merge`
    would merge them. Each variant has its mean rank with an interval over seeds, the interquartile
    mean of its values, and what it beats by exact tests that are corrected for all pairs; where the
    runs have the metric time-to, the score of its performance profile, too.
    """
    look_seldom_for_garbage()
    from ganbench.archive import figures
    from ganbench.archive.profiles import profiles
    from ganbench.archive.ranks import rank
    from ganbench.archive.scores import scores, time_to_target
    from ganbench.cli.many_runs import merged
    from ganbench.records.report import Report

    for path, option in ((diagram, "--diagram"), (profiles_file, "--profiles")):
        if path is not None:
            figures.check(path, option)
    if out is not None and out.suffix.lower() not in ENDINGS:
        raise ConfigError(f"--out {out}: ranks are written as {' or '.join(ENDINGS)}")
    chosen = _chosen(only)
    report = Report.of(merged(places, duplicates)[0])
    found = rank(scores(report, metric, over, chosen), alpha)
    timed = time_to_target(report, over, chosen)
    times = profiles(timed) if timed else None
    if profiles_file is not None and times is None:
        raise ConfigError(
            f"--profiles {profiles_file}: no time to a target was measured; the metric time-to "
            "does that, and --metric names what is ranked else"
        )
    _draw(found, times, diagram, profiles_file)
    _tell(found, times, report.table.name, out, as_json)
    return OK


def _chosen(only: tuple[str, ...]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for text in only:
        axis, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--only {text}: expected AXIS=VALUE, as in loss=bce")
        found.setdefault(axis.strip(), []).append(value.strip())
    return found


def _draw(
    found: Standings, times: Profiles | None, diagram: Path | None, profiles_file: Path | None
) -> None:
    from ganbench.archive import figures
    from ganbench.archive.profiles import MOST

    column = found.scores.column.name
    try:
        if diagram is not None:
            figures.save_critical_differences(
                diagram,
                {one.variant: one.mean_rank for one in found.standings},
                found.ties,
                {one.variant: one.rank_interval for one in found.standings},
                f"mean rank by {column}; bars join ties",
            )
        if profiles_file is not None and times is not None:
            figures.save_profiles(profiles_file, times.steps, MOST, times.column)
    except OSError as error:
        raise RunError(f"{error.filename}: cannot be written: {error.strerror}") from error


def _tell(
    found: Standings, times: Profiles | None, name: str, out: Path | None, as_json: bool
) -> None:
    from ganbench.archive import told
    from ganbench.util import files

    if out is not None:
        is_json = out.suffix.lower() == ".json"
        text = json_text(told.plain(found, times)) if is_json else told.markdown(found, times, name)
        try:
            files.write_text(out, text)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise RunError(f"--out {out}: cannot be written: {reason}") from error
    if as_json:
        print_json(told.plain(found, times))
    elif out is None:
        _print(found, times, name)


def _print(found: Standings, times: Profiles | None, name: str) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    from ganbench.archive import told

    terminal = streams.console(pipe_width=PIPE_WIDTH)
    grid = Grid(title=Text(f"{name}: ranks"), title_justify="left")
    for head in told.heads(found, times):
        right = head not in ("variant", "beats")
        grid.add_column(Text(head), overflow="fold", justify="right" if right else "left")
    for one in found.standings:
        grid.add_row(*map(Text, told.cells(found, one, times)))
    terminal.print(grid)
    for text in told.sentences(found, times):
        terminal.print(text, style="dim")
