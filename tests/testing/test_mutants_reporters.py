"""Right reporters pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

import html
import json
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers import mutants
from markupsafe import Markup

from ganbench import Report, Reporter, Section, write_atomically
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class Page(Reporter):
    """A page with the table's labels, statuses and notes."""

    name = "page"

    def write(self, report: Report, directory: Path) -> None:
        parts = [f"<p>{self.escaped(part)}</p>" for part in self.parts(report)]
        self.save(directory / "page.html", "\n".join(parts))

    def parts(self, report: Report) -> list[str]:
        rows = [f"{row.label}: {row.status} {self.numbers(row)}" for row in report.table.rows]
        return [*rows, *report.table.notes]

    def sections(self, report: Report) -> Iterable[Section]:
        items = (
            self.item(row.label, reason) for row in report.table.rows for reason in row.reasons
        )
        yield Section("Reasons", Markup("<ul>{}</ul>").format(Markup().join(items)))
        yield Section("Notes", "\n".join(report.table.notes))

    def item(self, label: str, reason: str) -> Markup:
        return Markup("<li><b>{}</b>: {}<br></li>").format(label, reason)

    def numbers(self, row) -> str:
        found = (s.mean for s in row.values.values())
        return ", ".join(f"{mean:.3f}" for mean in found if mean is not None)

    def escaped(self, text: str) -> str:
        return html.escape(text)

    def save(self, path: Path, text: str) -> None:
        write_atomically(path, lambda temporary: temporary.write_text(text, "utf-8"))


@parametrize_with_checks(Page)
def test_right_reporter_conforms(check):
    check()


@dataclass(kw_only=True)
class FormatsWhatIsMissing(Page):
    """Every mean is formatted, whether there is one or not."""

    name = "formats-what-is-missing"
    caught_by = {"writes_the_report[failed]", "writes_the_report[no values]"}
    also = mutants.MOST

    def numbers(self, row) -> str:
        return ", ".join(f"{s.mean:.3f}" for s in row.values.values())


@dataclass(kw_only=True)
class FormatsErrors(Page):
    """An error bar of a single seed."""

    name = "formats-errors"
    caught_by = {"writes_the_report[one seed]"}
    also = mutants.MOST

    def numbers(self, row) -> str:
        known = (s for s in row.values.values() if s.mean is not None)
        return ", ".join(f"{s.mean:.3f} ± {s.error:.3f}" for s in known if not row.is_reference)


@dataclass(kw_only=True)
class WantsTraining(Page):
    """Every trial is thought to have trained."""

    name = "wants-training"
    caught_by = {f"writes_the_report[{s}]" for s in ("ordinary", "failed", "nothing finished")}
    also = mutants.MOST

    def parts(self, report: Report) -> list[str]:
        return [str(outcome.result.training.images) for outcome in report.outcomes]


@dataclass(kw_only=True)
class BestOfNone(Page):
    """The best of an empty table."""

    name = "best-of-none"
    caught_by = {"writes_the_report[nothing finished]"}
    also = {"report_is_left_alone", "json_is_strict"}

    def parts(self, report: Report) -> list[str]:
        return [max(row.label for row in report.table.rows if row.n)]


@dataclass(kw_only=True)
class ClearsTheTable(Page):
    """Values are taken out of the table."""

    name = "clears-the-table"
    caught_by = {"report_is_left_alone"}

    def numbers(self, row) -> str:
        row.values.clear()
        return ""


@dataclass(kw_only=True)
class AddsAColumn(Page):
    """A column is added to everyone's records."""

    name = "adds-a-column"
    caught_by = {"report_is_left_alone"}

    def parts(self, report: Report) -> list[str]:
        report.records["page"] = 1
        return []


@dataclass(kw_only=True)
class ChangesResults(Page):
    """Results are shortened in the trials' own files."""

    name = "changes-results"
    caught_by = {"report_is_left_alone"}

    def write(self, report: Report, directory: Path) -> None:
        for path in directory.glob("trials/*/result.json"):
            path.write_text(json.dumps({"status": "ok"}))


@dataclass(kw_only=True)
class WritesHere(Page):
    """A page in the working directory."""

    name = "writes-here"
    caught_by = {"writes_only_into_the_directory"}

    def save(self, path: Path, text: str) -> None:
        super().save(Path.cwd() / path.name, text)


@dataclass(kw_only=True)
class LeavesScraps(Page):
    """A draft that stays beside the page."""

    name = "leaves-scraps"
    caught_by = {"leaves_no_temporary_files"}

    def save(self, path: Path, text: str) -> None:
        path.with_suffix(".html.tmp").write_text(text, "utf-8")
        super().save(path, text)


@dataclass(kw_only=True)
class LeavesScrapsElsewhere(Page):
    """A draft that stays in the system's temporary folder."""

    name = "leaves-scraps-elsewhere"
    caught_by = {"leaves_no_temporary_files"}

    def save(self, path: Path, text: str) -> None:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", delete=False) as file:
            file.write(text)
        super().save(path, text)


@dataclass(kw_only=True)
class WritesNaN(Page):
    """A missing mean becomes NaN, which is no JSON."""

    name = "writes-nan"
    caught_by = {"json_is_strict"}

    def write(self, report: Report, directory: Path) -> None:
        rows = report.table.rows
        means = [s.mean or float("nan") for row in rows for s in row.values.values()]
        self.save(directory / "means.json", json.dumps(means))


@dataclass(kw_only=True)
class QuotesByHand(Page):
    """Lines of JSON put together by hand."""

    name = "quotes-by-hand"
    caught_by = {"json_is_strict"}

    def write(self, report: Report, directory: Path) -> None:
        lines = [f'{{"note": "{note}"}}' for note in report.table.notes]
        self.save(directory / "notes.jsonl", "\n".join(lines))


@dataclass(kw_only=True)
class Unescaped(Page):
    """A reason's markup is everyone's markup."""

    name = "unescaped"
    caught_by = {"nasty_text_breaks_nothing"}

    def escaped(self, text: str) -> str:
        return text


@dataclass(kw_only=True)
class PipesInMarkdown(Page):
    """A reason's pipes become cells."""

    name = "pipes-in-markdown"
    caught_by = {"nasty_text_breaks_nothing"}

    def write(self, report: Report, directory: Path) -> None:
        reasons = [(row.label, " ".join(row.reasons)) for row in report.table.rows]
        lines = [f"| {label} | {html.escape(why)} |" for label, why in reasons]
        self.save(directory / "page.md", "\n".join(["| label | why |", "|---|---|", *lines]))


@dataclass(kw_only=True)
class CommasInCSV(Page):
    """A reason's commas become cells."""

    name = "commas-in-csv"
    caught_by = {"nasty_text_breaks_nothing"}

    def write(self, report: Report, directory: Path) -> None:
        lines = [f"{row.label},{'; '.join(row.reasons)}" for row in report.table.rows]
        self.save(directory / "page.csv", "\n".join(["label,why", *lines]))


@dataclass(kw_only=True)
class Appends(Page):
    """Each page is added to the last."""

    name = "appends"
    caught_by = {"writing_twice_is_writing_once"}

    def save(self, path: Path, text: str) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)


@dataclass(kw_only=True)
class UnescapedSection(Page):
    """A reason's markup becomes the page's."""

    name = "unescaped-section"
    caught_by = {"sections_are_sound"}

    def item(self, label: str, reason: str) -> Markup:
        return Markup(f"<li>{label}: {reason}</li>")


@dataclass(kw_only=True)
class OpenSection(Page):
    """An element that swallows what follows it."""

    name = "open-section"
    caught_by = {"sections_are_sound"}

    def item(self, label: str, reason: str) -> Markup:
        return Markup("<li><b>{}: {}</li>").format(label, reason)


@dataclass(kw_only=True)
class LoadingSection(Page):
    """A picture from the network."""

    name = "loading-section"
    caught_by = {"sections_are_sound"}

    def item(self, label: str, reason: str) -> Markup:
        return Markup("<li><img src='https://example.org/{}.png' alt=''></li>").format(label)


@dataclass(kw_only=True)
class StyledSection(Page):
    """A style, which the page's policy forbids."""

    name = "styled-section"
    caught_by = {"sections_are_sound"}

    def item(self, label: str, reason: str) -> Markup:
        return Markup("<li style='color: red'>{}</li>").format(label)


@dataclass(kw_only=True)
class TextsForSections(Page):
    """Bare texts where sections should be."""

    name = "texts-for-sections"
    caught_by = {"sections_are_sound"}

    def sections(self, report: Report) -> Iterable[Section]:
        return ["a text"]


@dataclass(kw_only=True)
class SectionOfNone(Page):
    """A section on the best of an empty table."""

    name = "section-of-none"
    caught_by = {"writes_the_report[nothing finished]"}
    also = mutants.MOST

    def sections(self, report: Report) -> Iterable[Section]:
        yield Section("Best", max(row.label for row in report.table.rows if row.n))


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_reporter_is_caught(mutant):
    mutants.assert_caught(mutant)
