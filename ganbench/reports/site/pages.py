"""The pages of a site: an index, a page for each board, and one for each variant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from ganbench.archive import submission, told
from ganbench.archive.boards import Board
from ganbench.archive.figures import save_critical_differences
from ganbench.errors import DataError, RunError
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.table import Row
from ganbench.reports.published import published_numbers
from ganbench.reports.published.comparison import Pair, match_published
from ganbench.reports.site import markup
from ganbench.util import files
from ganbench.util.messages import counted
from ganbench.util.picture_files import open_picture

MOST_ROWS = 400  # of a page, which is to stay below 2 MB
MOST_TRIALS = 200  # of a variant's page
MOST_PUBLISHED = 60
SIDE = 720  # pixels of a picture's longer side
MOST_COLUMNS = 8  # of quality, on a board


@dataclass
class Site:
    """What is written, and where."""

    out: Path
    boards: Sequence[Board]
    names: dict[str, str] = field(default_factory=dict)  #: of the boards' files
    variants: dict[str, str] = field(default_factory=dict)  #: of the variants' files
    sources: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    """Of plugins that came with runs, by the run's id: names and files."""
    taken: set[str] = field(default_factory=set)


def write(out: Path, boards: Sequence[Board], runs: Sequence[Run], left_out: Sequence[str]) -> int:
    """Write a site into a new or empty folder, and return how many pages it has.

    Raises RunError where there is anything already, or it cannot be written.
    """
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise RunError(f"{out}: is there already; --out names a new or empty folder")
    site = Site(out, boards)
    for board in boards:
        site.names[board.name] = markup.file_name(board.name, site.taken, "")
        for row in board.rows:
            name = variant(row)
            if name not in site.variants:
                site.variants[name] = markup.file_name(name, site.taken, ".html")
    try:
        for folder in ("boards", "variants", "pictures", "sources"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        pages = dict(_pages(site, runs, left_out))
        for path, content in pages.items():
            files.write_text(out / path, content)
    except OSError as error:
        raise RunError(f"{out}: cannot be written: {error.strerror or error}") from error
    return len(pages)


def variant(row: Row) -> str:
    """Return what a variant is called on all boards: its axes but for the data set."""
    axes = {axis: value for axis, value in row.axes.items() if axis not in ("dataset", "platform")}
    return "/".join(axes.values()) or row.label


def _pages(site: Site, runs: Sequence[Run], left_out: Sequence[str]) -> Iterator[tuple[str, str]]:
    for run in runs:
        yield from _sources(site, run)
    yield "index.html", _index(site, runs, left_out)
    for board in site.boards:
        yield from _board(site, board)
    rows: dict[str, list[tuple[Board, Row]]] = {}
    for board in site.boards:
        for row in board.rows:
            rows.setdefault(variant(row), []).append((board, row))
    pairs = {board.name: match_published(board.report, _published()) for board in site.boards}
    for name, found in rows.items():
        yield f"variants/{site.variants[name]}", _variant(site, name, found, pairs)


def _sources(site: Site, run: Run) -> Iterator[tuple[str, str]]:
    """Yield the page of each plugin that came with a run: its source as text, and its SHA-256."""
    for path in sorted((run.directory / submission.PLUGINS).glob("*.py")):
        if path.is_symlink() or path.stat().st_size > submission.MOST_SOURCE:
            continue
        content = files.read_bytes(path, submission.MOST_SOURCE)
        digest = hashlib.sha256(content).hexdigest()
        file = markup.file_name(f"{run.info.id} {path.name}", site.taken, ".html")
        site.sources.setdefault(run.info.id, []).append((path.name, f"sources/{file}"))
        about = (
            f"Came with run {run.info.id}; cells call it {submission.identity_of(path)}. SHA-256 "
            f"{digest}. Nothing runs it but `ganbench results retrain --run-plugins`."
        )
        source = markup.listing(path.name, content.decode("utf-8", "replace"))
        yield f"sources/{file}", markup.page(path.name, about, [source], "../")


def _published() -> Iterable[published_numbers.Published]:
    return published_numbers.load()


def _index(site: Site, runs: Sequence[Run], left_out: Sequence[str]) -> str:
    boards = markup.table(
        "Boards: a data set and a protocol each",
        ("data set", "variants", "best rank", "tied with it"),
        [_board_line(site, board) for board in site.boards],
    )
    variants = markup.listed(
        markup.link(name, f"variants/{file}")
        for name, file in list(site.variants.items())[:MOST_ROWS]
    )
    provenance = markup.table(
        "Runs",
        ("run", "benchmark", "begun", "device", "ganbench", "torch", "code of its own"),
        [
            (
                run.info.id,
                run.info.name,
                run.info.created[:10],
                run.info.machine.device_name or run.info.machine.device,
                run.info.provenance.ganbench,
                str(run.info.provenance.packages.get("torch") or "—"),
                markup.joined(
                    markup.link(f"{name} ", file)
                    for name, file in site.sources.get(run.info.id, ())
                )
                or "—",
            )
            for run in runs[:MOST_ROWS]
        ],
    )
    trials = sum(len(run.trials) for run in runs)
    return markup.page(
        "Results",
        f"{counted(len(runs), 'run')} with {counted(trials, 'trial')} of GAN variants.",
        [
            markup.section("Boards", boards),
            markup.section("Variants", variants),
            markup.section("Runs", provenance),
            markup.section("Left out", markup.listed(left_out[:MOST_ROWS])),
        ],
    )


def _board_line(site: Site, board: Board) -> tuple[Markup | str, ...]:
    name = markup.link(board.name, f"boards/{site.names[board.name]}.html")
    if board.standings is None:
        return name, str(len(board.rows)), "—", board.why
    best = board.standings.standings[0].variant
    tied = [v for group in board.standings.ties if best in group for v in group if v != best]
    return name, str(len(board.rows)), best, ", ".join(dict.fromkeys(tied)) or "nothing"


def _board(site: Site, board: Board) -> Iterator[tuple[str, str]]:
    """Yield a board's pages: its ranks and as many rows as a page takes, then the others."""
    stem = site.names[board.name]
    rows_of_parts = range(0, max(1, len(board.rows)), MOST_ROWS)
    parts = [board.rows[at : at + MOST_ROWS] for at in rows_of_parts]
    links = [f"{stem}.html", *(f"{stem}-{number}.html" for number in range(2, len(parts) + 1))]
    for number, (rows, file) in enumerate(zip(parts, links, strict=True), 1):
        content = [_ranks(site, board, stem)] if number == 1 else []
        content.append(markup.section("Numbers", _numbers(site, board, rows)))
        if len(parts) > 1:
            others = (markup.link(f"Part {n}", to) for n, to in enumerate(links, 1))
            content.append(markup.section("All rows", markup.listed(others)))
        content.append(markup.section("What must be known", markup.listed(board.table.notes)))
        part = f", part {number}" if number > 1 else ""
        about = f"{counted(len(board.rows), 'variant')} on {board.dataset}, by one protocol."
        yield f"boards/{file}", markup.page(f"{board.name}{part}", about, content, "../")


def _ranks(site: Site, board: Board, stem: str) -> Markup:
    found = board.standings
    if found is None:
        return markup.section("Ranks", Markup("<p>{}</p>").format(markup.text(board.why)))
    picture = f"pictures/{stem}.svg"
    save_critical_differences(
        site.out / picture,
        {one.variant: one.mean_rank for one in found.standings},
        found.ties,
        {one.variant: one.rank_interval for one in found.standings},
        f"mean rank by {found.scores.column.name}; bars join ties",
    )
    figure = Markup(
        '<figure><img src="../{}" alt="Critical-difference diagram, told in full by the table and '
        'the list beside it"><figcaption>Bars join variants that no test tells apart.'
        "</figcaption></figure>"
    ).format(picture)
    rows = [told.cells(found, one) for one in found.standings]
    table = markup.table("Variants by mean rank", told.heads(found), rows)
    return markup.section("Ranks", table, figure, markup.listed(told.sentences(found)))


def _numbers(site: Site, board: Board, rows: Iterable[Row]) -> Markup:
    table = board.table
    columns = [c for c in table.columns if c.direction != "none"][:MOST_COLUMNS]
    heads = ("variant", "n", *(table.header(column) for column in columns))
    lines: list[list[Markup | str]] = []
    for row in [*board.references, *rows]:
        name = variant(row)
        is_linked = not row.is_reference and name in site.variants
        first = markup.link(name, f"../variants/{site.variants[name]}") if is_linked else row.title
        lines.append([first, table.seeds(row), *(_value(board, row, c) for c in columns)])
    return markup.table("Means ± standard errors; bold: best, ≈: tied with it", heads, lines)


def _value(board: Board, row: Row, column: object) -> Markup:
    shown = markup.text(board.table.text(row, column))  # type: ignore[arg-type]
    mark = row.values[column.name].mark  # type: ignore[attr-defined]
    if mark == "best":
        return Markup('<span class="best">{}</span>').format(shown)
    return Markup("≈ {}").format(shown) if mark == "tied" else shown


def _variant(
    site: Site,
    name: str,
    found: Sequence[tuple[Board, Row]],
    pairs: dict[str, list[Pair]],
) -> str:
    content = []
    for board, row in found:
        outcomes = board.outcomes(row)
        content.append(
            markup.section(
                board.name,
                Markup("<p>{}</p>").format(
                    markup.link(
                        f"The board of {board.name}", f"../boards/{site.names[board.name]}.html"
                    )
                ),
                _own_numbers(board, row),
                _picture(site, name, outcomes),
                _trials(outcomes),
                _published_table(row, pairs[board.name]),
            )
        )
    where = ", ".join(dict.fromkeys(board.name for board, _ in found))
    platforms = ", ".join(
        dict.fromkeys(o.platform for board, row in found for o in board.outcomes(row) if o.platform)
    )
    about = f"On {where}; trained on {platforms or 'an unknown platform'}."
    return markup.page(name, about, content, "../")


def _own_numbers(board: Board, row: Row) -> Markup:
    lines = []
    for column in board.table.columns:
        summary = row.values[column.name]
        if summary.mean is not None:
            protocols = ", ".join(sorted(summary.protocols)) or "—"
            values = [_value(board, row, column), str(summary.n), protocols]
            lines.append([board.table.header(column), *values])
    return markup.table("Numbers", ("number", "mean ± error", "seeds", "protocol"), lines)


def _trials(outcomes: Sequence[TrialOutcome]) -> Markup:
    lines = [
        (str(o.trial.seed), o.status.value, o.platform or "—", o.run, o.reason or "—")
        for o in outcomes[:MOST_TRIALS]
    ]
    return markup.table("Trials", ("seed", "status", "platform", "run", "reason"), lines)


def _published_table(row: Row, pairs: Sequence[Pair]) -> Markup:
    mine = [p for p in pairs if p.ours is not None and p.ours.row.label == row.label]
    if not mine:
        return Markup("")
    return markup.table(
        "Beside published numbers, which no row wins against",
        ("number", "ours", "theirs", "source", "protocol"),
        [
            (
                p.column.name,
                p.ours.text if p.ours else "—",
                f"{p.theirs.text} {p.theirs.spread_text}",
                p.theirs.source.brief,
                p.verdict,
            )
            for p in mine[:MOST_PUBLISHED]
        ],
    )


def _picture(site: Site, name: str, outcomes: Sequence[TrialOutcome]) -> Markup:
    """Show the samples of the first trial that has a picture, decoded and written anew."""
    for outcome in outcomes:
        source = outcome.pictures / "samples.png"
        if not source.is_file():
            continue
        target = f"pictures/{markup.file_name(f'{name} {outcome.trial.id}', site.taken, '.png')}"
        try:
            with open_picture(source) as picture:
                shown = picture.convert("RGB")
        except (DataError, OSError, ValueError, SyntaxError):
            return Markup("<p>The picture of its samples is damaged.</p>")
        shown.thumbnail((SIDE, SIDE))
        shown.save(site.out / target)
        return Markup(
            '<figure><img src="../{}" width="{}" height="{}" alt="Samples of {}">'
            "<figcaption>Samples, seed {}</figcaption></figure>"
        ).format(target, *shown.size, markup.text(name), outcome.trial.seed)
    return Markup("")
