"""The page as a whole: one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ganbench import Report, Status
from ganbench.default_plugins.reporters.html import (
    along,
    bars,
    failures,
    findings,
    provenance,
    scatter,
    summary,
    trials,
)
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Content, Markup, element
from ganbench.default_plugins.reporters.html.rows import ReportView

HERE = Path(__file__).parent
MOST_DESCRIPTION = 2000
BAD = [status for status in Status if status.is_failure]


@dataclass(frozen=True)
class Part:
    """A section of the page, with what the links at the top call it."""

    key: str
    title: str
    content: Content

    @property
    def link(self) -> Markup:
        """Its link at the top."""
        return element("a", self.title, href=f"#{self.key}")

    @cached_property
    def section(self) -> Markup:
        """The section as it stands in the page."""
        heading = element("h2", self.title, id=f"{self.key}-title")
        return element(
            "section", heading, self.content, id=self.key, aria_labelledby=f"{self.key}-title"
        )

    def left_out(self) -> Part:
        """Return what stands in its place where it would make the page too large."""
        why = "Left out to keep this file small."
        return Part(self.key, self.title, [element("p", why, class_="more")])


def page(report: Report, limit: int) -> str:
    """Return HTML of at most `limit` bytes; pictures get what all other parts leave of it."""
    view = ReportView(report)
    before = [
        Part("results", "Results", summary.section(view)),
        Part("failures", "Failures", failures.section(view)),
        Part("diagnosis", "Diagnosis", findings.section(view)),
        Part("spread", "Differences and errors", bars.section(view)),
        Part("speed", "Quality against speed", scatter.section(view)),
        Part("along", "Quality while training", along.section(view)),
    ]
    after = [
        *_added(report),
        Part("asked", "What was asked", provenance.asked(view)),
        Part("provenance", "Provenance", provenance.section(view)),
    ]
    cells = Part("cells", "Samples and training", None)
    known = [part for part in [*before, *after] if part.content]
    frame = _document(view, [part.left_out() for part in [*known, cells]])
    budget = ByteBudget(limit - len(frame.encode()))
    fitting = {part.key: part if budget.takes(part.section) else part.left_out() for part in known}
    fitting[cells.key] = _cells(cells, view, budget)
    order = [*before, cells, *after]
    parts = [fitting[part.key] for part in order if part.key in fitting]
    return _document(view, [part for part in parts if part.content])


def _added(report: Report) -> list[Part]:
    """Return the sections that reporters add."""
    return [
        Part(f"added-{number}", section.title, _paragraph(section.body))
        for number, section in enumerate(report.sections, 1)
    ]


def _paragraph(body: str) -> Markup:
    return body if isinstance(body, Markup) else element("p", body, class_="reason")


def _cells(part: Part, view: ReportView, budget: ByteBudget) -> Part:
    """Return the part with as many pictures as fit; what cards take beside them is an estimate."""
    for share in (1.0, 0.5, 0.25):
        full = Part(part.key, part.title, trials.section(view, int(share * budget.left)))
        if budget.takes(full.section) and (full.content or share == 1.0):
            return full
    return part.left_out()


def _document(view: ReportView, parts: Sequence[Part]) -> str:
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    body = [
        _header(view),
        element("nav", [part.link for part in parts], aria_label="Sections"),
        element("main", [part.section for part in parts]),
        element("script", Markup(script)),
    ]
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="ganbench"),
        element("title", f"{view.table.name}: ganbench"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    ]
    html = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{html}\n"


def _header(view: ReportView) -> Markup:
    info, table = view.report.info, view.table
    description = view.report.run.description[:MOST_DESCRIPTION]
    created = info.created[:16].replace("T", " ")
    datasets = list(dict.fromkeys(row.dataset for row in view.cells if row.dataset))
    facts: list[tuple[str, Content]] = [
        ("trials", _progress(view)),
        ("data", ", ".join(datasets[:6]) + ("…" if len(datasets) > 6 else "")),
        ("device", info.machine.device),
        ("profile", info.profile or ""),
        ("begun", f"{created} UTC" if created else ""),
    ]
    return element(
        "header",
        element("p", "ganbench", class_="brand"),
        element("h1", table.name),
        element("p", description, class_="description") if description else None,
        provenance.facts(facts, "facts brief"),
    )


def _progress(view: ReportView) -> list[Markup]:
    trials = {outcome.directory: outcome.status for outcome in view.report.outcomes}
    counts = Counter(trials.values())
    bad = sum(counts[status] for status in BAD)
    others = [status for status in Status if not status.is_failure and counts[status]]
    told = [f"{counts[status]:,} {status}" for status in others]
    shown = [element("span", ", ".join(told))] if told else []
    if bad:
        texts = [f"{counts[status]:,} {status}" for status in BAD if counts[status]]
        shown += [element("a", ", ".join(texts), href="#failures", class_="bad")]
    separated = [part for one in shown for part in (element("span", ", "), one)][1:]
    return separated or [element("span", "none")]


def _asset(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
