"""`ganbench report`."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options, streams
from ganbench.cli.exit_codes import OK
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.errors import ConfigError, NothingSelected, RunError, told

if TYPE_CHECKING:
    from ganbench.contracts.reporters import Reporter
    from ganbench.records.report import Report
    from ganbench.records.run_folder import Run
    from ganbench.records.run_info import PluginChoice
    from ganbench.registry.registry import Registry
    from ganbench.reports.published.comparison import Pair
    from ganbench.reports.published.published_numbers import Published

FILES = {  # by format
    "markdown": "table.md",
    "csv": "table.csv",
    "json": "table.json",
    "html": "report.html",
}
ENDINGS = {
    ".md": "markdown",
    ".csv": "csv",
    ".json": "json",
    ".html": "html",
    ".htm": "html",
}
PIPE_WIDTH = 140
HEADS = ("ours", "value", "n", "theirs", "value", "±", "source", "protocol")
NOTE = (
    "Numbers of different protocols say nothing about each other, so no row has a winner; what "
    "differs is given as ours vs theirs, and what one side does not say is unknown."
)


@click.command("report")
@options.run_dirs
@click.option(
    "--format",
    "chosen",
    type=click.Choice(["console", *FILES]),
    help="By default as --out ends, and console without it.",
)
@click.option(
    "--published", is_flag=True, help="Ours beside published numbers, and whether protocols match."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write there, print nothing."
)
@click.option(
    "--github-summary", is_flag=True, help="Append it to the step's summary in GitHub Actions too."
)
@options.duplicates
@options.columns
@options.as_json
def command(
    places: tuple[Path, ...],
    chosen: str | None,
    published: bool,
    out: Path | None,
    github_summary: bool,
    duplicates: str,
    columns: list[str] | None,
    as_json: bool,
) -> int:
    """Print the table of a run again, or what others published beside it.

    RUN is its folder. Several are shown as `ganbench results merge` would merge them, and nothing
    is written into them.
    """
    look_seldom_for_garbage()
    from ganbench.cli.many_runs import merged
    from ganbench.records.report import Report
    from ganbench.reports import github

    page = github.place() if github_summary else None
    report = Report.of(merged(places, duplicates)[0])
    if as_json and chosen not in (None, "json"):
        raise ConfigError(f"--json and --format {chosen} exclude each other")
    chosen = "json" if as_json else chosen
    style = chosen or (ENDINGS.get(out.suffix.lower()) if out else None) or "console"
    if columns is not None and (published or style != "console"):
        raise ConfigError("--columns is for the table in a terminal; the files have all columns")
    written = _comparison if published else partial(_table, columns=columns)
    write = written(report, style)
    if out is None:
        with contextlib.redirect_stdout(streams.documents()):
            write()
    else:
        _save(out, write)
    if page:
        github.append(page, github.document(_text(written(report, "markdown"))))
    return OK


def _table(report: Report, style: str, columns: Sequence[str] | None = None) -> Callable[[], None]:
    from ganbench.contracts.reporters import with_sections
    from ganbench.registry import registry
    from ganbench.util import files

    chosen = report.info.reporters if style == "html" else ()
    plugins = registry.built_in_reporters()
    if not {r.name for r in chosen} <= set(plugins.names("reporter")):
        plugins = registry.load()
    shown = {"columns": list(columns)} if columns is not None and style == "console" else {}
    reporter = plugins.build("reporter", style, shown)
    added = list(_buildable(plugins, chosen))

    def write() -> None:
        with tempfile.TemporaryDirectory(prefix="ganbench-") as folder:
            with files.folder_put_back():  # whatever folder the code of others goes to
                reporter.write(with_sections(report, added, _without_sections), Path(folder))
            if style in FILES:
                sys.stdout.write((Path(folder) / FILES[style]).read_text("utf-8"))

    return write


def _buildable(plugins: Registry, chosen: Iterable[PluginChoice]) -> Iterator[Reporter]:
    """Yield a run's reporters; one that cannot be had here is told of, with what it costs."""
    for choice in chosen:
        try:
            yield plugins.build("reporter", choice.name, choice.options)
        except ConfigError as error:
            _without_sections(choice, error)


def _without_sections(one: PluginChoice | Reporter, error: BaseException) -> None:
    why = told(error).splitlines()[0]
    print(f"note: without the sections of '{one.name}': {why}", file=sys.stderr)


def _comparison(report: Report, style: str) -> Callable[[], None]:
    from ganbench.reports.published import published_numbers
    from ganbench.reports.published.comparison import match_published

    known = published_numbers.load()
    pairs = match_published(report, known)
    if not pairs:
        raise NothingSelected(_nothing(report, known))
    writers: dict[str, Callable[[Run, Sequence[Pair]], None]] = {
        "console": _print,
        "markdown": _markdown,
        "csv": _csv,
        "json": _json,
    }
    if style not in writers:
        raise ConfigError(
            f"--published has no {style} form; choose one with --format: {', '.join(writers)}"
        )
    return lambda: writers[style](report.run, pairs)


def _nothing(report: Report, known: Sequence[Published]) -> str:
    """Say what the run has, and what is published."""
    ours = dict.fromkeys(o.trial.subject.dataset.name for o in report.outcomes)
    columns = [c.name for c in report.table.columns]
    there: dict[str, dict[str, None]] = {}
    for number in known:
        there.setdefault(number.dataset, {})[number.metric] = None
    lines = [f"  {dataset}: {', '.join(metrics)}" for dataset, metrics in there.items()]
    return (
        f"{report.run.directory}: nothing published corresponds to it; it has {', '.join(ours)} "
        f"with {', '.join(columns)}, and what is published is\n" + "\n".join(lines)
    )


def _save(out: Path, write: Callable[[], None]) -> None:
    from ganbench.util import files

    text = _text(write)
    try:
        files.write_text(out, text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise RunError(f"--out {out}: cannot be written: {reason}") from error


def _text(write: Callable[[], None]) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        write()
    return text.getvalue()


def _cells(pair: Pair) -> list[str]:
    """Under HEADS."""
    ours, theirs = pair.ours, pair.theirs
    mine = [ours.row.label, ours.text, str(ours.summary.n)] if ours else ["no such row", "—", ""]
    return [
        *mine,
        theirs.model,
        theirs.text,
        theirs.spread_text,
        f"{theirs.source.brief}, {theirs.where}",
        pair.verdict,
    ]


def _sections(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    """By data set and metric, in order."""
    from ganbench.records.columns import Name

    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        theirs = pair.theirs
        title = f"{theirs.dataset}: {pair.column.name}"
        if Name.of(theirs.metric).space != Name.of(pair.column.name).space:
            title += f" beside published {theirs.metric}"
        found.setdefault(title, []).append(pair)
    return found


def _sources(pairs: Sequence[Pair]) -> list[str]:
    found = {pair.theirs.source: None for pair in pairs}
    return [f"{s.brief}: {s.title}. {', '.join(s.authors)}. {s.url}" for s in found]


def _print(run: Run, pairs: Sequence[Pair]) -> None:
    from rich.table import Table as Grid
    from rich.text import Text

    from ganbench.reports.published.comparison import SAME

    terminal = streams.console(pipe_width=PIPE_WIDTH)
    for title, group in _sections(pairs).items():
        grid = Grid(title=Text(title), title_justify="left")
        for head in HEADS:
            grid.add_column(Text(head), overflow="fold")
        numbered = {v: i for i, v in enumerate(dict.fromkeys(p.verdict for p in group), 1)}
        for pair in group:
            *cells, verdict = _cells(pair)
            brief = "differs" if pair.differences else "no known difference"
            label = verdict if pair.same else f"{brief} ({numbered[verdict]})"
            grid.add_row(*map(Text, [*cells, label]))
        terminal.print(grid)
        for verdict, number in numbered.items():
            if verdict != SAME:
                terminal.print(f"({number}) {verdict}")
        terminal.print()
    for note in [NOTE, *_sources(pairs)]:
        terminal.print(note, style="dim")


def _markdown(run: Run, pairs: Sequence[Pair]) -> None:
    from ganbench.contracts.reporters import markdown_cell

    print(f"# {markdown_cell(run.plan.name)} beside published numbers")
    for title, group in _sections(pairs).items():
        lines = [
            HEADS,
            ("---",) * len(HEADS),
            *(map(markdown_cell, _cells(pair)) for pair in group),
        ]
        body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        print(f"\n## {markdown_cell(title)}\n\n{body}")
    print()
    for note in [NOTE, *_sources(pairs)]:
        print(f"- {markdown_cell(note)}")


def _csv(run: Run, pairs: Sequence[Pair]) -> None:
    from ganbench.contracts.reporters import spreadsheet_cell

    rows = [_plain(pair) for pair in pairs]
    writer = csv.DictWriter(sys.stdout, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        texts = {k: "; ".join(v) if isinstance(v, list) else v for k, v in row.items()}
        writer.writerow({k: "" if v is None else spreadsheet_cell(v) for k, v in texts.items()})


def _json(run: Run, pairs: Sequence[Pair]) -> None:
    document = {
        "run": str(run.directory),
        "id": run.info.id,
        "note": NOTE,
        "published": [_plain(pair) for pair in pairs],
    }
    print(json.dumps(document, indent=1, allow_nan=False, ensure_ascii=False))


def _plain(pair: Pair) -> dict[str, Any]:
    ours, theirs = pair.ours, pair.theirs
    return {
        "dataset": theirs.dataset,
        "metric": pair.column.name,
        "row": ours and ours.row.label,
        "mean": ours and ours.summary.mean,
        "standard_error": ours and ours.summary.error,
        "n": ours and ours.summary.n,
        "published_metric": theirs.metric,
        "published_model": theirs.model,
        "published_value": theirs.value,
        "published_spread": theirs.spread,
        "published_spread_kind": theirs.kind,
        "published_n": theirs.n,
        "source": theirs.source.title,
        "authors": list(theirs.source.authors),
        "year": theirs.source.year,
        "url": theirs.source.url,
        "where": theirs.where,
        "same_protocol": pair.same,
        "differences": list(pair.differences),
        "unknown": list(pair.unknown),
    }
