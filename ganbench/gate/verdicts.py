"""A comparison in words: for people, for programs, and as an exit code."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ganbench.gate.comparison import WORDS, Comparison, Verdict
from ganbench.util.messages import counted

DECISIVE = ("regressed", "improved", "unchanged")
FINE, WORSE, NOTHING_MEASURED, NOT_COMPARABLE = 0, 1, 3, 4


def conclusion(found: Comparison, fail_on: Collection[str], inconclusive: str) -> tuple[int, str]:
    """Return the exit code and the sentence that explains it.

    A comparison of nothing is never fine.
    """
    gated = found.gated()
    if not found.measured:
        return NOTHING_MEASURED, f"gate: nothing was measured: {_counted(gated) or 'no trial'}"
    bad = [v for v in gated if v.word in fail_on]
    if bad:
        return WORSE, f"gate: failed: {_counted(bad)}"
    if not any(v.word in (*DECISIVE, "inconclusive") for v in _judged(found)):
        why = _counted(gated) if gated else "no gated number on both sides"
        return NOT_COMPARABLE, f"gate: nothing could be compared: {why}"
    unsure = [v for v in gated if v.word == "inconclusive"]
    if unsure and inconclusive == "fail":
        return NOT_COMPARABLE, f"gate: {_counted(unsure)}, and --inconclusive is fail"
    warning = "warning: " if unsure and inconclusive == "warn" else ""
    return FINE, f"{warning}gate: passed: {_counted(gated)}"


def _judged(found: Comparison) -> list[Verdict]:
    """Return what must have been compared.

    Counts make up for nothing else, unless they are all there is and no other number was named.
    """
    numbers = [v for v in found.gated() if v.kind != "status"]
    named = found.policy.metrics
    others = [v for v in numbers if v.kind != "count" or v.metric in (named or ())]
    return others if others or named is not None else numbers


def text(found: Comparison, *, everything: bool = False) -> str:
    """Return one line of evidence per verdict, the gravest first; equal counts share one."""
    gated = [v for v in found.verdicts if everything or v.gated]
    equal = [v for v in gated if v.kind == "count" and v.word == "unchanged" and not everything]
    shown = [v for v in gated if not (equal and v.kind == "count" and v.word == "unchanged")]
    width = max((len(v.word) for v in (*shown, *equal)), default=0)
    lines = [f"{found.candidate} against {found.baseline}"]
    lines += [f"  {v.word:<{width}}  {v.label}  {v.metric}: {v.evidence}" for v in shown]
    if equal:
        cells = counted(len({v.cell for v in equal}), "cell")
        names = ", ".join(dict.fromkeys(v.metric for v in equal))
        lines.append(f"  {'unchanged':<{width}}  {names} of {cells}: equal")
    lines += [f"note: {note}" for note in found.notes]
    hidden = len(found.verdicts) - len(gated)
    if hidden:
        lines.append(f"note: {counted(hidden, 'number')} not gated; --all shows them")
    return "\n".join(lines)


def plain(found: Comparison) -> dict[str, Any]:
    """Return a comparison as JSON has it."""
    return {
        "baseline": found.baseline,
        "candidate": found.candidate,
        "alpha": found.policy.alpha,
        "interleaved": found.policy.interleaved,
        "counts": found.counts,
        "verdicts": [_plain(verdict) for verdict in found.verdicts],
        "notes": list(found.notes),
    }


def _plain(verdict: Verdict) -> dict[str, Any]:
    return {
        "cell": verdict.cell,
        "label": verdict.label,
        "metric": verdict.metric,
        "verdict": verdict.word,
        "gated": verdict.gated,
        "kind": verdict.kind,
        "direction": verdict.direction,
        "unit": verdict.unit,
        "evidence": verdict.evidence,
        "baseline": list(verdict.baseline),
        "candidate": list(verdict.candidate),
        "ratio": verdict.ratio,
        "p": verdict.p,
    }


def _counted(verdicts: Collection[Verdict]) -> str:
    words = [v.word for v in verdicts]
    return ", ".join(f"{words.count(word)} {word}" for word in WORDS if word in words)
