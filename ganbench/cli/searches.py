"""What `ganbench bisect` has found: a table of its steps, or a document for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

from ganbench.cli import streams
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.gate.bisection import Found, Step
    from ganbench.gate.repository import Commit


def show(found: Found, commits: Sequence[Commit], changed: Sequence[str]) -> None:
    """Print the table of the steps, and the first bad commit or why it is not known."""
    from rich.table import Table

    by_id = {commit.id: commit for commit in commits}
    number = found.number
    table = Table(title=f"{number.label} {number.column.name}", title_justify="left")
    for head in ("commit", "subject", "is"):
        table.add_column(head, max_width=44, overflow="ellipsis", no_wrap=True)
    for head in ("n", "median", "from", "to", "p worse", "p better", "level"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("", overflow="fold")
    ends = (found.commits[0], found.ends.baseline), (found.commits[-1], found.ends.candidate)
    for (id, values), word in zip(ends, ("good", "bad"), strict=True):
        table.add_row(id[:10], by_id[id].subject, word, *_told(values), "", "", "", "as asked")
    for step in found.steps:
        reason = step.why.splitlines()[-1].strip() if step.level is None else ""
        table.add_row(
            step.commit[:10], by_id[step.commit].subject, step.word, *_told(step.values),
            *map(_p, (step.p_worse, step.p_better, step.level)), reason,
        )  # fmt: skip
    streams.console(pipe_width=200).print(table)
    print(f"the ends: {found.ends.evidence}")
    for sentence in _conclusion(found, by_id):
        print(sentence)
    for sentence in changed:
        print(f"    a setting differs there: {sentence}")


def plain(found: Found, commits: Sequence[Commit], changed: Sequence[str]) -> dict[str, Any]:
    """Return it as JSON has it; a training that diverged has null for its number."""
    by_id = {commit.id: commit for commit in commits}
    is_found = len(found.suspects) == 1
    return {
        "first_bad": _plain_commit(by_id[found.suspects[-1]]) if is_found else None,
        "last_good": _plain_commit(by_id[found.commits[found.last_good]]),
        "suspects": [_plain_commit(by_id[id]) for id in found.suspects],
        "undecided": found.undecided,
        "cell": found.number.label,
        "metric": found.number.column.name,
        "direction": found.number.column.direction,
        "ends": {
            "good": {"commit": found.commits[0], "values": _finite(found.ends.baseline)},
            "bad": {"commit": found.commits[-1], "values": _finite(found.ends.candidate)},
            "evidence": found.ends.evidence,
            "p": found.ends.p,
        },
        "steps": [_plain_step(step, by_id[step.commit]) for step in found.steps],
        "settings": list(changed),
    }


def _conclusion(found: Found, by_id: dict[str, Commit]) -> list[str]:
    if len(found.suspects) == 1:
        commit = by_id[found.suspects[0]]
        return [
            f"first bad commit: {commit.id}",
            f"    {commit.author}, {commit.date}",
            f"    {commit.subject}",
        ]
    lines = [f"the first bad commit is one of {counted(len(found.suspects), 'commit')}:"]
    lines += [f"    {by_id[id].short} {by_id[id].subject}" for id in found.suspects]
    if found.undecided:
        short = found.undecided[:10]
        return [
            *lines,
            f"undecided at {short} when the last seeds were spent; raise --max-seeds, or go round "
            f"it with --skip {short}",
        ]
    return [*lines, "all but the last of them were skipped"]


def _told(values: Sequence[float]) -> list[str]:
    if not values:
        return ["", "", "", ""]
    return [str(len(values)), *(_digits(x) for x in (median(values), min(values), max(values)))]


def _digits(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else "diverged"


def _p(value: float | None) -> str:
    return "" if value is None else f"{value:.2g}"


def _finite(values: Sequence[float]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values]


def _plain_commit(commit: Commit) -> dict[str, str]:
    return {
        "commit": commit.id,
        "author": commit.author,
        "date": commit.date,
        "subject": commit.subject,
    }


def _plain_step(step: Step, commit: Commit) -> dict[str, Any]:
    return {
        **_plain_commit(commit),
        "verdict": step.word,
        "why": step.why,
        "values": _finite(step.values),
        "p_worse": step.p_worse,
        "p_better": step.p_better,
        "level": step.level,
    }
