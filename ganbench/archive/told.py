"""Ranks in words, as a table, and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from ganbench.archive.profiles import MOST, Profiles
from ganbench.archive.ranks import Interval, Standing, Standings
from ganbench.contracts.reporters import markdown_cell
from ganbench.records.table import ARROWS

NOBODY = "—"


def heads(found: Standings, times: Profiles | None = None) -> list[str]:
    """Return the heads of the columns."""
    column = found.scores.column
    iqm = [f"IQM {column.name} {ARROWS[column.direction]}"] if _has_iqm(found) else []
    reach = [f"within {MOST:g} × of fastest"] if times else []
    return ["variant", "mean rank", *iqm, *reach, "n", "beats"]


def cells(found: Standings, one: Standing, times: Profiles | None = None) -> list[str]:
    """Return a variant's row, under `heads`."""
    iqm = [_with(one.iqm, one.iqm_interval, 3)] if _has_iqm(found) else []
    score = times and times.score.get(one.variant)
    reach = ([NOBODY] if score is None else [f"{score:.2f}"]) if times else []
    n = f"{one.n} ({one.lost} lost)" if one.lost else str(one.n)
    beaten = [p.worse for p in found.pairings if p.decided and p.better == one.variant]
    rank = _with(one.mean_rank, one.rank_interval, 2)
    return [one.variant, rank, *iqm, *reach, n, ", ".join(beaten) or NOBODY]


def sentences(found: Standings, times: Profiles | None = None) -> Iterator[str]:
    """Yield what no table shows: who beats whom, who is tied, and what must be known of both."""
    for pair in found.pairings:
        if pair.decided:
            yield (
                f"{pair.better} beats {pair.worse}: p {pair.p:.2g}, better in "
                f"{_share(pair.improvement, pair.interval)} of draws of a seed each."
            )
    for group in found.ties:
        yield f"Tied, as no test tells any two of them apart: {', '.join(group)}."
    yield from found.notes
    if times:
        yield (
            f"Within {MOST:g} × of fastest: the area below the performance profile of "
            f"{times.column}; 1 is to be the fastest everywhere, 0 never to come near."
        )


def markdown(found: Standings, times: Profiles | None, title: str) -> str:
    """Return the ranks as a Markdown document."""
    head = heads(found, times)
    lines = [head, ["---"] * len(head), *(cells(found, s, times) for s in found.standings)]
    rows = [lines[0], lines[1], *([*map(markdown_cell, line)] for line in lines[2:])]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    notes = "\n".join(f"- {markdown_cell(text)}" for text in sentences(found, times))
    return f"# Ranks: {markdown_cell(title)}\n\n{table}\n\n{notes}\n"


def plain(found: Standings, times: Profiles | None) -> dict[str, Any]:
    """Return the ranks as JSON has them."""
    scores = found.scores
    document: dict[str, Any] = {
        "metric": scores.column.name,
        "direction": scores.column.direction,
        "over": list(scores.over),
        "tasks": list(scores.tasks),
        "alpha": found.alpha,
        "variants": [
            {
                "variant": one.variant,
                "mean_rank": one.mean_rank,
                "mean_rank_interval": one.rank_interval,
                "iqm": _finite(one.iqm),
                "iqm_interval": one.iqm_interval and [*map(_finite, one.iqm_interval)],
                "n": one.n,
                "lost": one.lost,
            }
            for one in found.standings
        ],
        "pairs": [
            {
                "better": pair.better,
                "worse": pair.worse,
                "probability_of_improvement": pair.improvement,
                "interval": pair.interval,
                "p": pair.p,
                "beats": pair.decided,
            }
            for pair in found.pairings
        ],
        "ties": [list(group) for group in found.ties],
        "notes": list(found.notes),
    }
    if times:
        document["profiles"] = {
            "metric": times.column,
            "score": dict(times.score),
            "steps": {variant: list(map(list, found)) for variant, found in times.steps.items()},
        }
    return document


def _has_iqm(found: Standings) -> bool:
    return any(one.iqm is not None for one in found.standings)


def _with(value: float | None, interval: Interval | None, digits: int) -> str:
    if value is None:
        return NOBODY
    text = _number(value, digits)
    if interval is None:
        return text
    return f"{text} [{', '.join(_number(end, digits) for end in interval)}]"


def _number(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}" if math.isfinite(value) else "∞" if value > 0 else "-∞"


def _share(value: float, interval: Sequence[float] | None) -> str:
    ends = f" [{interval[0]:.0%}, {interval[1]:.0%}]" if interval else ""
    return f"{value:.0%}{ends}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
