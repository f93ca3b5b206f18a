"""Two sets of measurements, and what can be said of their differences: verdicts with evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Literal

from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.significance import holm, larger_p, smallest_p
from ganbench.records.columns import Column
from ganbench.util.messages import brief, counted

Outcome = Literal[
    "regressed",
    "improved",
    "unchanged",
    "inconclusive",
    "incomparable",
    "missing",
    "new",
    "failed",
]
OUTCOMES: tuple[Outcome, ...] = (
    "failed",
    "regressed",
    "missing",
    "incomparable",
    "inconclusive",
    "improved",
    "unchanged",
    "new",
)
"""From what wants looking at first to what doesn't."""

ALPHA = 0.05
STATUS = "status"  # the number of a verdict on how a cell's trials ended


@dataclass(frozen=True)
class Tolerance:
    rel: float
    abs: float

    def of(self, baseline: float) -> float:
        """The change from `baseline` that does not matter."""
        return max(self.rel * abs(baseline), self.abs)


@dataclass(frozen=True)
class Policy:
    """What a comparison looks at and how sure it must be."""

    alpha: float = ALPHA  # chance of any false alarm among the gated numbers
    metrics: tuple[str, ...] | None = None  # gated; None: those whose metric says so
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)  # where not the metric's own
    interleaved: bool = False  # both sides were measured in turns, in one job

    def gates(self, column: Column) -> bool:
        if self.metrics is not None:
            return column.name in self.metrics or column.kind in ("count", "numerics")
        return column.gated or column.kind == "numerics"

    def tolerance(self, column: Column) -> Tolerance:
        return self.tolerances.get(column.name, Tolerance(column.rel_tol, column.abs_tol))


@dataclass(frozen=True)
class Verdict:
    """On one number of one cell."""

    cell: str  # id
    label: str
    metric: str
    outcome: Outcome
    evidence: str
    gated: bool
    kind: str = ""
    direction: str = "none"
    unit: str = ""
    baseline: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    p: float | None = None  # one-sided, for the worse, after Holm

    @property
    def ratio(self) -> float | None:
        """Of the medians, the candidate's over the baseline's."""
        if not self.baseline or not self.candidate or median(self.baseline) == 0:
            return None
        found = median(self.candidate) / median(self.baseline)
        return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Comparison:
    baseline: str  # where each side came from
    candidate: str
    policy: Policy
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    measured: bool = True  # whether any trial of the candidate got so far as to tell something

    def gated(self, *outcomes: Outcome) -> list[Verdict]:
        """The gated verdicts of these outcomes, or all gated ones."""
        return [v for v in self.verdicts if v.gated and (not outcomes or v.outcome in outcomes)]

    @property
    def counts(self) -> dict[str, int]:
        found = Counter(verdict.outcome for verdict in self.gated())
        return {outcome: found[outcome] for outcome in OUTCOMES if found[outcome]}


def compare(
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
    names: tuple[str, str] = ("baseline", "candidate"),
) -> Comparison:
    """Every number of every cell of either side."""
    verdicts = list(_all(baseline, candidate, policy))
    settled = _settled([*verdicts], policy)
    order = {outcome: i for i, outcome in enumerate(OUTCOMES)}
    settled.sort(key=lambda v: (not v.gated, order[v.outcome]))
    notes = (*_notes(baseline, candidate), *_not_compared(settled, policy))
    return Comparison(*names, policy, tuple(settled), notes, _is_measured(candidate))


@dataclass(frozen=True)
class _Open:
    """A verdict that waits for the other p-values of its family."""

    verdict: Verdict
    tolerance: float
    worse: float  # how much worse the candidate's median is
    p_worse: float
    p_better: float
    p_not_worse: float  # against: worse by the tolerance or more
    p_not_better: float


def _all(
    baseline: Measurements, candidate: Measurements, policy: Policy
) -> Iterator[Verdict | _Open]:
    gone = strangers(baseline, candidate.cells)
    for id, now in candidate.cells.items():
        then = baseline.cells.get(id)
        if then is not None:
            yield from _of_cell(then, now, baseline, candidate, policy)
        elif gone.get(now.label):
            was = gone[now.label].pop(0)
            differs = "; ".join(_differences(was.settings, now.settings))
            yield _whole(now, "incomparable", differs or f"cell {now.id}, was {was.id}")
        else:
            yield _whole(now, "new", "the baseline has no such cell", gated=False)
    for was in (cell for cells in gone.values() for cell in cells):
        yield _whole(was, "missing", "the candidate has no such cell")


def strangers(baseline: Measurements, ids: Container[str]) -> dict[str, list[Measured]]:
    """The baseline's cells that are none of these, by the label under which they may go on."""
    found: dict[str, list[Measured]] = {}
    for id, cell in baseline.cells.items():
        if id not in ids:
            found.setdefault(cell.label, []).append(cell)
    return found


def _ends(cell: Measured) -> str:
    return ", ".join(f"{n} {status}" for status, n in cell.statuses.items())


def _bad_share(cell: Measured) -> float:
    return cell.bad / max(1, sum(cell.statuses.values()))


def _whole(cell: Measured, outcome: Outcome, evidence: str, *, gated: bool = True) -> Verdict:
    return Verdict(cell.id, cell.label, STATUS, outcome, evidence, gated, "status")


def _of_cell(
    then: Measured,
    now: Measured,
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
) -> Iterator[Verdict | _Open]:
    is_worse = _bad_share(now) > _bad_share(then)
    if now.bad:
        was = f"the baseline has {_ends(then)}" if then.bad else "the baseline has no failed trial"
        why = f": {now.reasons[0]}" if now.reasons else ""
        outcome: Outcome = "failed" if is_worse else "inconclusive"
        yield _whole(now, outcome, f"{_ends(now)}; {was}{why}")
    if then.data and now.data and then.data != now.data:
        yield _whole(
            now, "incomparable", f"other data: SHA-256 {now.data[:12]}…, was {then.data[:12]}…"
        )
        return
    for name in dict.fromkeys([*then.series, *now.series]):
        a, b = then.series.get(name), now.series.get(name)
        known = b or a
        assert known is not None
        column = known.column
        gated = policy.gates(column)
        base = Verdict(
            now.id,
            now.label,
            name,
            "new",
            "",
            gated,
            column.kind,
            column.direction,
            column.unit,
            tuple(a.values.values()) if a else (),
            tuple(b.values.values()) if b else (),
        )
        if a is None or not a.values:
            if b is not None and b.values:
                yield replace(base, gated=False, evidence="the baseline has no such number")
        elif b is None or not b.values:
            if not is_worse:
                why = (b.reason if b else "") or "the candidate has no such number"
                yield replace(base, outcome="missing", evidence=why)
        elif a.protocol != b.protocol:
            yield replace(
                base, outcome="incomparable", evidence=_protocols(a, b, baseline, candidate)
            )
        else:
            yield _COMPARED[column.kind](base, a, b, baseline, candidate, policy)


def _of_count(base: Verdict, a: Series, b: Series, *_: Any) -> Verdict:
    before, after = sorted(set(a.values.values())), sorted(set(b.values.values()))
    text = ", ".join(map(_exactly, before))
    if before == after:
        return replace(base, outcome="unchanged", evidence=f"exactly {text}")
    sign = {"max": -1, "min": 1}.get(b.column.direction, 0)
    better = sign and sign * (median(after) - median(before)) < 0
    evidence = f"{', '.join(map(_exactly, after))}, was {text}"
    return replace(base, outcome="improved" if better else "regressed", evidence=evidence)


def _exactly(value: float) -> str:
    """With every digit: counts differ in the last one."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _of_numerics(
    base: Verdict,
    a: Series,
    b: Series,
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
) -> Verdict:
    differs = _differences(baseline.platform, candidate.platform)
    if differs:
        return replace(
            base, outcome="incomparable", evidence=f"other platform: {'; '.join(differs)}"
        )
    shared = sorted(a.values.keys() & b.values.keys())
    if not shared:
        return replace(base, outcome="incomparable", evidence="no seed in common")
    tolerance = policy.tolerance(b.column)
    off = {seed: abs(b.values[seed] - a.values[seed]) for seed in shared}
    seed = max(off, key=lambda s: off[s] - tolerance.of(a.values[s]))
    wrong = off[seed] > tolerance.of(a.values[seed])
    evidence = (
        f"{b.values[seed]:.9g} against {a.values[seed]:.9g} with seed {seed}: off by "
        f"{off[seed]:.2g}, tolerance {tolerance.of(a.values[seed]):.2g}, "
        f"{counted(len(shared), 'seed')}"
    )
    return replace(base, outcome="regressed" if wrong else "unchanged", evidence=evidence)


def _of_timing(
    base: Verdict,
    a: Series,
    b: Series,
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
) -> Verdict | _Open:
    if policy.interleaved:
        return _of_quality(base, a, b, baseline, candidate, policy)
    return replace(
        base,
        outcome="incomparable",
        gated=False,
        evidence="timings of two jobs cannot be told from the machine's mood; use `ganbench ab`",
    )


def _of_quality(
    base: Verdict,
    a: Series,
    b: Series,
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
) -> Verdict | _Open:
    if b.column.direction == "none":
        return replace(
            base, outcome="inconclusive", gated=False, evidence="neither way is the better one"
        )
    shared = a.values.keys() & b.values.keys()
    if shared == b.values.keys() and all(a.values[s] == b.values[s] for s in shared):
        same = f"identical in {counted(len(shared), 'seed')}"
        if base.kind != "timing":
            return replace(base, outcome="unchanged", evidence=same, p=1.0)
    sign = -1.0 if b.column.direction == "max" else 1.0
    before = [sign * x for x in a.values.values()]
    after = [sign * x for x in b.values.values()]
    tolerance = policy.tolerance(b.column).of(median(before))
    worse = median(after) - median(before)
    is_small = abs(worse) <= tolerance  # elsewhere the last two decide nothing
    return _Open(
        base,
        tolerance,
        worse,
        larger_p(after, before),
        larger_p(before, after),
        larger_p([x + tolerance for x in before], after) if is_small else 1.0,
        larger_p([x + tolerance for x in after], before) if is_small else 1.0,
    )


_COMPARED: dict[str, Callable[..., Verdict | _Open]] = {
    "quality": _of_quality,
    "timing": _of_timing,
    "count": _of_count,
    "numerics": _of_numerics,
}


def _settled(found: Sequence[Verdict | _Open], policy: Policy) -> list[Verdict]:
    """With p-values corrected for how many gated numbers there are, and how many others."""
    settled: list[Verdict] = [v for v in found if isinstance(v, Verdict)]
    for gated in (True, False):
        family = [o for o in found if isinstance(o, _Open) and o.verdict.gated == gated]
        worse = holm([o.p_worse for o in family])
        better = holm([o.p_better for o in family])
        settled += [
            _judged(o, p, q, len(family), policy)
            for o, p, q in zip(family, worse, better, strict=True)
        ]
    return settled


def _judged(found: _Open, p_worse: float, p_better: float, family: int, policy: Policy) -> Verdict:
    verdict, alpha = found.verdict, policy.alpha
    n, m = len(verdict.candidate), len(verdict.baseline)
    unchanged = found.p_not_worse < alpha and found.p_not_better < alpha
    outcome: Outcome = "inconclusive"
    if found.worse > found.tolerance and p_worse < alpha:
        outcome = "regressed"
    elif -found.worse > found.tolerance and p_better < alpha:
        outcome = "improved"
    elif unchanged and abs(found.worse) <= found.tolerance:
        outcome = "unchanged"
    part = verdict.ratio
    ratio = f", ratio {part:.3f}" if part is not None else ""
    beyond = max(found.p_not_worse, found.p_not_better)
    shown = {
        "improved": f"p {p_better:.2g} for the better",
        "unchanged": f"p {beyond:.2g} for a change beyond it",
    }
    evidence = (
        f"n {n} against {m}: median {median(verdict.candidate):.4g}, was "
        f"{median(verdict.baseline):.4g}{ratio}, tolerance {found.tolerance:.3g}, "
        f"{shown.get(outcome, f'p {p_worse:.2g} for the worse')}"
    )
    least = smallest_p(n, m) * family
    if outcome == "inconclusive" and least >= alpha:
        evidence += (
            f"; {n} against {m} can never fall below {min(1.0, least):.2g} here: more "
            f"{'rounds' if verdict.kind == 'timing' else 'seeds'} are needed"
        )
    return replace(verdict, outcome=outcome, evidence=evidence, p=p_worse)


def _protocols(a: Series, b: Series, baseline: Measurements, candidate: Measurements) -> str:
    then, now = baseline.protocols.get(a.protocol), candidate.protocols.get(b.protocol)
    if then is None or now is None:
        return f"protocol {b.protocol or 'none'}, was {a.protocol or 'none'}"
    return f"other protocol: {'; '.join(_differences(then, now)) or 'nothing that is shown'}"


def _differences(before: Any, after: Any, where: str = "") -> list[str]:
    """`schedule.g_lr 0.001, was 0.002`, for all that differs."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys([*before, *after])
        return [
            line
            for key in keys
            for line in _differences(
                before.get(key), after.get(key), f"{where}.{key}" if where else str(key)
            )
        ]
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        if len(before) == len(after):
            return [
                line
                for i, pair in enumerate(zip(before, after, strict=True))
                for line in _differences(*pair, f"{where}[{i}]")
            ]
    elif before == after or _same_number(before, after):
        return []
    return [f"{where} {brief(after)}, was {brief(before)}"]


def _same_number(a: Any, b: Any) -> bool:
    return isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-12)


def _notes(baseline: Measurements, candidate: Measurements) -> Iterable[str]:
    if differs := _differences(baseline.platform, candidate.platform):
        yield f"measured on different platforms: {'; '.join(differs)}"


def _not_compared(verdicts: Iterable[Verdict], policy: Policy) -> Iterator[str]:
    there = {verdict.metric for verdict in verdicts if verdict.gated}
    names = [name for name in policy.metrics or () if name not in there]
    if names:
        yield f"gated, and compared in no cell: {', '.join(names)}"


def _is_measured(found: Measurements) -> bool:
    """A training that diverged has shown something, and one that could not begin has not."""
    return any(c.statuses.get("ok") or c.statuses.get("diverged") for c in found.cells.values())
