"""What is registered is looked up by kind and name, and built from its options."""

from typing import Any

import pytest
from helpers.registering import HERE, Optioned, registering, reporter

from ganbench.errors import ConfigError
from ganbench.registry.catalog import first_sentence
from ganbench.registry.registry import Registry


def test_what_a_module_registers_is_found_by_kind_and_name(plugins: Registry) -> None:
    entry = plugins.lookup("reporter", "optioned")
    assert entry.cls is Optioned
    assert entry.summary == "Has options of every kind."
    assert str(entry.source) == "ganbench-mine 1.2"
    assert plugins.names("reporter") == ["optioned"]
    assert plugins.names("loss") == []


def test_undocumented_class_has_no_summary() -> None:
    plugins = Registry()
    plugins.add(registering(reporter("silent")), HERE)
    assert plugins.lookup("reporter", "silent").summary == ""


def test_unknown_name_gives_the_nearest_and_the_known(plugins: Registry) -> None:
    message = (
        r"^unknown reporter 'optiond'; did you mean 'optioned'\?\n  known: optioned\n"
        r"  could be installed: mlflow \(ganbench-mlflow\), "
    )
    with pytest.raises(ConfigError, match=message):
        plugins.lookup("reporter", "optiond")


def test_build_gives_an_instance_with_its_options(plugins: Registry) -> None:
    made = plugins.build(
        "reporter", "optioned", {"digits": 2, "scale": 3, "limits": [0, 1], "copy": True}
    )
    assert made == Optioned(digits=2, scale=3.0, limits=(0.0, 1.0), copy=True)
    assert made.tags == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "^reporter 'optioned': 'digits' is missing$"),
        ({"digits": "2"}, "digits: expected a whole number, found '2'"),
        ({"digits": True}, "digits: expected a whole number, found true"),
        ({"digits": 2.5}, "digits: expected a whole number, found 2.5"),
        ({"digits": 1, "scale": float("nan")}, "scale: expected a finite number"),
        ({"digits": 1, "style": "fancier"}, r"'plain' or 'fancy', found .*did you mean 'fancy'\?"),
        ({"digits": 1, "limits": [0, 1, 2]}, "limits: expected 2 values or fewer"),
        ({"digits": 1, "either": 1.5}, "either: expected a whole number or text, found 1.5"),
        ({"digits": 1, "tags": [1]}, "tags.0: expected text, found 1"),
        ({"digits": 1, "colour": "red"}, r"no option 'colour'; its options are digits \("),
        ({"digits": 1, "_lines": []}, "no option '_lines'"),
        ({"digits": 1, "scal": 2}, r"no option 'scal'; did you mean 'scale'\? Its options are"),
        ({"digits": -1}, "^reporter 'optioned': digits is negative; count from 0$"),
    ],
)
def test_wrong_options_are_refused(plugins: Registry, options: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        plugins.build("reporter", "optioned", options)


def test_all_wrong_options_are_reported_with_their_places(plugins: Registry) -> None:
    problems = plugins.problems("reporter", "optioned", {"scale": "x", "copy": 1})
    assert {loc for loc, _ in problems} == {("digits",), ("scale",), ("copy",)}


@pytest.mark.parametrize(
    ("documentation", "sentence"),
    [
        ("Weights (Naeem et al.,\n    2020). And more.", "Weights (Naeem et al., 2020)."),
        ("After Mirza et al. (2014), e.g. 2.5. More.", "After Mirza et al. (2014), e.g. 2.5."),
        ("One line without an end\n\nMore.", "One line without an end"),
        ("", ""),
    ],
)
def test_summary_is_the_first_sentence(documentation: str, sentence: str) -> None:
    assert first_sentence(documentation) == sentence
