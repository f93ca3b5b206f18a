"""The summary of a run as values: one row per cell over its seeds. report.py makes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ganbench.errors import ConfigError, ContractError
from ganbench.records.columns import Column, Name, title_with_space, unclear
from ganbench.records.spread import Spread
from ganbench.util.messages import known, suggestion

ARROWS = {"min": "↓", "max": "↑", "none": ""}
Mark = Literal["", "best", "tied"]
NoteKind = Literal[
    "errors",
    "ties",
    "features",
    "budget",
    "device",
    "shared",
    "protocols",
    "failure",
    "missing",
    "classes",
    "data",
    "samples",
    "added",
    "judges",
    "spread",
    "merged",
    "reused",
    "decided",
]


class Note(str):
    """One sentence below the table: text like any other, with the kind of thing that it says.

    The kinds are errors (what ± is), ties, features (of distances), budget, device, shared (the
    machine), protocols, failure (why a trial came to nothing), missing (why a value is), classes
    (the worst), data (what may be wrong with it), samples (that were not made in the run),
    added (columns that were measured later), judges (of classes), spread (of training seeds
    and of sampling seeds), merged (of which runs it is, and what of them was left out), reused
    (which trials another run had trained) and decided (for which pairs seeds were bought).
    """

    kind: NoteKind  #: such as "ties" and "failure"

    def __new__(cls, kind: NoteKind, text: str) -> Note:
        """Return the text with its kind."""
        note = super().__new__(cls, text)
        note.kind = kind
        return note

    def __getnewargs__(self) -> tuple[NoteKind, str]:  # type: ignore[override]
        """Return what a copy is made with."""
        return self.kind, str(self)


@dataclass(frozen=True)
class Summary:
    """One number of one row: the mean over seeds and its standard error."""

    mean: float | None  #: None: no seed has a value, or their protocols differ
    error: float | None  #: None with fewer than two values
    n: int  #: seeds with a value
    protocols: frozenset[str] = frozenset()  #: ids; numbers of different ones are no rivals
    reason: str = ""  #: why a value is missing
    mark: Mark = ""  #: best of its column, or tied with the best
    spread: Spread | None = None  #: of training and of sampling; None: each model was drawn of once


@dataclass(frozen=True)
class Row:
    """A cell over all its seeds, or real images to read the cells by, or samples from elsewhere."""

    label: str
    axes: dict[str, str]  #: what the cell is made of: loss, conditioning, …
    is_reference: bool  #: real images, or samples from elsewhere: no cell, which alone are ranked
    n: int  #: seeds with a result
    failed: int  #: seeds that ended badly
    values: dict[str, Summary]  #: by the column's name
    status: str  #: the different ones of its trials: "ok, failed"
    reasons: tuple[str, ...]  #: the different ones, of trials that came to nothing
    alone: bool  #: no other trial shared the machine, and no program its cores
    images: int | None = None  #: that a row of real images judges, as far as it is known
    is_outside: bool = False  #: samples that this run did not make

    @property
    def title(self) -> str:
        """The label, of real images with how many there are."""
        return self.label if self.images is None else f"{self.label}, n = {self.images:,}"


@dataclass(frozen=True)
class Table:
    """Rows and columns ready to be shown; reporters only lay them out."""

    name: str
    axes: tuple[str, ...]  #: those that need a column
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]  #: what must be known to read it; the table's own are Notes

    def __post_init__(self) -> None:
        if why := unclear(self.columns):
            raise ContractError(why)

    def chosen(self, names: Sequence[str]) -> list[Column]:
        """Return the columns of these names, in their order; `fid` is every `fid@…`, and so on.

        Raises ConfigError for one that no column has.
        """
        found: dict[Column, None] = {}
        for name in names:
            these = [c for c in self.columns if name in (c.name, c.title, Name.of(c.name).kind)]
            if not these:
                every = [c.name for c in self.columns]
                near = suggestion(name, [*every, *(Name.of(column).kind for column in every)])
                raise ConfigError(f"no column '{name}'{near}{known(every)}")
            found |= dict.fromkeys(these)
        return list(found)

    def values(self, axis: str) -> list[str]:
        """Return the different values of an axis, references left out."""
        return list(dict.fromkeys(r.axes.get(axis, "") for r in self.rows if not r.is_reference))

    def header(self, column: Column) -> str:
        """Return the column's title with its feature space and an arrow to where it is better."""
        return f"{title_with_space(column)} {ARROWS[column.direction]}".rstrip()

    def text(self, row: Row, column: Column) -> str:
        """Return the value as shown, without its mark: `0.123 ± 0.004`, `0.123`, or `—`.

        Where models were drawn of more than once, what training seeds and what sampling seeds
        differ by stands behind it: `0.123 ± 0.004 (0.006, 0.002)`.
        """
        summary = row.values.get(column.name)
        if summary is None or summary.mean is None:
            return "—"
        spread = summary.error if column.direction != "none" else None
        is_one = spread is None and summary.spread is None
        whole = is_one and column.digits <= 1 and summary.mean.is_integer()
        digits = 0 if whole else column.digits
        text = f"{round(summary.mean, digits) + 0.0:,.{digits}f}"  # + 0.0: no "-0.00"
        if spread is not None:
            text += f" ± {spread:,.{digits}f}"
        if summary.spread and column.direction != "none":
            training = summary.spread.training_sd
            told = "—" if training is None else f"{training:,.{digits}f}"
            text += f" ({told}, {summary.spread.sampling_sd:,.{digits}f})"
        shared = column.depends_on_machine and not row.alone and not row.is_reference
        return text + ("*" if shared else "")

    def seeds(self, row: Row) -> str:
        """Return how many seeds the row is over: `3`, `2 (1 failed)`; of a reference, nothing."""
        if row.is_reference:
            return ""
        return f"{row.n} ({row.failed} failed)" if row.failed else str(row.n)

    def plain(self) -> dict[str, Any]:
        """Return the table as what JSON knows: dicts, lists, texts and numbers."""
        return {
            "name": self.name,
            "axes": list(self.axes),
            "columns": [
                {
                    "name": c.name,
                    "title": title_with_space(c),
                    "unit": c.unit,
                    "direction": c.direction,
                }
                for c in self.columns
            ],
            "rows": [_row_as_dict(row) for row in self.rows],
            "notes": list(self.notes),
        }


def _row_as_dict(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "axes": row.axes,
        "reference": row.is_reference,
        "images": row.images,
        **({"outside": True} if row.is_outside else {}),
        "n": row.n,
        "failed": row.failed,
        "status": row.status,
        "reasons": list(row.reasons),
        "ran_alone": row.alone,
        "values": {
            name: {
                "mean": s.mean,
                "standard_error": s.error,
                "n": s.n,
                "protocols": sorted(s.protocols),
                "mark": s.mark,
                "reason": s.reason,
                **_spread_as_dict(s.spread),
            }
            for name, s in row.values.items()
        },
    }


def _spread_as_dict(spread: Spread | None) -> dict[str, Any]:
    if spread is None:
        return {}
    return {"training_sd": spread.training_sd, "sampling_sd": spread.sampling_sd}
