"""The matrix of a benchmark file: what may stand in it, and the combinations it makes.

The rules are those of GitHub Actions, over values that remember where they were written.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import and_
from typing import Any

from ganbench.config.schema import AXES, RUN_KEYS, EvaluationSettings, section_of
from ganbench.config.training_schema import Training
from ganbench.config.yaml_document import Problems
from ganbench.util.messages import Loc, known, shown, suggestion


@dataclass(frozen=True)
class Value:
    """A value of an axis and its place in the file."""

    value: Any
    loc: Loc


Combination = dict[str, Value]
Rule = Mapping[str, Any]


def names(value: Any) -> str | None:
    """Return the name by which a rule may mean a value, or None.

    `{name: wgan-gp, gp_weight: 5}` is 'wgan-gp'.
    """
    if isinstance(value, Mapping):
        return value.get("name")
    return value if isinstance(value, str) else None


def _means(wanted: Any, value: Any) -> bool:
    return value == wanted or (isinstance(wanted, str) and names(value) == wanted)


def expand(
    axes: Mapping[str, Sequence[Any]], include: Sequence[Rule], exclude: Sequence[Rule]
) -> tuple[list[Combination], list[int]]:
    """Return the combinations, and the indices of the exclude rules that matched none.

    They are the product in the order of declaration; `exclude` first, by partial match; then each
    `include` is merged into every combination whose original values it does not contradict, and
    is a new combination where there is none.
    """
    barred, kept = _by_value(exclude, axes), _by_value(include, axes)
    places = [
        [
            (Value(value, ("matrix", axis, i)), barred[axis][i], kept[axis][i])
            for i, value in enumerate(values)
        ]
        for axis, values in axes.items()
    ]
    added = [
        {key: Value(value, ("matrix", "include", i, key)) for key, value in rule.items()}
        for i, rule in enumerate(include)
    ]
    excluding = _bits(rule.keys() <= axes.keys() for rule in exclude)
    used = agreeing = 0
    grown: list[Combination] = []
    for chosen in itertools.product(*places) if axes else ():
        matching = reduce(and_, (of_value for _, of_value, _ in chosen), excluding)
        used |= matching
        if matching:
            continue
        combination = {axis: value for axis, (value, *_) in zip(axes, chosen, strict=True)}
        merging = reduce(and_, (of_value for *_, of_value in chosen))
        agreeing |= merging
        for rule in _ones(merging):
            combination |= {key: v for key, v in added[rule].items() if key not in axes}
        grown.append(combination)
    alone = [one for i, one in enumerate(added) if not agreeing >> i & 1]
    return grown + alone, [i for i in range(len(exclude)) if not used >> i & 1]


def _by_value(rules: Sequence[Rule], axes: Mapping[str, Sequence[Any]]) -> dict[str, list[int]]:
    """Return for each value of each axis which rules it does not contradict, a bit for each."""
    return {
        axis: [
            _bits(axis not in rule or _means(rule[axis], value) for rule in rules)
            for value in values
        ]
        for axis, values in axes.items()
    }


def _bits(flags: Iterable[bool]) -> int:
    return int("".join("01"[flag] for flag in flags)[::-1] or "0", 2)


def _ones(bits: int) -> Iterator[int]:
    """Yield the places of ones, the lowest first."""
    while bits:
        lowest = bits & -bits
        yield lowest.bit_length() - 1
        bits ^= lowest


MAX_CELLS = 100_000
MAX_PAIRS = 5_000_000  # of a rule and a value, or a combination that it may add to: some seconds


def combinations(
    data: Mapping[str, Any], problems: Problems
) -> tuple[list[Combination], list[str]]:
    """Return what the file's matrix asks for, and warnings; neither where there are problems."""
    if "matrix" not in data:
        return [{}], []
    table = data["matrix"]
    if not isinstance(table, dict) or not table:
        problems.add(("matrix",), "the matrix has no axes; give it one, such as loss: [bce]")
        return [], []
    axes = {key: values for key, values in table.items() if key not in ("include", "exclude")}
    include, exclude = table.get("include", []), table.get("exclude", [])
    before = len(problems.messages)
    for axis, values in axes.items():
        _check_axis(axis, values, data, problems)
    _check_rules("include", include, axes, problems)
    _check_rules("exclude", exclude, axes, problems)
    if len(problems.messages) > before:
        return [], []
    size = math.prod(len(values) for values in axes.values())
    if size > MAX_CELLS:
        problems.add(("matrix",), f"{size:,} combinations; at most {MAX_CELLS:,} are possible")
        return [], []
    count = sum(map(len, axes.values()))
    for rules, what, of in (
        (include, "include rules", (size, "combinations")),
        (include + exclude, "rules", (count, "values")),
    ):
        if (pairs := len(rules) * of[0]) > MAX_PAIRS:
            problems.add(
                ("matrix",),
                f"{len(rules):,} {what} for {of[0]:,} {of[1]} are {pairs:,} pairs; at most "
                f"{MAX_PAIRS:,} are possible",
            )
            return [], []
    expanded, idle = expand(axes, include, exclude)
    whole = [c for c in expanded if c.keys() >= axes.keys()]
    partial = [c for c in expanded if not c.keys() >= axes.keys()]
    if not whole:
        problems.add(("matrix",), "the exclude rules leave nothing to run")
    unmatched = [("exclude", i) for i in idle]
    # Where GitHub would begin a combination that lacks axes, the rule is one for cells that
    # `--set matrix.loss=[…]` took away, say.
    unmatched += [("include", int(next(iter(c.values())).loc[2])) for c in partial]
    return whole, [
        f"{problems.document.where(('matrix', what, i))}: this {what} rule matches nothing: no "
        f"combination has {_conditions(table[what][i], axes)}"
        for what, i in unmatched
    ]


def _conditions(rule: Rule, axes: Mapping[str, Sequence[Any]]) -> str:
    """Return the values of axes that a rule is for."""
    return " and ".join(f"{axis} {shown(rule[axis])}" for axis in axes if axis in rule)


def _check_axis(axis: str, values: Any, data: Mapping[str, Any], problems: Problems) -> None:
    loc: Loc = ("matrix", axis)
    _check_axis_name(axis, loc, problems)
    if not isinstance(values, list):
        problems.add(loc, f"matrix.{axis}: expected a list of values, found {shown(values)}")
        return
    if not values:
        problems.add(loc, f"matrix.{axis} is empty, so that there is nothing to run")
    seen = set()
    for i, value in enumerate(values):
        written = json.dumps(value, sort_keys=True)
        if written in seen:
            problems.add((*loc, i), f"{shown(value)} stands twice in matrix.{axis}")
        seen.add(written)
    fixed: Any = data
    for key in axis.split("."):
        fixed = fixed.get(key) if isinstance(fixed, dict) else None
    if fixed is not None:
        message = f"'{axis}' is an axis of the matrix, which overrules this value"
        problems.add(tuple(axis.split(".")), f"{message}; change matrix.{axis}, or remove this")


def _check_rules(key: str, rules: Any, axes: Mapping[str, Any], problems: Problems) -> None:
    if not isinstance(rules, list):
        problems.add(("matrix", key), f"matrix.{key}: expected a list of rules")
        return
    for i, rule in enumerate(rules):
        loc: Loc = ("matrix", key, i)
        if not isinstance(rule, dict) or not rule:
            problems.add(loc, f"expected a rule, such as {{loss: bce}}, found {shown(rule)}")
            continue
        for name in rule if not problems.are_many else ():
            if key == "include":
                _check_axis_name(name, (*loc, name), problems)
            elif name not in axes:
                near = suggestion(name, axes)
                problems.add((*loc, name), f"the matrix has no axis '{name}'{near}{known(axes)}")


def _check_axis_name(axis: str, loc: Loc, problems: Problems) -> None:
    training = [f"training.{path}" for path in _paths(Training)]
    evaluation = [f"evaluation.{path}" for path in _paths(EvaluationSettings)]
    if axis in RUN_KEYS or axis == "seed":
        key = "seeds" if axis == "seed" else axis
        problems.add(loc, f"'{axis}' is not an axis; '{key}' belongs at the top level of the file")
    elif axis not in (*AXES, *training, *evaluation):
        near = suggestion(axis, [*AXES, *training, *evaluation])
        problems.add(loc, f"'{axis}' is not an axis{near}{known([*AXES, *training])}")


def _paths(model: Any) -> Iterator[str]:
    for name, info in model.model_fields.items():
        if section := section_of(info):
            yield from (f"{name}.{path}" for path in _paths(section))
        else:
            yield name
