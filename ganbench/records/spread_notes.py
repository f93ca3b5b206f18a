"""What tables say of the spread of training seeds and of sampling seeds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ganbench.records.columns import Column
from ganbench.records.spread import pooled, seeds_to_separate
from ganbench.records.table import Row, Summary
from ganbench.util.messages import counted

MOST_RIVALS = 3  # of which a note tells
MOST_SEEDS = 1000  # beyond which nobody trains

Ties = Sequence[tuple[Column, list[Row]]]
"""Of a column and a data set, the best row, and after it those that tie with it."""


def sentences(rows: Sequence[Row], columns: Sequence[Column], ties: Ties) -> Iterator[str]:
    """Yield what the brackets are, and of each column what training and sampling differ by."""
    cells = [row for row in rows if not row.is_reference]
    drawn = [c for c in columns if any(row.values[c.name].spread for row in cells)]
    if not drawn:
        return
    yield (
        "Each value is a mean over sampling seeds of one trained model. In brackets: the standard "
        "deviations of single values over training seeds, without what sampling adds, and over "
        "sampling seeds."
    )
    for column in drawn:
        if column.direction == "none":
            continue
        told = list(_shares(cells, column))
        for of, (best, *others) in ties:
            if of == column:
                told += _separating(column, best, others)
        if told:
            yield f"{column.name}: {'; '.join(told)}."


def _shares(cells: Sequence[Row], column: Column) -> Iterator[str]:
    """Tell once what share each has, of all cells together."""
    whole = pooled([s for row in cells if (s := row.values[column.name].spread)])
    if whole is not None and whole.share is not None:
        of_training = round(100 * whole.share)
        yield (
            f"of the variance of single values {of_training} % is of training seeds and "
            f"{100 - of_training} % of sampling seeds"
        )


def _separating(column: Column, best: Row, others: Sequence[Row]) -> Iterator[str]:
    """Tell of each that ties with the best how many more training seeds would separate them."""
    first, found = best.values[column.name], []
    for row in others:
        if (needed := _more_seeds(first, row.values[column.name])) is not None:
            more = counted(needed, "more training seed")
            more = more if needed <= MOST_SEEDS else f"more than {MOST_SEEDS:,} more training seeds"
            found.append(f"{more} of each would tell {row.label} from {best.label}")
    if found:
        rest = len(found) - MOST_RIVALS
        left = f", and {rest} more rows tie" if rest > 0 else ""
        yield f"{', '.join(found[:MOST_RIVALS])}{left}, if means and spreads stay as they are"


def _more_seeds(a: Summary, b: Summary) -> int | None:
    """Return how many more seeds of each would do; None where errors or a difference lack."""
    if a.mean is None or a.error is None or b.mean is None or b.error is None:
        return None
    variance = a.n * a.error**2 + b.n * b.error**2
    needed = seeds_to_separate(a.mean - b.mean, variance)
    return None if needed is None else max(1, needed - min(a.n, b.n))
