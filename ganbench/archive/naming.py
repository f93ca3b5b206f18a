"""One naming for the cells of several runs, each of which had its own: no two rows are alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from ganbench.records.cells import (
    Cell,
    Reference,
    Spec,
    canonical_json,
    label,
    settings_as_json,
    settings_of,
)
from ganbench.util.messages import brief

SETTINGS = "settings"
"""The axis that tells cells apart which their runs called the same."""
SHOWN = 3  # settings that differ, before the beginning of an id tells the rest
ABSENT = "none"


def together(
    cells: Iterable[Cell], references: Iterable[Reference]
) -> tuple[tuple[Cell, ...], tuple[Reference, ...]]:
    """Return the cells and references of several runs, each once, as one table calls them."""
    cells = list({cell.id: cell for cell in reversed([*cells])}.values())[::-1]
    references = list({one.id: one for one in reversed([*references])}.values())[::-1]
    called = _datasets([*cells, *references])
    several = len({called[_key(one)] for one in cells}) > 1
    named = [
        cell.renamed(label(axes, several), axes)
        for cell in cells
        for axes in [{**cell.axes, "dataset": called[_key(cell)]}]
    ]
    return tuple(_cells_apart(named)), tuple(_references_apart(references, called))


def _key(one: Cell | Reference) -> str:
    return canonical_json(one.dataset, one.label)


def _datasets(found: Sequence[Cell | Reference]) -> dict[str, str]:
    """Return what each data set is called: those that runs called the same, by what differs."""
    specs: dict[str, dict[str, Spec]] = {}
    for one in found:
        specs.setdefault(one.axes.get("dataset", one.dataset.name), {})[_key(one)] = one.dataset
    called: dict[str, str] = {}
    for name, by_key in specs.items():
        told = _differing({key: settings_of(spec) for key, spec in by_key.items()})
        for key in by_key:
            words = (f"{place.removeprefix('options.')}={v}" for place, v in told[key].items())
            called[key] = f"{name}({','.join(words)})" if told[key] else name
    return called


def _cells_apart(cells: Sequence[Cell]) -> Iterator[Cell]:
    alike: dict[str, list[Cell]] = {}
    for cell in cells:
        alike.setdefault(cell.label, []).append(cell)
    told = {
        cell.id: words
        for same in alike.values()
        if len(same) > 1
        for cell, words in zip(same, _words(same), strict=True)
    }
    for cell in cells:
        if cell.id not in told:
            yield cell
            continue
        words = told[cell.id]
        yield cell.renamed(f"{cell.label}/{words}", {**cell.axes, SETTINGS: words})


def _words(cells: Sequence[Cell]) -> list[str]:
    """Return of each cell what tells it from the others, in a few words, no two the same."""
    told = _differing({cell.id: settings_as_json(cell) for cell in cells})
    found = []
    for cell in cells:
        settings = [f"{_brief(place)}={value}" for place, value in told[cell.id].items()]
        more = ["…"] if len(settings) > SHOWN else []
        found.append(", ".join([*settings[:SHOWN], *more]))
    return [
        words if words and found.count(words) == 1 else f"{words} #{cell.id[:4]}".strip()
        for cell, words in zip(cells, found, strict=True)
    ]


def _brief(place: str) -> str:
    return place.removeprefix("schedule.").replace(".options.", ".")


def _references_apart(
    references: Sequence[Reference], called: Mapping[str, str]
) -> Iterator[Reference]:
    labels = [one.label for one in references]
    for one in references:
        axes = {**one.axes, "dataset": called[_key(one)]}
        is_alone = labels.count(one.label) == 1
        yield replace(one, axes=axes, label=one.label if is_alone else f"{one.label} #{one.id[:4]}")


def _differing(found: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """Return of each of several nested values the leaves in which they are not all the same."""
    leaves = {key: dict(_leaves(value)) for key, value in found.items()}
    places = dict.fromkeys(place for one in leaves.values() for place in one)
    apart = [p for p in places if len({one.get(p, ABSENT) for one in leaves.values()}) > 1]
    return {key: {p: one.get(p, ABSENT) for p in apart} for key, one in leaves.items()}


def _leaves(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _leaves(part, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, part in enumerate(value):
            yield from _leaves(part, f"{place}[{number}]")
    else:
        yield place, brief(value)
