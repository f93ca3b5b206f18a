"""The columns of tables: what a metric says of its numbers, and what their names mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass


import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass


MEANINGLESS = "means nothing for this data"
"""Why a metric left one of its columns out; no table needs to say so."""


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
    direction: Literal["min", "max", "none"] = "none"  # which way is better
    digits: int = 2  # decimals in tables
    title: str = ""  # in tables; empty: the name
    kind: Kind = "quality"
    rel_tol: float = 0.1  # a change smaller than this part of the baseline does not matter
    abs_tol: float = 0.0  # nor does one smaller than this
    gated: bool = False  # whether a regression gate looks at it where the file names no metrics


INCEPTION, UNNAMED = "inception", "unnamed-features"

_NAME = re.compile(
    r"(?P<kind>[^@\[=]*)"
    r"(?:@(?P<space>[^()@\[\]=]+(?:\([^()]*\))?))?"
    r"(?:\[(?P<setting>[^\]]*)\])?"
    r"(?P<rest>.*)",
    re.DOTALL,
)
INCEPTION_NAMES = re.compile(
    r"(?<![a-z])(?:[a-z]?[fk]id|inception (?:score|distance)|(?-i:IS))(?![a-z])", re.IGNORECASE
)
_IS = re.compile(r"(?:.*-to-)?is(?:-sd|-std|-error|-inf)?", re.IGNORECASE)


class Name(NamedTuple):
    """The parts of a column's name: `fid@pixels`, `modes[ring8/pacgan]`, `time-to-modes=8`."""

    kind: str
    space: str = ""  # of features
    setting: str = ""  # a published protocol
    rest: str = ""

    @classmethod
    def of(cls, column: str) -> Name:
        found = _NAME.fullmatch(column)
        assert found is not None  # `rest` takes whatever there is
        return cls(**{part: text or "" for part, text in found.groupdict().items()})

    @property
    def is_bare(self) -> bool:
        """Whether it reads as FID, KID or IS without saying in the features of what."""
        found = INCEPTION_NAMES.search(self.kind) or _IS.fullmatch(self.kind)
        return not self.space and bool(found)

    @property
    def with_space(self) -> str:
        """The whole name, which owns up to it where its features are not named."""
        space = UNNAMED if self.is_bare else self.space
        setting = f"[{self.setting}]" if self.setting else ""
        return self.kind + (f"@{space}" if space else "") + setting + self.rest
