"""Wrong plugins, and the checks that must catch them.

A mutant names in `caught_by` the checks that say what is wrong with it, and in `also` those that
stumble over it too; nothing else fails. Where the trainer itself refuses it, most checks do.
"""

from __future__ import annotations

from typing import Any

import pytest

from ganbench.testing import check_plugin, checks_for

MOST = None  # in `also`


def parametrize(*mutants: type) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("mutant", mutants, ids=lambda mutant: mutant.name)


def failures(plugin: Any) -> dict[str, str]:
    """What each check says that a plugin breaks."""
    return {r.check: r.message for r in check_plugin(plugin) if r.message is not None}


def assert_caught(mutant: type) -> None:
    """By the checks it names, each with a sentence of its own, and by no others."""
    failed = failures(mutant)
    assert mutant.caught_by <= set(failed)
    also = getattr(mutant, "also", set())
    assert also is MOST or set(failed) - mutant.caught_by == also
    for check in mutant.caught_by:
        assert f"in '{check}':" not in failed[check]  # what the kit says where a plugin crashes
        assert len(failed[check].split()) > 7
    assert (
        len(failed) < len(checks_for(mutant)) - 3
    )  # it runs, and something but its declarations is right
