"""Finding a plugin's checks and running them, with pytest or without."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ganbench.errors import ContractError, place
from ganbench.registry.kinds import KINDS, Kind
from ganbench.testing.rulebook import Rule
from ganbench.testing.rules import declarations
from ganbench.util.process_settings import put_back

if TYPE_CHECKING:
    import pytest

_NOT_THE_PLUGIN = (Path(torch.__file__).parent, Path(__file__).parent)


@dataclass(frozen=True)
class Check:
    """One rule, applied to one plugin. Call it; it raises one sentence that says what to change."""

    kind: str
    plugin: str
    name: str
    run: Callable[[], None]
    breaks: str | None = None  # why the plugin breaks this rule by its nature, as it declares

    def __call__(self) -> None:
        """Raise AssertionError or ContractError with the sentence where the rule is broken."""
        with put_back(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            try:
                self.run()
            except (AssertionError, ContractError) as broken:
                raise type(broken)(f"{self.kind} '{self.plugin}': {broken}") from broken
            except Exception as error:
                raise AssertionError(
                    f"{self.kind} '{self.plugin}' raised {type(error).__name__} in "
                    f"'{self.name}': {error}{place(error, outside=_NOT_THE_PLUGIN)}"
                ) from error

    def __repr__(self) -> str:
        return f"<{self.kind} {self.plugin}: {self.name}>"


@dataclass(frozen=True)
class Result:
    """What one check said of one plugin."""

    plugin: str
    check: str
    message: str | None = None  # None: it passed
    breaks: str | None = None  # why it breaks the rule by its nature, as it declares, and does

    @property
    def passed(self) -> bool:
        """Whether the plugin keeps the rule, or breaks it as it declares."""
        return self.message is None


def checks_for(plugin: Any) -> list[Check]:
    """Return every check of the plugin's kind.

    `plugin` is a class, or an instance with small options. Raises TypeError where it is no plugin.
    A class may declare `breaks`: the names of the rules that it breaks by its nature, and why.
    """
    cls = plugin if isinstance(plugin, type) else type(plugin)
    kind = _kind(cls)
    rules: dict[str, Rule] = import_module(kind.rules).rules(cls)
    name = str(getattr(cls, "name", cls.__name__))
    breaks = getattr(cls, "breaks", {})
    found = [
        Check(kind.word, name, rule_name, lambda rule=rule: rule(cls))  # type: ignore[misc]
        for rule_name, rule in declarations.rules(cls).items()
    ]
    known = partial(_breaks_names_rules, cls, [*rules])
    found.append(Check(kind.word, name, "breaks_names_rules", known))
    for rule_name, rule in rules.items():
        run = partial(_on_fresh, rule, plugin)
        found.append(Check(kind.word, name, rule_name, run, breaks.get(rule_name)))
    return found


def check_plugin(plugin: Any) -> list[Result]:
    """Run every check, without pytest."""
    return [_result(check) for check in checks_for(plugin)]


def parametrize_with_checks(
    *plugins: Any, expected_failures: dict[str, str] | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test's argument `check`: one test per plugin and check.

    `expected_failures` maps the name of a check to the reason why these plugins break it, beside
    what they declare in `breaks` themselves; such a check must fail. Raises ValueError where it
    names no check of theirs.
    """
    import pytest

    expected = expected_failures or {}
    checks = [check for plugin in plugins for check in checks_for(plugin)]
    names = {check.name for check in checks}
    unknown = expected.keys() - names
    if unknown:
        raise ValueError(f"expected_failures names no check of these plugins: {sorted(unknown)}")
    broken = (AssertionError, ContractError)

    def marks(check: Check) -> Iterator[pytest.MarkDecorator]:
        if reason := expected.get(check.name, check.breaks):
            yield pytest.mark.xfail(reason=reason, strict=True, raises=broken)

    cases = [pytest.param(c, id=f"{c.plugin}-{c.name}", marks=list(marks(c))) for c in checks]
    return pytest.mark.parametrize("check", cases)


def _kind(cls: type) -> Kind:
    for kind in KINDS.values():
        if issubclass(cls, kind.contract_class()):
            return kind
    known = ", ".join(kind.contract for kind in KINDS.values())
    raise TypeError(f"{cls.__name__} is no plugin; plugins are subclasses of one of: {known}")


def _fresh(plugin: Any) -> Any:
    if not isinstance(plugin, type):
        return copy.deepcopy(plugin)
    try:
        return plugin()
    except TypeError as error:
        raise AssertionError(
            f"it cannot be made without options ({error}); give every field a default, or pass an "
            "instance to the kit"
        ) from error


def _breaks_names_rules(cls: type, known: Sequence[str]) -> None:
    """Assert that what a class declares to break are rules of its kind, each with a reason."""
    breaks = getattr(cls, "breaks", {})
    assert isinstance(breaks, Mapping), (
        f"`breaks` is a {type(breaks).__name__}; give a dict of rules' names and reasons"
    )
    unknown = sorted(set(breaks) - set(known))
    assert not unknown, f"`breaks` names {unknown}; rules of its kind are {', '.join(known)}"
    for name, reason in breaks.items():
        in_words = isinstance(reason, str) and len(reason.split()) > 2
        assert in_words, (
            f"`breaks` gives {reason!r} for '{name}'; say in words why it breaks it by its nature"
        )


def _on_fresh(rule: Rule, plugin: Any) -> None:
    rule(_fresh(plugin))


def _result(check: Check) -> Result:
    try:
        check()
    except (AssertionError, ContractError) as broken:
        if check.breaks:
            return Result(check.plugin, check.name, breaks=check.breaks)
        return Result(check.plugin, check.name, str(broken))
    if check.breaks:
        return Result(
            check.plugin,
            check.name,
            f"{check.kind} '{check.plugin}': it declares in `breaks` that it breaks this rule, and "
            "it keeps it; take it out there",
        )
    return Result(check.plugin, check.name)
