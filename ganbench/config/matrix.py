"""GitHub Actions' matrix rules over values that remember where they were written."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.util.messages import Loc


@dataclass(frozen=True)
class Value:
    """A value of an axis and its place in the file."""

    value: Any
    loc: Loc


Combination = dict[str, Value]
Rule = Mapping[str, Any]


def names(value: Any) -> str | None:
    """The name by which a rule may mean a value: `{name: wgan-gp, gp_weight: 5}` is 'wgan-gp'."""
    if isinstance(value, Mapping):
        return value.get("name")
    return value if isinstance(value, str) else None


def matches(rule: Rule, combination: Mapping[str, Value]) -> bool:
    """Whether every key of the rule is in the combination with that value, or that name."""
    return all(
        key in combination and _means(wanted, combination[key].value)
        for key, wanted in rule.items()
    )


def _means(wanted: Any, value: Any) -> bool:
    return value == wanted or (isinstance(wanted, str) and names(value) == wanted)


def expand(
    axes: Mapping[str, Sequence[Any]], include: Sequence[Rule], exclude: Sequence[Rule]
) -> tuple[list[Combination], list[int]]:
    """The combinations, and the indices of the exclude rules that matched none.

    The product in the order of declaration; `exclude` first, by partial match; then each `include`
    is merged into every combination whose original values it does not contradict, and is a new
    combination where there is none.
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
