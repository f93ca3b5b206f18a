"""Elements of a page. Text is no markup before it is escaped: markupsafe sees to that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache

import markupsafe
from markupsafe import Markup

# Which no page may hold, or which put what is read in another order.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
_VOID = {"img", "input", "link", "meta", "wbr"}
_NUMBER = re.compile(r"([≥≤<>]|\d) (?=\d|%)")  # which belongs with the sign before or after it
LONGEST_WORD = 24  # characters; longer ones may break anywhere

Content = str | None | Iterable["Content"]


def escaped(text: str) -> Markup:
    """Return text that is taken for nothing else, of characters that a page may hold."""
    if isinstance(text, Markup):
        return text
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates
    return markupsafe.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def joined(content: Content) -> Markup:
    """Return content as one piece of markup; None is nothing."""
    if content is None:
        return Markup()
    if isinstance(content, str):
        return escaped(content)
    return Markup("".join([x if isinstance(x, Markup) else joined(x) for x in content]))


def prose(text: str) -> list[Content]:
    """Return text in which what stands between backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one has no partner
        return [text]
    return [element("code", part) if place % 2 else part for place, part in enumerate(parts)]


def unbroken(text: str) -> list[Content]:
    """Return text whose short words are kept whole; a line may end at blanks and before an @."""
    found: list[Content] = []
    for part in re.split(r"(\s+|(?=@))", _NUMBER.sub("\\1\N{NO-BREAK SPACE}", text)):
        if part == "":
            found.append(element("wbr"))
        else:
            is_word = not part.isspace() and len(part) <= LONGEST_WORD
            found.append(element("span", part, class_="word") if is_word else part)
    return found


def listing(content: Content, label: str) -> Markup:
    """Return lines that keep their shape, called by the label, which a keyboard scrolls too."""
    return element("pre", content, tabindex=0, role="region", aria_label=label)


def element(tag: str, *content: Content, **attributes: object) -> Markup:
    """Return an element.

    `class_` is written class, `aria_label` aria-label; None and False leave an attribute out.
    """
    given = "".join([_attribute(k, v) for k, v in attributes.items() if v is not None])
    end = "" if tag in _VOID else f"</{tag}>"
    return Markup(f"<{tag}{given}>{joined(content)}{end}")


def _attribute(name: str, value: object) -> str:
    if isinstance(value, bool):
        return f" {_in_html(name)}" if value else ""
    return f' {_in_html(name)}="{escaped(str(value))}"'


@cache
def _in_html(name: str) -> str:
    special = {"view_box": "viewBox", "preserve": "preserveAspectRatio"}
    return special.get(name, name.rstrip("_").replace("_", "-"))
