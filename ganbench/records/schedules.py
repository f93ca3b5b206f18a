"""Numbers that change while a cell trains, and amounts of training."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, get_args

from ganbench.util.messages import shown, suggestion

Curve = Literal["linear", "cosine", "exponential", "constant"]
Unit = Literal["share", "kimg", "epochs", "steps"]

UNITS = ("kimg", "epochs", "steps")
IN_WORDS = r"(\d{1,12}(?:\.\d{1,12})?) *(kimg|epochs?|steps?)"
KEYS = ("from", "to", "curve", "after", "until", "warmup")
MOST = 1e12  # kimg, epochs or steps: beyond any training, and within what floats count


@dataclass(frozen=True, kw_only=True)
class Units:
    """How many real images D is shown in an epoch and in a step of G, and thousands of all."""

    epochs: float | None  #: None: not known before they are loaded
    steps: float
    kimg: float = math.inf  #: the budget


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much training: a share of the budget, kimg, epochs, or steps of G.

    In a benchmark file `0.8`, or `{kimg: 500}`, `{epochs: 3}`, `{steps: 1000}`, also in words as
    `500 kimg`. A plan has shares and kimg alone.
    """

    value: float
    unit: Unit = "share"

    @classmethod
    def of(cls, written: Any) -> Amount:
        """Return the amount that a file's value says. Raises ValueError with a sentence."""
        if isinstance(written, Amount):
            return written
        if _is_number(written) and 0 <= written <= 1:
            return cls(value=float(written))
        if isinstance(written, Mapping) and len(written) == 1:
            ((unit, value),) = written.items()
            if unit in UNITS and _is_number(value) and 0 <= value <= MOST:
                return cls(value=float(value), unit=unit)
        if isinstance(written, str) and (told := re.fullmatch(IN_WORDS, written.strip())):
            unit = told[2] if told[2] == "kimg" else f"{told[2].removesuffix('s')}s"
            return cls.of({unit: float(told[1])})
        raise ValueError(
            "expected a share of the budget from 0 to 1, or one of {kimg: 500}, {epochs: 3} and "
            f"{{steps: 1000}} of at most {MOST:g}, found {shown(written)}"
        )

    def plain(self) -> float | dict[str, float]:
        """Return the amount as a file says it."""
        return self.value if self.unit == "share" else {self.unit: self.value}

    def in_kimg(self, units: Units) -> Amount:
        """Return epochs and steps in kimg; shares stay. Raises ValueError for unknown epochs."""
        if self.unit in ("share", "kimg"):
            return self
        images = units.epochs if self.unit == "epochs" else units.steps
        if images is None:
            raise ValueError(
                "the data set does not say how many images it has before they are loaded, so an "
                "epoch has no length; use kimg"
            )
        return Amount(value=round(self.value * images) / 1000, unit="kimg")

    def images(self, budget: float) -> float:
        """Return the amount in real images shown to D, of a budget that is given likewise."""
        if self.unit not in ("share", "kimg"):
            raise ValueError(f"{self.text} were not turned into kimg")
        return self.value * (budget if self.unit == "share" else 1000.0)

    @property
    def text(self) -> str:
        """The amount in words, such as `0.5` or `500 kimg`."""
        return short(self.value) + (f" {self.unit}" if self.unit != "share" else "")


NOTHING, WHOLE = Amount(value=0.0), Amount(value=1.0)


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A number that goes from `start` to `end` between two moments of a training.

    A pure function of how far the training is, so a checkpoint holds nothing of it. In a benchmark
    file `{from: 2e-4, to: 5e-5, curve: cosine, after: 0.5, until: {kimg: 500}, warmup: 0.1}`, of
    which `from` and `to` are needed.
    """

    start: float
    end: float
    curve: Curve = "linear"  #: constant: `start`, and at `until` a jump
    after: Amount = NOTHING  #: until then it is `start`; never before the warm-up is over
    until: Amount = WHOLE  #: from then on it is `end`
    warmup: Amount = NOTHING  #: until then from 0 to `start`, linearly

    def __post_init__(self) -> None:
        """Raise ValueError for what no training could follow."""
        if self.curve == "exponential" and self.start * self.end <= 0:
            raise ValueError("an exponential curve never meets or crosses zero; use another curve")
        if self.curve == "constant" and (self.until == WHOLE or self.after != NOTHING):
            raise ValueError("a constant curve jumps once, at `until`; give that, and no `after`")
        self._check_order()

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Schedule:
        """Return the schedule that a file's mapping says. Raises ValueError with a sentence."""
        for key in written:
            if key not in KEYS:
                near = suggestion(key, KEYS)
                raise ValueError(f"a schedule has no key '{key}'{near} It has {', '.join(KEYS)}")
        for key in ("from", "to"):
            if not _is_number(written.get(key)):
                raise ValueError(
                    f"a schedule needs a finite number as '{key}', as in {{from: 2e-4, to: 5e-5}}"
                )
        curve = written.get("curve", "linear")
        if curve not in get_args(Curve):
            near = suggestion(curve, get_args(Curve))
            raise ValueError(f"a curve is one of {', '.join(get_args(Curve))}{near}")
        amounts = {}
        for key in ("after", "until", "warmup"):
            if key in written:
                try:
                    amounts[key] = Amount.of(written[key])
                except ValueError as error:
                    raise ValueError(f"{key}: {error}") from error
        return cls(start=float(written["from"]), end=float(written["to"]), curve=curve, **amounts)

    def plain(self) -> dict[str, Any]:
        """Return the shortest mapping of a file that says the same: what ids are digests of."""
        found: dict[str, Any] = {"from": self.start, "to": self.end}
        if self.curve != "linear":
            found["curve"] = self.curve
        defaults = {"after": (NOTHING, self.warmup), "until": (WHOLE,), "warmup": (NOTHING,)}
        for key, unsaid in defaults.items():
            if (amount := getattr(self, key)) not in unsaid:
                found[key] = amount.plain()
        return found

    @property
    def shortest(self) -> Schedule | float:
        """The number that it is throughout, where it is one."""
        return self.start if self.start == self.end and self.warmup.value == 0 else self

    def in_kimg(self, units: Units) -> Schedule:
        """Return it with epochs and steps in kimg.

        Raises ValueError for unknown epochs, and where moments of several units are in no order.
        """
        names = ("after", "until", "warmup")
        found = replace(self, **{name: getattr(self, name).in_kimg(units) for name in names})
        found._check_order(1000 * units.kimg if units.kimg < math.inf else None)
        return found

    def _check_order(self, budget: float | None = None) -> None:
        """Raise ValueError where a moment is before one that it must not be before.

        Without the budget, in images, moments of several units cannot be told apart.
        """
        for early, late in (("warmup", "until"), ("warmup", "after"), ("after", "until")):
            first, second = getattr(self, early), getattr(self, late)
            unsaid = late == "after" and second == NOTHING  # then the warm-up's end
            if unsaid or (budget is None and first.unit != second.unit):
                continue
            places = [
                one.value if budget is None else one.images(budget) for one in (first, second)
            ]
            if places[0] > places[1]:
                raise ValueError(f"`{late}` is before `{early}`; make it at least {first.text}")

    def at(self, images: float, budget: float) -> float:
        """Return the number once so many real images of the budget have been shown to D."""
        warm, until = self.warmup.images(budget), self.until.images(budget)
        if images < warm:
            return self.start * images / warm
        begin = max(warm, self.after.images(budget))
        if images >= until:
            return self.end
        if images <= begin or self.curve == "constant":
            return self.start
        return _BETWEEN[self.curve](self.start, self.end, (images - begin) / (until - begin))

    @property
    def goes_by_budget(self) -> bool:
        """Whether it is another one where the budget is, as a moment is a share of it."""
        moments = (self.after, self.until, self.warmup)
        return any(one.unit == "share" and one.value > 0 for one in moments)

    @property
    def text(self) -> str:
        """The schedule on one line, such as `2e-4→5e-5 cosine`."""
        said = self.plain()
        words = [f"{short(self.start)}→{short(self.end)}"]
        words += [self.curve] * ("curve" in said)
        words += [f"{k} {getattr(self, k).text}" for k in ("after", "until", "warmup") if k in said]
        return " ".join(words)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """Let records be read back: a mapping, as a file says it."""
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(_read)


_BETWEEN: dict[str, Callable[[float, float, float], float]] = {
    "linear": lambda a, b, u: a + (b - a) * u,
    "cosine": lambda a, b, u: b + (a - b) * (1 + math.cos(math.pi * u)) / 2,
    "exponential": lambda a, b, u: a * (b / a) ** u,
}


def number_at(number: float | Schedule, images: float, budget: float) -> float:
    """Return a setting once so many real images of the budget have been shown to D."""
    return number.at(images, budget) if isinstance(number, Schedule) else number


def text_of(number: float | Schedule) -> str:
    """Return a setting on one line: `0.0002`, or `2e-4→5e-5 cosine`."""
    return number.text if isinstance(number, Schedule) else f"{number:g}"


def short(number: float) -> str:
    """Return a number in as few letters as six digits take: `2e-4`."""
    plain = f"{number:g}".replace("e-0", "e-").replace("e+0", "e")
    digits, _, exponent = f"{number:.5e}".partition("e")
    return min(plain, f"{digits.rstrip('0').rstrip('.')}e{int(exponent)}", key=len)


@dataclass(frozen=True)
class Schedulable:
    """Marks a type of numbers of which a file may give a schedule instead.

    Both ends must be such numbers, or one of `also`.
    """

    also: tuple[float, ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        """Take a mapping for a schedule, and leave the rest to the type itself."""
        from pydantic_core import core_schema

        return core_schema.no_info_wrap_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> Any:
        """Describe both for editors."""
        return {"anyOf": [handler(schema), schedule_schema()]}

    def _read(self, value: Any, handler: Any) -> Any:
        if not isinstance(value, Mapping | Schedule):
            return handler(value)
        schedule = _read(value).shortest
        if not isinstance(schedule, Schedule):
            return handler(schedule)
        for key, end in (("from", schedule.start), ("to", schedule.end)):
            if end not in self.also:
                handler(end, key)
        return schedule


SCHEDULED = Schedulable()
Scheduled = Annotated[float, SCHEDULED]
"""The type of an option of a loss, regularizer or transform that a file may give as a schedule.

To the plugin it is a float: the trainer sets the attribute before each iteration.
"""


def amount_schema() -> dict[str, Any]:
    """Return the JSON Schema of an amount of training in a benchmark file."""
    units = [
        {
            "type": "object",
            "properties": {unit: {"type": "number", "minimum": 0, "maximum": MOST}},
            "required": [unit],
            "additionalProperties": False,
        }
        for unit in UNITS
    ]
    words = {"type": "string", "pattern": f"^{IN_WORDS}$"}
    return {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, *units, words]}


def schedule_schema() -> dict[str, Any]:
    """Return the JSON Schema of a schedule in a benchmark file."""
    return {
        "type": "object",
        "description": "a number that changes while the cell trains",
        "properties": {
            "from": {"type": "number"},
            "to": {"type": "number"},
            "curve": {"enum": list(get_args(Curve))},
            **dict.fromkeys(("after", "until", "warmup"), amount_schema()),
        },
        "required": ["from", "to"],
        "additionalProperties": False,
    }


def _read(value: Any) -> Schedule:
    if isinstance(value, Schedule):
        return value
    if isinstance(value, Mapping):
        return Schedule.of(value)
    raise ValueError("expected a schedule, such as {from: 2e-4, to: 5e-5}")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
