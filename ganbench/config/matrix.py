"""The matrix of a benchmark file: what may stand in it, and the combinations it makes.

The rules are those of GitHub Actions, over values that remember where they were written.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.config.schema import AXES, RUN_KEYS, EvaluationSettings, Training, section_of
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


def matches(rule: Rule, combination: Mapping[str, Value]) -> bool:
    """Return whether every key of the rule is in the combination with that value, or that name."""
    return all(
        key in combination and _means(wanted, combination[key].value)
        for key, wanted in rule.items()
    )


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
    product = _product(axes)
    idle = [i for i, rule in enumerate(exclude) if not any(matches(rule, c) for c in product)]
    originals = [c for c in product if not any(matches(rule, c) for rule in exclude)]
    grown = [dict(combination) for combination in originals]
    alone: list[Combination] = []
    for i, rule in enumerate(include):
        added = {key: Value(value, ("matrix", "include", i, key)) for key, value in rule.items()}
        agreeing = [
            (original, combination)
            for original, combination in zip(originals, grown, strict=True)
            if matches({key: v for key, v in rule.items() if key in original}, original)
        ]
        for original, combination in agreeing:
            combination |= {key: v for key, v in added.items() if key not in original}
        if not agreeing:
            alone.append(added)
    return grown + alone, idle


def _product(axes: Mapping[str, Sequence[Any]]) -> list[Combination]:
    if not axes:
        return []
    valued = [
        [Value(value, ("matrix", axis, i)) for i, value in enumerate(values)]
        for axis, values in axes.items()
    ]
    return [dict(zip(axes, chosen, strict=True)) for chosen in itertools.product(*valued)]


MAX_CELLS = 100_000
MAX_PAIRS = 5_000_000  # of a combination and a rule: some seconds


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
    if (pairs := size * (len(include) + len(exclude))) > MAX_PAIRS:
        problems.add(
            ("matrix",),
            f"{len(include) + len(exclude):,} rules for {size:,} combinations are {pairs:,} pairs; "
            f"at most {MAX_PAIRS:,} are possible",
        )
        return [], []
    expanded, idle = expand(axes, include, exclude)
    whole = [c for c in expanded if c.keys() >= axes.keys()]
    partial = [c for c in expanded if not c.keys() >= axes.keys()]
    if not whole:
        problems.add(("matrix",), "the exclude rules leave nothing to run")
    rules: list[Loc] = [("exclude", i) for i in idle]
    # Where GitHub would begin a combination that lacks axes, the rule is one for cells that
    # `--set matrix.loss=[…]` took away, say.
    rules += [next(iter(c.values())).loc[1:3] for c in partial]
    return whole, [
        f"{problems.document.where(('matrix', *rule))}: this {rule[0]} rule matches nothing"
        for rule in rules
    ]


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
