"""Every cell as a card: what it makes, and below that how each of its seeds went."""

from __future__ import annotations

from collections.abc import Sequence

from ganbench import Status, TrialOutcome
from ganbench.default_plugins.reporters.html import curves, pictures
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.pictures import Album
from ganbench.default_plugins.reporters.html.rows import ReportRow, ReportView, finite, title_of

MOST_CELLS, MOST_SEEDS, MOST_NUMBERS = 48, 8, 3
MOST_CURVE_BYTES = 2_000_000
CARD_BYTES = 8_000  # of a card, its curves and pictures left out
ROWS = (2, 3, 4)  # cards in a row that the style sheet has, so that rows are those of the matrix


def shown(view: ReportView) -> list[ReportRow]:
    """Return the cells that get a card."""
    return [row for row in view.first(MOST_CELLS) if any(map(_has_ended, row.outcomes))]


def _has_ended(outcome: TrialOutcome) -> bool:
    return outcome.result.status is not Status.UNFINISHED


def section(view: ReportView, most_bytes: int) -> list[Markup]:
    """Return cards with curves, which no other file has like this, and as many pictures as fit."""
    cells = shown(view)
    chosen = {row.number: _chosen(row) for row in cells}
    curve_budget = ByteBudget(min(MOST_CURVE_BYTES, most_bytes // 2))
    drawn = _drawn([o for row in cells for o in chosen[row.number]], curve_budget)
    written = sum(len("".join(made).encode()) for made in drawn.values())
    album = Album(ByteBudget(most_bytes - written - CARD_BYTES * len(cells)))
    _fill(album, cells, chosen)
    cards = [_card(view, row, chosen[row.number], album, drawn) for row in cells]
    cards = [card for card in cards if card]
    if not cards:
        return []
    of_last = len({row.names[-1] for row in cells})
    layout = f"cards by{of_last}" if of_last in ROWS else "cards"
    return [element("div", cards, class_=layout), *_left_out(view, cells, album)]


def _chosen(row: ReportRow) -> list[TrialOutcome]:
    """Return the first seeds, those that went well before the others."""
    return sorted(row.outcomes, key=lambda o: o.status != "ok")[:MOST_SEEDS]


def _fill(album: Album, cells: Sequence[ReportRow], chosen: dict[int, list[TrialOutcome]]) -> None:
    """One seed of every cell comes before the second of any, and a still before a film."""
    for place in range(MOST_SEEDS):
        for kind in (pictures.SAMPLES, pictures.NEAREST, pictures.FILM):
            for row in cells:
                if place < len(chosen[row.number]):
                    outcome = chosen[row.number][place]
                    _image(album, row, outcome, kind)


def _drawn(outcomes: Sequence[TrialOutcome], budget: ByteBudget) -> dict[str, list[Markup]]:
    """Return the curves of each trial, as far as they fit."""
    found: dict[str, list[Markup]] = {}
    for outcome in outcomes:
        if budget.left > 0:
            made = [curves.picture(c) for c in curves.charts(outcome.windows, outcome.result)]
            if budget.takes("".join(made)):
                found[outcome.trial.id] = made
    return found


def _card(
    view: ReportView,
    row: ReportRow,
    outcomes: Sequence[TrialOutcome],
    album: Album,
    drawn: dict[str, list[Markup]],
) -> Markup | None:
    first = outcomes[0]
    face = _image(album, row, first, pictures.SAMPLES)
    seeds = [
        _seed(
            row, outcome, album, drawn.get(outcome.trial.id, []), with_samples=outcome is not first
        )
        for outcome in outcomes
    ]
    seeds = [seed for seed in seeds if seed]
    if face is None and not seeds:
        return None
    count = len(outcomes)
    what = "Training" if count == 1 else f"Training of {count} seeds"
    more = element("details", element("summary", what), seeds) if seeds else None
    return element(
        "article",
        element("div", face, class_="face") if face else None,
        element("h3", title_of(row)),
        element("p", _numbers(view, row), class_="hint"),
        more,
        class_="card",
        id=row.anchor,
    )


def _numbers(view: ReportView, row: ReportRow) -> list[Markup]:
    """Return the first of them."""
    columns = [c for c in view.headlines if row.mean(c) is not None][:MOST_NUMBERS]
    pairs = [
        element("span", f"{view.table.header(c)} ", element("b", view.table.text(row.in_table, c)))
        for c in columns
    ]
    return pairs or [element("span", row.in_table.status)]


def _seed(
    row: ReportRow, outcome: TrialOutcome, album: Album, drawn: list[Markup], *, with_samples: bool
) -> Markup | None:
    kinds = [pictures.SAMPLES] if with_samples else []
    kinds += [pictures.NEAREST, pictures.FILM] + ([] if drawn else [pictures.CURVES])
    found = [(kind, _image(album, row, outcome, kind)) for kind in kinds]
    stills = [_figure(kind, image) for kind, image in found if image and kind is not pictures.FILM]
    films = [  # closed, so that nothing moves unasked
        element("details", element("summary", kind.title), image, class_="film")
        for kind, image in found
        if image and kind is pictures.FILM
    ]
    if not (drawn or stills or films):
        return None
    return element(
        "section",
        element("h4", f"seed {outcome.trial.seed}", element("span", _told(outcome), class_="hint")),
        element("div", stills, films, class_="stills") if stills or films else None,
        element("div", drawn, class_="curves") if drawn else None,
        class_="seed",
    )


def _image(
    album: Album, row: ReportRow, outcome: TrialOutcome, kind: pictures.Kind
) -> Markup | None:
    of_sampler = kind in (pictures.SAMPLES, pictures.NEAREST)
    directory = outcome.pictures if of_sampler else outcome.directory
    return album.image(directory, kind, _whose(row, outcome))


def _figure(kind: pictures.Kind, image: Markup) -> Markup:
    return element("figure", image, element("figcaption", kind.title, class_="hint"))


def _told(outcome: TrialOutcome) -> str:
    seconds = finite(outcome.result.seconds.get("total"))
    took = "" if seconds is None else f", {_clock(seconds)}"
    return f" {outcome.status}{took}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _whose(row: ReportRow, outcome: TrialOutcome) -> str:
    return f"{row.in_table.label}, seed {outcome.trial.seed}"


def _pictures(count: int) -> str:
    return "1 picture was" if count == 1 else f"{count:,} pictures were"


def _left_out(view: ReportView, cells: Sequence[ReportRow], album: Album) -> list[Markup]:
    said = []
    if len(view.cells) > MOST_CELLS:
        by = f", the best by {view.judged[0].name}" if view.judged else ""
        said.append(f"{len(cells)} of {len(view.cells):,} cells are shown{by}.")
    if album.left_out:
        said.append(
            f"{_pictures(album.left_out)} left out to keep this file small: see the folders below "
            "trials/, beside this file."
        )
    if album.unreadable:
        said.append(f"{_pictures(album.unreadable)} unreadable or too large.")
    return [element("p", " ".join(said), class_="more")] if said else []
