"""The phrases of which error messages are made."""

from __future__ import annotations

import pytest

from ganbench.util import messages


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 cells"), (1, "1 cell"), (2, "2 cells"), (12_345, "12,345 cells")]
)
def test_counts_have_their_noun(count, text):
    assert messages.counted(count, "cell") == text


def test_nouns_have_their_article():
    assert [messages.an(noun) for noun in ("loss", "executor")] == ["a loss", "an executor"]


def test_nearest_name_is_suggested_whatever_its_case():
    assert messages.suggestion("WGANGP", ["bce", "wgan-gp"]) == "; did you mean 'wgan-gp'?"
    assert messages.suggestion("nothing like it", ["bce", "wgan-gp"]) == ""
    assert messages.suggestion(3, []) == ""


def test_of_equally_near_names_the_first_is_suggested():
    for names in (["wgan-gp", "wgan-lp"], ["wgan-lp", "wgan-gp"]):
        assert messages.suggestion("wgan-pg", names) == f"; did you mean '{names[0]}'?"


def test_what_was_possible_is_listed():
    assert messages.known(["a", "b"]) == "\n  known: a, b"
    assert messages.known([]) == "\n  known: none"
    assert messages.quoted(["a", "b"]) == "'a', 'b'"


def test_long_values_are_cut():
    assert messages.brief("x" * 60) == "x" * 60
    assert messages.brief("x" * 61) == "x" * 57 + "..."
    assert messages.brief({"a": [1, None]}) == '{"a": [1, null]}'


def test_text_is_shown_in_quotes_and_numbers_are_not():
    assert (messages.shown("1"), messages.shown(1)) == ("'1'", "1")


def test_unknown_key_says_where_what_was_meant_and_what_there_is():
    assert messages.unknown_key("kimgs", ["kimg", "steps"], ("training", "budget")) == (
        "unknown key 'kimgs' in 'training.budget'; did you mean 'kimg'?\n  known: kimg, steps"
    )
    assert messages.unknown_key("zzz", ["kimg"]) == "unknown key 'zzz'\n  known: kimg"
