"""What is an order to a terminal, and what is text."""

from __future__ import annotations

import json

import pytest

from ganbench.util.terminal import one_line, terminal_text

ORDERS = ["\x00", "\x07", "\x1b[2J", "\r", "\x9b", "\u202e", "\u2067", "\u200f", "\ud800"]
UNSEEN = ["\u00ad", "\u180e", "\u200b", "\u2060", "\u2063", "\ufeff"]
PLAIN = ["", "plain", "Ünïcödé", "日本", "שלום", "👩\u200d🔬", "می\u200cخواهم", "a\tb\nc"]


@pytest.mark.parametrize("text", [*ORDERS, *UNSEEN], ids=ascii)
def test_what_moves_reorders_or_hides_is_shown_by_its_number(text):
    shown = terminal_text(f"a{text}b")
    assert shown == f"a\\u{ord(text[0]):04x}{text[1:]}b"
    assert json.loads(f'"{shown}"') == f"a{text}b"


@pytest.mark.parametrize("text", PLAIN, ids=ascii)
def test_text_of_any_language_stays(text):
    assert terminal_text(text) == text


def test_one_line_has_neither_line_breaks_nor_tabs():
    assert one_line("a\tb\nc\x1b日") == "a\\u0009b\\u000ac\\u001b日"
    assert one_line("plain") == "plain"
