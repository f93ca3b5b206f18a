"""What every metric must do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable

from ganbench.contracts.metrics import Metric

DIRECTIONS = ("min", "max", "none")


def rules(cls: type) -> dict[str, Callable[[Metric], None]]:
    found = (
        columns_are_declared_once,
        columns_have_a_direction,
        columns_do_not_change,
        protocol_is_json,
        protocol_holds_the_version,
    )
    return {rule.__name__: rule for rule in found}


def columns_are_declared_once(metric: Metric) -> None:
    names = [column.name for column in metric.columns]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    assert names, "declare at least one column"
    assert all(names), "give every column a name"
    assert not twice, f"the columns {twice} are declared twice; give each number its own name"


def columns_have_a_direction(metric: Metric) -> None:
    for column in metric.columns:
        assert column.direction in DIRECTIONS, (
            f"column '{column.name}' has direction {column.direction!r}; use one of {DIRECTIONS}"
        )
        assert column.digits >= 0, f"column '{column.name}' has {column.digits} decimals"


def columns_do_not_change(metric: Metric) -> None:
    assert metric.columns == type(metric)(**_options(metric)).columns, (
        "two metrics with the same options declare different columns; decide them by the options"
    )


def protocol_is_json(metric: Metric) -> None:
    try:
        text = json.dumps(metric.protocol(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"protocol() cannot be written as JSON ({error}); give plain numbers and strings"
        ) from error
    assert json.loads(text) == json.loads(json.dumps(metric.protocol())), (
        "protocol() differs from one call to the next; it must hold only what decides the value"
    )


def protocol_holds_the_version(metric: Metric) -> None:
    protocol = metric.protocol()
    assert protocol.get("version") == metric.version, (
        "protocol() lacks `version`; extend super().protocol() rather than replacing it"
    )


def _options(metric: Metric) -> dict[str, object]:
    return {name: getattr(metric, name) for name in getattr(metric, "__dataclass_fields__", {})}
