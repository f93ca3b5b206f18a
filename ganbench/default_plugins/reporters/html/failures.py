"""What went wrong, each reason once, with the end of a log."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element, listing, prose
from ganbench.default_plugins.reporters.html.rows import ReportView

if TYPE_CHECKING:
    from ganbench import TrialOutcome

MOST_BYTES = 1_000_000
MOST_REASONS, MOST_NAMES = 100, 12
LOG_LINES, LOG_WIDTH, REASON_LENGTH = 15, 300, 4000
TAIL = 16_000  # bytes of a log that are read
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


def section(view: ReportView) -> list[Markup]:
    """Return an article for each reason, with the trials that it stopped."""
    groups: dict[tuple[str, str], list[TrialOutcome]] = {}
    for outcome in view.report.outcomes:
        if outcome.status.is_failure:
            groups.setdefault((outcome.status, _kind(outcome)), []).append(outcome)
    items = map(_group, list(groups.values())[:MOST_REASONS])
    kept, rest = ByteBudget(MOST_BYTES).fitting(items)
    rest += max(0, len(groups) - MOST_REASONS)
    if rest:
        kept.append(element("p", f"{rest:,} more reasons are in results.csv.", class_="more"))
    return kept


def _kind(outcome: TrialOutcome) -> str:
    """Return the reason without what differs from trial to trial: the cell and every number."""
    reason = outcome.reason.replace(outcome.trial.subject.label, "")
    for choice in outcome.trial.subject.axes.values():
        reason = reason.replace(choice, "")
    return re.sub(r"[0-9]+", "", reason)


def _group(outcomes: list[TrialOutcome]) -> Markup:
    first = outcomes[0]
    status, reason = first.status, first.reason
    differ = len({outcome.reason for outcome in outcomes}) > 1
    log = _tail(outcomes[0].directory / "worker.log")
    whose = f"Last lines of trials/{outcomes[0].directory.name}/worker.log"
    return element(
        "article",
        element("h3", element("span", status, class_="badge"), " · ", _names(outcomes)),
        element(
            "p",
            element("span", "The first: ", class_="hint") if differ else None,
            prose(reason[:REASON_LENGTH] or "no reason is known"),
            class_="reason",
        ),
        element("details", element("summary", whose), listing(log, whose)) if log else None,
        class_="failure",
    )


def _names(outcomes: list[TrialOutcome]) -> str:
    seeds: dict[str, list[str]] = {}
    for outcome in outcomes:
        of_cell = seeds.setdefault(outcome.trial.subject.label, [])
        if outcome.trial.cell is not None and outcome.status != "incompatible":
            of_cell.append(str(outcome.trial.seed))
    names = [f"{label}, {_seeds(found)}" if found else label for label, found in seeds.items()]
    more = f"; and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return "; ".join(names[:MOST_NAMES]) + more


def _seeds(found: list[str]) -> str:
    word = "seed" if len(found) == 1 else "seeds"
    more = f" and {len(found) - MOST_NAMES:,} more" if len(found) > MOST_NAMES else ""
    return f"{word} {', '.join(found[:MOST_NAMES])}{more}"


def _tail(path: Path) -> str:
    if not path.is_file():  # a pipe would keep us waiting
        return ""
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - TAIL))
            text = file.read(TAIL).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [_ESCAPES.sub("", line)[:LOG_WIDTH] for line in text.rstrip().splitlines()]
    return "\n".join(lines[-LOG_LINES:])
