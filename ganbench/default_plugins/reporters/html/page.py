"""The page as a whole: one file that loads nothing."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from pathlib import Path

from ganbench import Report
from ganbench.default_plugins.reporters.html import (
    bars,
    failures,
    findings,
    provenance,
    scatter,
    summary,
    trials,
)
from ganbench.default_plugins.reporters.html.markup import Content, Markup, element
from ganbench.default_plugins.reporters.html.rows import Lines

HERE = Path(__file__).parent
FRAME = 50_000  # bytes that are no picture, beside those of the sections
BAD = ("failed", "diverged", "timeout", "incompatible")


def page(report: Report, limit: int) -> str:
    """HTML of at most `limit` bytes: pictures get what the other parts, each with a limit of its
    own, leave of it."""
    lines = Lines(report)
    before = {
        "results": ("Results", summary.section(lines)),
        "failures": ("Failures", failures.section(lines)),
        "diagnosis": ("Diagnosis", findings.section(lines)),
        "spread": ("Differences and errors", bars.section(lines)),
        "speed": ("Quality against speed", scatter.section(lines)),
    }
    after = {
        "asked": ("What was asked", provenance.asked(lines)),
        "provenance": ("Provenance", provenance.section(lines)),
    }
    written = sum(len("".join(c).encode()) for _, c in [*before.values(), *after.values()])
    cells = {"cells": ("Samples and training", trials.section(lines, limit - written - FRAME))}
    return _document(lines, {**before, **cells, **after})


def _document(lines: Lines, sections: dict[str, tuple[str, list[Markup]]]) -> str:
    style, script = _part("report.css"), _part("report.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; "
        f"script-src '{_digest(script)}'; base-uri 'none'; form-action 'none'"
    )
    known = {key: (title, content) for key, (title, content) in sections.items() if content}
    links = [element("a", title, href=f"#{key}") for key, (title, _) in known.items()]
    body = [
        _header(lines),
        element("nav", links, aria_label="Sections"),
        element("main", [_section(key, *found) for key, found in known.items()]),
        element("script", Markup(script)),
    ]
    head = [
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="generator", content="ganbench"),
        element("title", f"{lines.table.name}: ganbench"),
        element("link", rel="icon", href="data:,"),
        element("style", Markup(style)),
    ]
    html = element("html", element("head", head), element("body", body), lang="en")
    return f"<!doctype html>\n{html}\n"


def _header(lines: Lines) -> Markup:
    about, table = lines.report.run.about, lines.table
    description = _description(lines.report.run.directory)
    created = str(about.get("created") or "")[:16].replace("T", " ")
    machine = about.get("machine") or {}
    datasets = list(dict.fromkeys(line.dataset for line in lines.cells if line.dataset))
    facts: list[tuple[str, Content]] = [
        ("trials", _progress(lines)),
        ("data", ", ".join(datasets[:6]) + ("…" if len(datasets) > 6 else "")),
        ("device", str(machine.get("device") or "")),
        ("profile", str(about.get("profile") or "")),
        ("begun", f"{created} UTC" if created else ""),
    ]
    return element(
        "header",
        element("p", "ganbench", class_="brand"),
        element("h1", table.name),
        element("p", description, class_="description") if description else None,
        provenance.facts(facts, "facts brief"),
    )


def _progress(lines: Lines) -> list[Markup]:
    counts = Counter(outcome.status for outcome in lines.report.outcomes)
    bad = sum(counts[status] for status in BAD)
    told = [f"{counts[status]:,} {status}" for status in ("ok", "unfinished") if counts[status]]
    shown = [element("span", ", ".join(told))] if told else []
    if bad:
        texts = [f"{counts[status]:,} {status}" for status in BAD if counts[status]]
        shown += [element("a", ", ".join(texts), href="#failures", class_="bad")]
    separated = [part for one in shown for part in (element("span", ", "), one)][1:]
    return separated or [element("span", "none")]


def _section(key: str, title: str, content: list[Markup]) -> Markup:
    heading = element("h2", title, id=f"{key}-title")
    return element("section", heading, content, id=key, aria_labelledby=f"{key}-title")


def _description(directory: Path) -> str:
    """As config.resolved.yaml has it."""
    import yaml

    try:
        found = yaml.safe_load((directory / "config.resolved.yaml").read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ""
    return str(found.get("description") or "")[:2000] if isinstance(found, dict) else ""


def _part(name: str) -> str:
    return (HERE / name).read_text("utf-8")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode('ascii')}"
