"""How a trial's training went, from its metrics.jsonl.

Drawn here: of up to 2,000 in a page, each is 2 kB in 12 ms; matplotlib's is 17 kB in 600 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ganbench import TrialResult, Window, distance_and_quality
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.rows import finite
from ganbench.default_plugins.reporters.html.scale import Scale, compact, told_apart

MOST_POINTS, MOST_SERIES = 160, 6
OUTLIERS = 0.02  # the part at each end that may be cut where it would hide the rest
SPIKE = 8.0  # times the range of what is left
SIGNALS = (  # of Window.signals: title, keys and what they are called
    ("D's output", {"d_real": "on real images", "d_fake": "on G's"}),
    (
        "share told apart",
        {
            "d_real_accuracy": "real taken for real",
            "d_fake_accuracy": "G's taken for G's",
            "g_accuracy": "G's taken for real, in G's step",
        },
    ),
    ("gradient norm", {"d_gradient_norm": "of D", "g_gradient_norm": "of G"}),
)

Places = list[tuple[float, float]]  # thousands of images, value


@dataclass(frozen=True)
class Chart:
    """Numbers followed through a training, drawn over the same axes."""

    title: str
    series: dict[str, Places]
    unit: str = "kimg"  # of what they are followed through


def charts(windows: Sequence[Window], result: TrialResult) -> list[Chart]:
    """Return the charts of a trial: terms of both losses, signals, and what was followed."""
    signals = _series((w.kimg, w.signals) for w in windows)
    found = [
        Chart("D's loss", _series((w.kimg, w.d_terms) for w in windows)),
        Chart("G's loss", _series((w.kimg, w.g_terms) for w in windows)),
        *(Chart(title, _named(signals, keys)) for title, keys in SIGNALS),
        *_probes(result),
        Chart(
            "distance and quality, each by its largest value",
            distance_and_quality(windows, result.probes),
        ),
    ]
    return [chart for chart in found if any(len(p) > 1 for p in chart.series.values())]


def picture(chart: Chart) -> Markup:
    """Return a figure with an SVG that takes any width."""
    series = {n: _thinned(p) for n, p in list(chart.series.items())[:MOST_SERIES] if len(p) > 1}
    values = [y for places in series.values() for _, y in places]
    low, high = _span(values)
    kimgs = [x for places in series.values() for x, _ in places]
    across, upward = Scale(0.0, max(kimgs) or 1.0), Scale.over([low, high], span=200.0)
    lines = [
        element("polyline", points=_path(p, across, upward), class_=f"c{number}")
        for number, p in enumerate(series.values(), 1)
    ]
    cut = min(values) < low or max(values) > high
    ends = " to ".join(told_apart(min(values), max(values)))
    bottom, top = told_apart(upward.low, upward.high)
    keys = [
        element("li", element("i", class_=f"c{number}"), name)
        for number, name in enumerate(series, 1)
    ]
    is_named = all(name in chart.title for name in series)
    hints = ["logarithmic" if upward.is_log else "", "spikes cut" if cut else ""]
    return element(
        "figure",
        element(
            "figcaption",
            element("b", chart.title),
            " ",
            element("span", ", ".join(filter(None, hints)), class_="hint"),
        ),
        None if is_named else element("ul", keys, class_="keys", role="list"),
        element(
            "div",
            element("span", top, class_="high"),
            element("span", bottom, class_="low"),
            element(
                "svg",
                lines,
                view_box="0 0 100 100",
                preserve="none",
                role="img",
                aria_label=f"{chart.title} over training, from {ends}",
            ),
            element("span", "0", class_="from"),
            element("span", f"{compact(across.high, 3)} {chart.unit}", class_="to"),
            class_="plot",
        ),
        class_="curve",
    )


def _series(found: Iterable[tuple[float, Mapping[str, float]]]) -> dict[str, Places]:
    series: dict[str, Places] = {}
    for kimg, terms in found:
        for name, value in terms.items():
            if finite(value) is not None:
                series.setdefault(name.replace("_", " "), []).append((kimg, value))
    return series


def _named(series: Mapping[str, Places], names: Mapping[str, str]) -> dict[str, Places]:
    return {
        name: series[key.replace("_", " ")]
        for key, name in names.items()
        if key.replace("_", " ") in series
    }


def _probes(result: TrialResult) -> Iterator[Chart]:
    """Yield what was followed during training, a chart for each number."""
    series: dict[str, Places] = {}
    for probe in (*result.probes, *result.followed):
        for name, value in probe.values.items():
            if value is not None and finite(value) is not None:
                series.setdefault(name, []).append((probe.kimg, value))
    for name, places in series.items():
        yield Chart(f"{name} on the way", {name: places})


def _thinned(places: Sequence[tuple[float, float]]) -> Places:
    """Means of neighbours, so that no more points are left than can be seen."""
    size = -(-len(places) // MOST_POINTS)
    parts = [places[i : i + size] for i in range(0, len(places), size)]
    return [(sum(x for x, _ in p) / len(p), sum(y for _, y in p) / len(p)) for p in parts]


def _span(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest, without spikes that would flatten all else."""
    ordered = sorted(values)
    aside = int(len(ordered) * OUTLIERS)
    low, high = ordered[aside], ordered[-1 - aside]
    if ordered[-1] - ordered[0] <= SPIKE * (high - low):
        return ordered[0], ordered[-1]
    return low, high


def _path(places: Places, across: Scale, upward: Scale) -> str:
    return " ".join(f"{across.at(x):.1f},{100 - upward.at(y):.1f}" for x, y in places)
