"""Pieces of a page. Nothing that a run says is markup: text is escaped where it becomes HTML."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files as resources

from markupsafe import Markup, escape

from ganbench.records.cells import slug
from ganbench.util.terminal import terminal_text

STYLE = "site.css"
MOST_TEXT = 600  # characters of one text of a run


def text(found: object) -> Markup:
    """Return text that is taken for nothing else, cut where it is too long for a page."""
    plain = terminal_text(str(found).encode("utf-8", "replace").decode("utf-8"))
    return escape(plain if len(plain) <= MOST_TEXT else f"{plain[:MOST_TEXT]}…")


def joined(parts: Iterable[Markup]) -> Markup:
    """Return pieces as one."""
    return Markup("").join(parts)


def link(title: object, to: str) -> Markup:
    """Return a link within the site."""
    return Markup('<a href="{}">{}</a>').format(to, text(title))


def listed(items: Iterable[Markup | str]) -> Markup:
    """Return an unordered list, or nothing of nothing."""
    found = [Markup("<li>{}</li>").format(i if isinstance(i, Markup) else text(i)) for i in items]
    return Markup("<ul>{}</ul>").format(joined(found)) if found else Markup("")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Markup | str]]) -> Markup:
    """Return a table that a narrow page scrolls, by keyboard too; first cells are heads."""
    head = joined(Markup('<th scope="col">{}</th>').format(text(one)) for one in heads)
    body = joined(map(_row, rows))
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{0}"><table><caption>{0}'
        "</caption><thead><tr>{1}</tr></thead><tbody>{2}</tbody></table></div>"
    ).format(text(caption), head, body)


def listing(title: str, found: str) -> Markup:
    """Return a file's text, line for line, whole."""
    lines = (terminal_text(line.expandtabs(4)) for line in found.splitlines())
    return Markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><pre>{}</pre></div>'
    ).format(text(title), escape("\n".join(lines)))


def _row(cells: Sequence[Markup | str]) -> Markup:
    first, *others = (one if isinstance(one, Markup) else text(one) for one in cells)
    rest = joined(Markup("<td>{}</td>").format(one) for one in others)
    return Markup('<tr><th scope="row">{}</th>{}</tr>').format(first, rest)


def section(title: str, *content: Markup) -> Markup:
    """Return a part of a page with its heading; nothing of nothing."""
    inner = joined(content)
    return Markup("<section><h2>{}</h2>{}</section>").format(text(title), inner) if inner else inner


def page(title: str, about: str, content: Iterable[Markup], up: str = "") -> str:
    """Return a whole page; `up` leads to the site's folder."""
    style = css()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    policy = f"default-src 'none'; img-src 'self'; style-src 'sha256-{digest}'; base-uri 'none'"
    home = link("All boards", f"{up}index.html") if up else Markup("")
    found = Markup(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="generator" '
        'content="ganbench"><title>{title}</title><style>{style}</style></head><body>'
        "<header><p>{home}</p><h1>{title}</h1><p>{about}</p></header><main>{content}</main>"
        "</body></html>\n"
    ).format(
        policy=policy,
        title=text(title),
        style=Markup(style),
        home=home,
        about=text(about),
        content=joined(content),
    )
    return str(found)


@cache
def css() -> str:
    """Return the style that every page has in it."""
    return resources("ganbench.reports.site").joinpath(STYLE).read_text("utf-8")


def file_name(name: str, taken: set[str], ending: str) -> str:
    """Return a file's name of a text, another for each, whatever the text is."""
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    found = re.sub(r"\.+", ".", slug(name)[:60]).strip(".") or "x"
    while f"{found}-{digest}{ending}" in taken:
        digest = hashlib.sha256(digest.encode()).hexdigest()[:8]
    taken.add(f"{found}-{digest}{ending}")
    return f"{found}-{digest}{ending}"
