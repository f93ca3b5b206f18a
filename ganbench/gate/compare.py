"""Two sets of measurements compared: a verdict, with its evidence, on each number of each cell."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from ganbench.gate.comparison import (
    STATUS,
    WORDS,
    Comparison,
    Policy,
    Tolerance,
    Verdict,
    VerdictWord,
)
from ganbench.gate.differences import sentences
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.significance import holm, larger_p, smallest_p
from ganbench.util.messages import counted


def compare(
    baseline: Measurements,
    candidate: Measurements,
    policy: Policy,
    names: tuple[str, str] = ("baseline", "candidate"),
) -> Comparison:
    """Compare every number of every cell of either side, and return all verdicts.

    `names` are where the sides came from, for whoever reads the verdicts.
    """
    settled = _settled(list(_all(_Sides(baseline, candidate, policy))), policy)
    settled.sort(key=lambda v: (not v.gated, WORDS.index(v.word)))
    notes = (*_notes(baseline, candidate), *_not_compared(settled, policy))
    return Comparison(*names, policy, tuple(settled), notes, _is_measured(candidate))


@dataclass(frozen=True)
class _Sides:
    """What is compared, and by which rules."""

    baseline: Measurements
    candidate: Measurements
    policy: Policy


@dataclass(frozen=True)
class _Pair:
    """One number of one cell that both sides have, and a verdict that has yet to be filled in."""

    verdict: Verdict
    before: Series
    after: Series
    sides: _Sides

    def says(self, word: VerdictWord, evidence: str, **changes: Any) -> Verdict:
        return replace(self.verdict, word=word, evidence=evidence, **changes)

    @property
    def tolerance(self) -> Tolerance:
        return self.sides.policy.tolerance(self.after.column)


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


def _all(sides: _Sides) -> Iterator[Verdict | _Open]:
    gone = strangers(sides.baseline, sides.candidate.cells)
    for id, now in sides.candidate.cells.items():
        then = sides.baseline.cells.get(id)
        if then is not None:
            yield from _of_cell(then, now, sides)
        elif gone.get(now.label):
            was = gone[now.label].pop(0)
            differs = "; ".join(sentences(was.settings, now.settings))
            yield _whole(now, "incomparable", differs or f"cell {now.id}, was {was.id}")
        else:
            yield _whole(now, "new", "the baseline has no such cell", gated=False)
    for was in (cell for cells in gone.values() for cell in cells):
        yield _whole(was, "missing", "the candidate has no such cell")


def strangers(baseline: Measurements, ids: Container[str]) -> dict[str, list[Measured]]:
    """Return the baseline's cells that are none of these, by the label under which they go on."""
    found: dict[str, list[Measured]] = {}
    for id, cell in baseline.cells.items():
        if id not in ids:
            found.setdefault(cell.label, []).append(cell)
    return found


def _bad_share(cell: Measured) -> float:
    return cell.bad / max(1, sum(cell.statuses.values()))


def _whole(cell: Measured, word: VerdictWord, evidence: str, *, gated: bool = True) -> Verdict:
    return Verdict(cell.id, cell.label, STATUS, word, evidence, gated, "status")


def _of_cell(then: Measured, now: Measured, sides: _Sides) -> Iterator[Verdict | _Open]:
    if now.bad:
        yield _of_trials(then, now)
    if then.data and now.data and then.data != now.data:
        yield _whole(
            now, "incomparable", f"other data: SHA-256 {now.data[:12]}…, was {then.data[:12]}…"
        )
        return
    failed_more = _bad_share(now) > _bad_share(then)  # and what is missing has been told of
    for name in dict.fromkeys([*then.series, *now.series]):
        before, after = then.series.get(name), now.series.get(name)
        if after is None or not after.values:
            if before is not None and before.values and not failed_more:
                why = (after.reason if after else "") or "the candidate has no such number"
                yield replace(_blank(now, before, after, sides), word="missing", evidence=why)
        elif before is None or not before.values:
            yield replace(
                _blank(now, before, after, sides),
                gated=False,
                evidence="the baseline has no such number",
            )
        elif _lacks_more(before, after, sides.policy):
            why = f"no value of {counted(after.lacking, 'trial')}: {after.reason}"
            yield replace(_blank(now, before, after, sides), word="missing", evidence=why)
        else:
            yield _of_number(_Pair(_blank(now, before, after, sides), before, after, sides))


def _lacks_more(before: Series, after: Series, policy: Policy) -> bool:
    """Whether trials lack a number that no trial of the baseline lacked, or more than by luck.

    Those that have none are often the worst, as where no sample is good enough to be counted.
    """
    if not before.lacking:
        return after.lacking > 0
    then, now = ([1.0] * s.lacking + [0.0] * len(s.values) for s in (before, after))
    return larger_p(now, then) < policy.alpha


def _of_trials(then: Measured, now: Measured) -> Verdict:
    """On a cell of which some trials ended badly."""
    was = f"the baseline has {then.ends}" if then.bad else "the baseline has no failed trial"
    why = f": {now.reasons[0]}" if now.reasons else ""
    is_worse = _bad_share(now) > _bad_share(then)
    return _whole(now, "failed" if is_worse else "inconclusive", f"{now.ends}; {was}{why}")


def _blank(cell: Measured, before: Series | None, after: Series | None, sides: _Sides) -> Verdict:
    """Return a verdict that says nothing yet."""
    known = after or before
    assert known is not None
    column = known.column
    return Verdict(
        cell=cell.id,
        label=cell.label,
        metric=column.name,
        word="new",
        evidence="",
        gated=sides.policy.gates(column),
        kind=column.kind,
        direction=column.direction,
        unit=column.unit,
        baseline=tuple(before.values.values()) if before else (),
        candidate=tuple(after.values.values()) if after else (),
    )


def _of_number(pair: _Pair) -> Verdict | _Open:
    if pair.before.protocol != pair.after.protocol:
        return pair.says("incomparable", _protocols(pair))
    return _COMPARED[pair.after.column.kind](pair)


def _of_count(pair: _Pair) -> Verdict:
    before, after = (sorted(set(side.values.values())) for side in (pair.before, pair.after))
    text = ", ".join(map(_exactly, before))
    if before == after:
        return pair.says("unchanged", f"exactly {text}")
    sign = {"max": -1, "min": 1}.get(pair.after.column.direction, 0)
    better = sign and sign * (median(after) - median(before)) < 0
    evidence = f"{', '.join(map(_exactly, after))}, was {text}"
    return pair.says("improved" if better else "regressed", evidence)


def _exactly(value: float) -> str:
    """With every digit: counts differ in the last one."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e15 else repr(value)


def _of_numerics(pair: _Pair) -> Verdict:
    if differs := sentences(pair.sides.baseline.platform, pair.sides.candidate.platform):
        return pair.says("incomparable", f"other platform: {'; '.join(differs)}")
    before, after = pair.before.values, pair.after.values
    shared = sorted(before.keys() & after.keys())
    if not shared:
        return pair.says("incomparable", "no seed in common")
    allowed = {seed: pair.tolerance.of(before[seed]) for seed in shared}
    off = {seed: abs(after[seed] - before[seed]) for seed in shared}
    seed = max(off, key=lambda s: off[s] - allowed[s])
    evidence = (
        f"{after[seed]:.9g} against {before[seed]:.9g} with seed {seed}: off by "
        f"{off[seed]:.2g}, tolerance {allowed[seed]:.2g}, {counted(len(shared), 'seed')}"
    )
    return pair.says("regressed" if off[seed] > allowed[seed] else "unchanged", evidence)


def _of_timing(pair: _Pair) -> Verdict | _Open:
    if pair.sides.policy.interleaved:
        return _of_quality(pair)
    return pair.says(
        "incomparable",
        "timings of two jobs cannot be told from the machine's mood; use `ganbench ab`",
        gated=False,
    )


def _of_quality(pair: _Pair) -> Verdict | _Open:
    direction = pair.after.column.direction
    if direction == "none":
        return pair.says("inconclusive", "neither way is the better one", gated=False)
    then, now = pair.before.values, pair.after.values
    shared = then.keys() & now.keys()
    same = shared == now.keys() and all(then[s] == now[s] for s in shared)
    if same and pair.verdict.kind != "timing":
        return pair.says("unchanged", f"identical in {counted(len(shared), 'seed')}", p=1.0)
    sign = -1.0 if direction == "max" else 1.0
    before = [sign * x for x in then.values()]
    after = [sign * x for x in now.values()]
    tolerance = pair.tolerance.of(median(before))
    worse = median(after) - median(before)
    is_small = abs(worse) <= tolerance  # elsewhere the last two decide nothing
    return _Open(
        verdict=pair.verdict,
        tolerance=tolerance,
        worse=worse,
        p_worse=larger_p(after, before),
        p_better=larger_p(before, after),
        p_not_worse=larger_p([x + tolerance for x in before], after) if is_small else 1.0,
        p_not_better=larger_p([x + tolerance for x in after], before) if is_small else 1.0,
    )


_COMPARED: dict[str, Callable[[_Pair], Verdict | _Open]] = {
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
    word: VerdictWord = "inconclusive"
    if found.worse > found.tolerance and p_worse < alpha:
        word = "regressed"
    elif -found.worse > found.tolerance and p_better < alpha:
        word = "improved"
    elif unchanged and abs(found.worse) <= found.tolerance:
        word = "unchanged"
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
        f"{shown.get(word, f'p {p_worse:.2g} for the worse')}"
    )
    least = smallest_p(n, m) * family
    if word == "inconclusive" and least >= alpha:
        evidence += (
            f"; {n} against {m} can never fall below {min(1.0, least):.2g} here: more "
            f"{'rounds' if verdict.kind == 'timing' else 'seeds'} are needed"
        )
    return replace(verdict, word=word, evidence=evidence, p=p_worse)


def _protocols(pair: _Pair) -> str:
    a, b = pair.before.protocol, pair.after.protocol
    then = pair.sides.baseline.protocols.get(a)
    now = pair.sides.candidate.protocols.get(b)
    if then is None or now is None:
        return f"protocol {b or 'none'}, was {a or 'none'}"
    return f"other protocol: {'; '.join(sentences(then, now)) or 'nothing that is shown'}"


def _notes(baseline: Measurements, candidate: Measurements) -> Iterable[str]:
    if differs := sentences(baseline.platform, candidate.platform):
        yield f"measured on different platforms: {'; '.join(differs)}"


def _not_compared(verdicts: Iterable[Verdict], policy: Policy) -> Iterator[str]:
    there = {verdict.metric for verdict in verdicts if verdict.gated}
    names = [name for name in policy.metrics or () if name not in there]
    if names:
        yield f"gated, and compared in no cell: {', '.join(names)}"


def _is_measured(found: Measurements) -> bool:
    """Return whether any trial has shown something.

    A training that diverged has, and one that could not begin has not.
    """
    return any(c.statuses.get("ok") or c.statuses.get("diverged") for c in found.cells.values())
