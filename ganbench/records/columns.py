"""The columns of tables: what a metric says of its numbers, and what their names mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

MEANINGLESS = "means nothing for this data"
"""Why a metric left one of its columns out; no table needs to say so."""

COST_UNITS = ("s", "1/s", "MB")

Kind = Literal["quality", "timing", "count", "numerics"]
"""How a number may be compared with another run's.

quality   differs from seed to seed: samples of it are compared
timing    differs from machine to machine: only runs interleaved in one job are compared
count     must be the same
numerics  must be the same on one platform, up to the tolerance
"""


@dataclass(frozen=True)
class Column:
    """One number that a metric gives."""

    name: str
    unit: str = ""
    direction: Literal["min", "max", "none"] = "none"  #: which way is better
    digits: int = 2  #: decimals in tables
    title: str = ""  #: in tables; empty: the name
    kind: Kind = "quality"
    rel_tol: float = 0.1  #: a change smaller than this part of the baseline does not matter
    abs_tol: float = 0.0  #: nor does one smaller than this
    gated: bool = False  #: whether a regression gate looks at it where the file names no metrics

    @property
    def depends_on_machine(self) -> bool:
        """Whether it is time, speed or memory, which other trials on the machine change."""
        return self.unit in COST_UNITS


INCEPTION, UNNAMED = "inception", "unnamed-features"

_NAME = re.compile(
    r"(?P<kind>[^@\[=]*)"
    r"(?:@(?P<space>[^()@\[\]=]+(?:\([^()]*\))?))?"
    r"(?:\[(?P<setting>[^\]]*)\])?"
    r"(?P<rest>.*)",
    re.DOTALL,
)
_INCEPTION_NAMES = re.compile(
    r"(?<![a-z])(?:[a-z]?[fk]id|inception (?:score|distance)|(?-i:IS))(?![a-z])", re.IGNORECASE
)
_IS = re.compile(r"(?:.*-to-)?is(?:-sd|-std|-error|-inf)?", re.IGNORECASE)
_FRECHET = re.compile(r"(?<![a-z])[a-z]?fid(?![a-z])", re.IGNORECASE)


class Name(NamedTuple):
    """The parts of a column's name: `fid@pixels`, `modes[ring8/pacgan]`, `time-to-modes=8`."""

    kind: str
    space: str = ""  #: of features
    setting: str = ""  #: a published protocol
    rest: str = ""

    @classmethod
    def of(cls, column: str) -> Name:
        """Return the parts of any name; what fits no part is in `rest`."""
        found = _NAME.fullmatch(column)
        assert found is not None  # `rest` takes whatever there is
        return cls(**{part: text or "" for part, text in found.groupdict().items()})

    @property
    def is_bare(self) -> bool:
        """Whether it reads as FID, KID or IS without saying in the features of what."""
        found = _INCEPTION_NAMES.search(self.kind) or _IS.fullmatch(self.kind)
        return not self.space and bool(found)

    @property
    def is_frechet(self) -> bool:
        """Whether it reads as a Fréchet distance, as fid, fid-inf and intra-fid do."""
        return bool(_FRECHET.search(self.kind))

    @property
    def with_space(self) -> str:
        """The whole name, which owns up to it where its features are not named."""
        space = UNNAMED if self.is_bare else self.space
        setting = f"[{self.setting}]" if self.setting else ""
        return self.kind + (f"@{space}" if space else "") + setting + self.rest


def title_with_space(column: Column) -> str:
    """Return a column's title with its feature space, as a bare "FID" could be anything."""
    title, name = column.title or column.name, Name.of(column.name)
    space = name.space or (UNNAMED if _INCEPTION_NAMES.search(title) else "")
    if space and not _mentions(title, space):
        title = f"{title} @{space}"
    if name.setting and not _mentions(title, name.setting):
        title = f"{title} [{name.setting}]"
    return title


def unclear(columns: Iterable[Column]) -> str | None:
    """Return why tables will say of one of the columns that its features are unnamed, or None."""
    for column in columns:
        if Name.of(column.name).is_bare:
            return (
                f"column '{column.name}' could be in any features; name them, as in "
                f"{column.name}@{INCEPTION}"
            )
    return None


def _mentions(title: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", title))
