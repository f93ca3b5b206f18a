"""What the training itself says: who overpowers whom, and what to try."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import ReportView

MOST_BYTES = 400_000
MOST_TRIALS, LENGTH = 40, 1000


@dataclass
class _Kind:
    """The findings of one kind."""

    title: str
    seen: list[tuple[str, str]] = field(default_factory=list)  # of what trial, and what
    remedies: dict[str, None] = field(default_factory=dict)


def section(view: ReportView) -> list[Markup]:
    """Return an article for each kind of finding, with where it was seen and what to try."""
    kinds: dict[tuple[str, str], _Kind] = {}
    for row in view.cells:
        for outcome in row.outcomes:
            for finding in _findings(outcome.result):
                kind, player = _text(finding.get("kind")), _text(finding.get("player"))
                title = _text(finding.get("title")) or kind
                found = kinds.setdefault((kind, player), _Kind(_title(title, player)))
                whose = f"{row.brief}, seed {outcome.trial.seed}"
                found.seen.append((whose, _text(finding.get("seen"))))
                found.remedies.update(dict.fromkeys(_remedies(finding)))
    kept, rest = ByteBudget(MOST_BYTES).fitting(map(_block, kinds.values()))
    if rest:
        kept.append(element("p", f"{rest:,} more are in the trials' result.json.", class_="more"))
    return kept


def _findings(result: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    found = result.get("diagnosis")
    for finding in found if isinstance(found, list) else []:
        if isinstance(finding, dict):
            yield finding


def _remedies(finding: Mapping[str, Any]) -> list[str]:
    remedies = finding.get("remedies")
    if isinstance(remedies, str):
        return [remedies[:LENGTH]]
    return [_text(r) for r in remedies] if isinstance(remedies, list) else []


def _title(name: str, player: str) -> str:
    words = name.replace("-", " ").replace("_", " ") or "finding"
    whose = f" ({player})" if player and player.lower() not in words.lower() else ""
    return words[:1].upper() + words[1:] + whose


def _block(kind: _Kind) -> Markup:
    seen = [
        element("li", element("b", whose), f": {what}" if what else "")
        for whose, what in kind.seen[:MOST_TRIALS]
    ]
    if len(kind.seen) > MOST_TRIALS:
        seen.append(element("li", f"and {len(kind.seen) - MOST_TRIALS:,} more trials"))
    tries = [element("li", remedy) for remedy in kind.remedies]
    advice = [element("p", "To try:", class_="hint"), element("ul", tries)] if tries else None
    return element(
        "article", element("h3", kind.title), element("ul", seen), advice, class_="finding"
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)[:LENGTH]
