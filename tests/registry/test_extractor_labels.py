"""An extractor with its options in one word."""

from __future__ import annotations

import pytest

from ganbench.registry import extractor_labels


@pytest.mark.parametrize(
    ("label", "name", "options"),
    [
        ("pixels", "pixels", {}),
        ("random-conv(seed=3)", "random-conv", {"seed": 3}),
        ("x(a=0.5,b=true,c=word,d=null)", "x", {"a": 0.5, "b": True, "c": "word", "d": None}),
        (" x( a = 1 , b = 2 ) ", "x", {"a": 1, "b": 2}),
    ],
)
def test_label_is_a_name_and_options(label, name, options):
    assert extractor_labels.parse(label) == (name, options)
    assert extractor_labels.parse(extractor_labels.compose(name, options)) == (name, options)


def test_order_of_options_does_not_matter():
    assert extractor_labels.canonical("x(b=2, a=1)") == extractor_labels.canonical("x(a=1,b=2)")


@pytest.mark.parametrize("label", ["", "x(", "x)", "x(a=1)b", "x(a)", "a@b"])
def test_what_is_no_label_is_a_sentence(label):
    with pytest.raises(ValueError, match="expected"):
        extractor_labels.parse(label)


@pytest.mark.parametrize("value", [[1], {"a": 1}, "a,b", "a(b", "a=b", "a@b"])
def test_value_that_would_break_a_column_name_is_refused(value):
    with pytest.raises(ValueError, match="becomes part of a column's name"):
        extractor_labels.compose("x", {"option": value})
