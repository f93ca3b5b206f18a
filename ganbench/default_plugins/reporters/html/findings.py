"""What the training itself says: who overpowers whom, and what to try."""

from __future__ import annotations

from dataclasses import dataclass, field

from ganbench import Finding
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element, prose
from ganbench.default_plugins.reporters.html.rows import ReportView

MOST_BYTES = 400_000
MOST_TRIALS, LENGTH = 40, 1000


@dataclass
class _Kind:
    """The findings of one kind, and for which the same is to be tried."""

    title: str
    seen: list[tuple[str, str]] = field(default_factory=list)  # of what trial, and what
    remedies: dict[str, None] = field(default_factory=dict)


def section(view: ReportView) -> list[Markup]:
    """Return an article for each kind of finding, with where it was seen and what to try."""
    kinds: dict[tuple[str, tuple[str, ...]], _Kind] = {}  # apart where other things are to be tried
    for row in view.cells:
        for outcome in row.outcomes:
            for finding in outcome.result.diagnosis:
                key = (finding.kind, finding.remedies)
                found = kinds.setdefault(key, _Kind(_title(finding)))
                whose = f"{row.brief}, seed {outcome.trial.seed}"
                found.seen.append((whose, finding.seen[:LENGTH]))
                found.remedies.update((remedy[:LENGTH], None) for remedy in finding.remedies)
    short = [outcome for row in view.cells for outcome in row.outcomes
             if outcome.result.too_short_to_diagnose]  # fmt: skip
    kept, rest = ByteBudget(MOST_BYTES).fitting(map(_block, kinds.values()))
    if rest:
        kept.append(element("p", f"{rest:,} more are in the trials' result.json.", class_="more"))
    if short:
        kept.append(
            element(
                "p",
                f"{len(short):,} of the trials {'was' if len(short) == 1 else 'were'} too short to "
                "diagnose: only a training that diverged, a D that was always right and samples "
                "that are all but one image are named.",
                class_="more",
            )
        )
    return kept


def _title(finding: Finding) -> str:
    words = (finding.title or finding.kind)[:LENGTH].replace("-", " ").replace("_", " ")
    return words[:1].upper() + words[1:]


def _block(kind: _Kind) -> Markup:
    seen = [
        element("li", element("b", whose), prose(f": {what}") if what else "")
        for whose, what in kind.seen[:MOST_TRIALS]
    ]
    if len(kind.seen) > MOST_TRIALS:
        seen.append(element("li", f"and {len(kind.seen) - MOST_TRIALS:,} more trials"))
    tries = [element("li", prose(remedy)) for remedy in kind.remedies]
    advice = [element("p", "To try:", class_="hint"), element("ul", tries)] if tries else None
    return element(
        "article", element("h3", kind.title), element("ul", seen), advice, class_="finding"
    )
