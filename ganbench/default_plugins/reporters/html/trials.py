"""Every cell as a card: what it makes, and below that how each of its seeds went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganbench.default_plugins.reporters.html import curves, pictures
from ganbench.default_plugins.reporters.html.byte_budget import Room
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.html.pictures import Album
from ganbench.default_plugins.reporters.html.rows import Line, Lines, finite, title_of

if TYPE_CHECKING:
    from ganbench import TrialOutcome

MOST_CELLS, MOST_SEEDS, MOST_NUMBERS = 48, 8, 3
CURVES_ROOM = 2_000_000
CARD_BYTES = 8_000  # of a card, its curves and pictures left out
ROWS = (2, 3, 4)  # cards in a row that the style sheet has, so that rows are those of the matrix


def shown(lines: Lines) -> list[Line]:
    """The cells that get a card."""
    return [line for line in lines.first(MOST_CELLS) if any(o.result for o in line.outcomes)]


def section(lines: Lines, most_bytes: int) -> list[Markup]:
    """Curves first, which no file beside the page has like this, then as many pictures as fit."""
    cells = shown(lines)
    chosen = {line.number: _chosen(line) for line in cells}
    curves_room = Room(min(CURVES_ROOM, most_bytes // 2))
    drawn = _drawn([o for line in cells for o in chosen[line.number]], curves_room)
    written = sum(len("".join(made).encode()) for made in drawn.values())
    album = Album(Room(most_bytes - written - CARD_BYTES * len(cells)))
    _fill(album, cells, chosen)
    cards = [_card(lines, line, chosen[line.number], album, drawn) for line in cells]
    cards = [card for card in cards if card]
    if not cards:
        return []
    of_last = len({line.names[-1] for line in cells})
    layout = f"cards by{of_last}" if of_last in ROWS else "cards"
    return [element("div", cards, class_=layout), *_left_out(lines, cells, album)]


def _chosen(line: Line) -> list[TrialOutcome]:
    """The first seeds, those that went well before the others."""
    return sorted(line.outcomes, key=lambda o: o.status != "ok")[:MOST_SEEDS]


def _fill(album: Album, cells: Sequence[Line], chosen: dict[int, list[TrialOutcome]]) -> None:
    """One seed of every cell comes before the second of any, and a still before a film."""
    for place in range(MOST_SEEDS):
        for kind in (pictures.SAMPLES, pictures.NEAREST, pictures.FILM):
            for line in cells:
                if place < len(chosen[line.number]):
                    outcome = chosen[line.number][place]
                    album.image(outcome.directory, kind, _whose(line, outcome))


def _drawn(outcomes: Sequence[TrialOutcome], room: Room) -> dict[str, list[Markup]]:
    """The curves of each trial, as far as there is room."""
    found: dict[str, list[Markup]] = {}
    for outcome in outcomes:
        if room.left > 0:
            made = [curves.picture(c) for c in curves.charts(outcome.directory, outcome.result)]
            if room.takes("".join(made)):
                found[outcome.trial.id] = made
    return found


def _card(
    lines: Lines,
    line: Line,
    outcomes: Sequence[TrialOutcome],
    album: Album,
    drawn: dict[str, list[Markup]],
) -> Markup | None:
    first = outcomes[0]
    face = album.image(first.directory, pictures.SAMPLES, _whose(line, first))
    seeds = [
        _seed(
            line, outcome, album, drawn.get(outcome.trial.id, []), with_samples=outcome is not first
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
        element("h3", title_of(line)),
        element("p", _numbers(lines, line), class_="hint"),
        more,
        class_="card",
        id=line.anchor,
    )


def _numbers(lines: Lines, line: Line) -> list[Markup]:
    """The first of them."""
    columns = [c for c in lines.headlines if line.mean(c) is not None][:MOST_NUMBERS]
    pairs = [
        element("span", f"{lines.table.header(c)} ", element("b", lines.table.text(line.row, c)))
        for c in columns
    ]
    return pairs or [element("span", line.row.status)]


def _seed(
    line: Line, outcome: TrialOutcome, album: Album, drawn: list[Markup], *, with_samples: bool
) -> Markup | None:
    kinds = [pictures.SAMPLES] if with_samples else []
    kinds += [pictures.NEAREST, pictures.FILM] + ([] if drawn else [pictures.CURVES])
    whose = _whose(line, outcome)
    found = [(kind, album.image(outcome.directory, kind, whose)) for kind in kinds]
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


def _figure(kind: pictures.Kind, image: Markup) -> Markup:
    return element("figure", image, element("figcaption", kind.title, class_="hint"))


def _told(outcome: TrialOutcome) -> str:
    seconds = finite((outcome.result.get("seconds") or {}).get("total"))
    took = "" if seconds is None else f", {_clock(seconds)}"
    return f" {outcome.status}{took}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _whose(line: Line, outcome: TrialOutcome) -> str:
    return f"{line.row.label}, seed {outcome.trial.seed}"


def _left_out(lines: Lines, cells: Sequence[Line], album: Album) -> list[Markup]:
    said = []
    if len(lines.cells) > MOST_CELLS:
        by = f", the best by {lines.judged[0].name}" if lines.judged else ""
        said.append(f"{len(cells)} of {len(lines.cells):,} cells are shown{by}.")
    if album.left_out:
        said.append(
            f"{album.left_out:,} pictures were left out to keep this file small; they are in the "
            "folders below trials/, beside this file."
        )
    if album.unreadable:
        said.append(f"{album.unreadable:,} pictures cannot be read or are too large.")
    return [element("p", " ".join(said), class_="more")] if said else []
