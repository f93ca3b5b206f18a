"""What every reporter must do."""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NoReturn

from markupsafe import Markup

from ganbench.contracts.reporters import Reporter
from ganbench.records.report import Report, Section
from ganbench.testing.fixtures import trials
from ganbench.testing.fixtures.sandbox import Files, contents, sandbox
from ganbench.testing.rulebook import Rulebook

LESS = (2.5, 6.0, "the generator is not told a class", 1200.0, 330.0)
REPORTS: dict[str, dict[str, list[dict[str, Any] | None]]] = {
    "ordinary": {
        "reference": [trials.judged((0.001, 8.0, 0.99, *["nothing was trained"] * 2))],
        "bce": [trials.finished(), trials.finished((1.5, 7.0, 0.7, 1300.0, 322.0))],
        "lsgan": [trials.finished(LESS), trials.finished(LESS)],
    },
    "one seed": {"bce": [trials.finished()], "lsgan": [trials.finished()]},
    "no values": {"bce": [trials.finished(("no judge",) * 5)], "lsgan": [trials.finished(LESS)]},
    "failed": {
        "bce": [trials.finished(), trials.lost("failed", trials.NASTY)],
        "lsgan": [trials.lost("diverged", trials.NASTY)] * 2,
        "incompatible": [None, None],
    },
    "nothing finished": {"reference": [None], "bce": [None, None], "lsgan": [None, None]},
}
rules = Rulebook()


@rules.rule_for_each(lambda cls: REPORTS)
def writes_the_report(name: str, reporter: Reporter) -> None:
    with _written(reporter, name):
        pass


@rules.rule
def report_is_left_alone(reporter: Reporter) -> None:
    """Check that neither the report nor the run's own files are changed."""
    for name in REPORTS:
        with sandbox() as box:
            report = trials.report(box.folder("run"), REPORTS[name])
            table, outcomes = copy.deepcopy((report.table, report.outcomes))
            frame, files = report.records.copy(), contents(box.folder("run"))
            _write(reporter, report)
            assert report.table == table, "it changes the report's table; work on a copy"
            assert report.outcomes == outcomes, "it changes the report's outcomes; work on a copy"
            assert frame.equals(report.records), "it changes the report's records; work on a copy"
            now = contents(box.folder("run"))
            lost = sorted(path for path, content in files.items() if now.get(path) != content)
            assert not lost, f"it changes the run's own files {lost}; write files of its own"


@rules.rule
def writes_only_into_the_directory(reporter: Reporter) -> None:
    """Check that nothing is written into the working directory, which is another one."""
    with sandbox() as box:
        _write(reporter, trials.report(box.folder("run"), REPORTS["ordinary"]))
        strays = box.strays()
        assert not strays, f"it writes {strays}; write into the `directory` that write() is given"


@rules.rule
def leaves_no_temporary_files(reporter: Reporter) -> None:
    """Check that no draft stays, neither beside the files nor in the temporary folder."""
    with sandbox() as box:
        report = trials.report(box.folder("run"), REPORTS["ordinary"])
        before = contents(box.folder("run"))
        _write(reporter, report)
        new = contents(box.folder("run")).keys() - before.keys()
        left = [*box.temporary(), *(path for path in new if _is_temporary(Path(path)))]
        assert not left, f"it leaves the temporary files {sorted(left)}; use write_atomically()"


@rules.rule
def json_is_strict(reporter: Reporter) -> None:
    """Check that JSON is JSON, without NaN and infinity."""
    for name in REPORTS:
        with _written(reporter, name) as files:
            for path, content in files.items():
                suffix = Path(path).suffix
                texts = content.decode("utf-8").splitlines() if suffix == ".jsonl" else [content]
                if suffix not in (".json", ".jsonl"):
                    continue
                for text in texts:
                    _read_strictly(path, text)


@rules.rule
def nasty_text_breaks_nothing(reporter: Reporter) -> None:
    """Check that a reason's own markup, commas and pipes are text in what is written."""
    with _written(reporter, "failed") as files:
        for path, content in files.items():
            suffix = Path(path).suffix
            if suffix in (".html", ".svg", ".md"):
                text = content.decode("utf-8")
                assert "<script>alert" not in text, (
                    f"'{path}' holds a reason's <script> as it was; escape it, as html.escape does"
                )
            if suffix == ".md":
                _assert_even(path, _markdown_rows(content.decode("utf-8")))
            if suffix in (".csv", ".tsv"):
                dialect = "excel-tab" if suffix == ".tsv" else "excel"
                rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), dialect)
                _assert_even(path, [[len(row) for row in rows]])


@rules.rule
def sections_are_sound(reporter: Reporter) -> None:
    """Check that what it adds to report.html is escaped, whole and loads nothing."""
    for name in REPORTS:
        with sandbox() as box:
            report = trials.report(box.folder("run"), REPORTS[name])
            for section in reporter.sections(report):
                assert isinstance(section, Section), (
                    f"sections() gives a {type(section).__name__}; give ganbench.Section"
                )
                assert section.title.strip(), "a section has no title; say what it shows"
                if isinstance(section.body, Markup):
                    _assert_sound(section)


@rules.rule
def writing_twice_is_writing_once(reporter: Reporter) -> None:
    """Check that a second time, as after `resume`, gives the same files."""
    with sandbox() as box:
        report = trials.report(box.folder("run"), REPORTS["ordinary"])
        sizes = []
        for _ in range(2):
            _write(reporter, report)
            files = contents(box.folder("run"))
            sizes.append({path: len(content) for path, content in files.items()})
        grown = sorted(path for path in sizes[1] if sizes[0].get(path) != sizes[1][path])
        assert not grown, (
            f"written a second time, {grown} are other files; replace a file, and do not add to it"
        )


@contextlib.contextmanager
def _written(reporter: Reporter, name: str) -> Iterator[Files]:
    """Yield the files that it makes of a report."""
    with sandbox() as box:
        report = trials.report(box.folder("run"), REPORTS[name])
        before = contents(box.folder("run"))
        try:
            _write(reporter, report)
        except Exception as error:
            raise AssertionError(
                f"a report of the kind '{name}' makes it raise {type(error).__name__} ({error}); "
                "means, errors and whole results may be missing"
            ) from error
        files = contents(box.folder("run"))
        yield {path: content for path, content in files.items() if path not in before}


def _write(reporter: Reporter, report: Report) -> None:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        reporter.write(report, report.run.directory)
        list(reporter.sections(report))


class _Sound(HTMLParser):
    """Raises AssertionError where HTML is not whole, or is more than a page takes from others."""

    VOID = ("br", "col", "hr", "img", "input", "wbr")
    ACTIVE = ("base", "embed", "form", "iframe", "link", "meta", "object", "script", "style")
    LOADING = ("action", "data", "href", "poster", "src", "srcset", "xlink:href")

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag not in self.ACTIVE, f"has a <{tag}>; escape the text, or do without it"
        for name, value in attrs:
            assert not name.startswith(("on", "style")), (
                f"has the attribute {name}, which the page's policy forbids; do without it"
            )
            assert name not in self.LOADING or (value or "").startswith(("data:image/", "#")), (
                f"loads {name}={value!r}; the page must open without a network: use a data: URL"
            )
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1:] == [tag], (
            f"has a </{tag}> where {self.open[-1:] or 'nothing'} is open; close every element"
        )
        self.open.pop()


def _assert_sound(section: Section) -> None:
    parser = _Sound()
    try:
        parser.feed(section.body)
        parser.close()
        assert not parser.open, f"never closes <{parser.open[-1]}>; close every element"
    except AssertionError as error:
        raise AssertionError(f"the section '{section.title}' {error}") from error


def _read_strictly(path: str, text: str | bytes) -> None:
    def refuse(token: str) -> NoReturn:
        raise AssertionError(f"'{path}' holds {token}, which is no JSON; write null in its place")

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError as error:
        raise AssertionError(f"'{path}' is no JSON: {error}") from error


def _is_temporary(path: Path) -> bool:
    name = path.name
    return name.startswith((".", "~", "tmp")) or name.endswith((".tmp", ".temp", ".part", "~"))


def _markdown_rows(text: str) -> list[list[int]]:
    """Return the number of cells of each row, table by table."""
    tables: list[list[int]] = []
    inside = False
    for line in text.splitlines():
        is_row = line.startswith("|")
        if is_row and not inside:
            tables.append([])
        if is_row:
            tables[-1].append(len(re.findall(r"(?<!\\)\|", line)))
        inside = is_row
    return tables


def _assert_even(path: str, tables: list[list[int]]) -> None:
    for counts in tables:
        assert len(set(counts)) <= 1, (
            f"'{path}' has rows of {sorted(set(counts))} cells; escape what separates cells and "
            "rows, as the module csv does"
        )
