"""How the kit behaves: what it finds, says and leaves alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from helpers import mutants
from test_mutants_loss_penalties import UndeclaredReal
from test_mutants_losses import SwappedGenerator, TermPerSample

from ganbench import ContractError
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.testing import check_plugin, checks_for, parametrize_with_checks


class Undeclared(BCE):
    name = "Not Kebab"


def test_declarations_are_checked():
    failed = mutants.failures(Undeclared)
    assert "lower case with hyphens" in failed["name_is_kebab_case"]
    assert "docstring" in failed["is_a_documented_dataclass"]


@dataclass(kw_only=True)
class HoldsATensor(BCE):
    """An option that no YAML file can give."""

    name = "holds-a-tensor"
    weight: torch.Tensor = field(default_factory=lambda: torch.ones(()))


def test_options_must_be_options():
    failed = mutants.failures(HoldsATensor)
    assert set(failed) == {"options_can_stand_in_yaml"}
    assert "field(init=False)" in failed["options_can_stand_in_yaml"]


@dataclass(kw_only=True)
class Demanding(BCE):
    """An option without a default."""

    name = "demanding"
    weight: float


def test_option_without_default_is_explained():
    message = next(r.message for r in check_plugin(Demanding) if r.check.startswith("terms"))
    assert "give every field a default, or pass an instance" in message


def test_instance_stands_in_for_its_class():
    results = check_plugin(Demanding(weight=1.0))
    assert len(results) == len(check_plugin(BCE))
    assert all(result.passed for result in results)


def test_message_names_plugin_and_remedy():
    check = next(c for c in checks_for(TermPerSample) if c.name == "terms_are_finite_scalars")
    with pytest.raises(
        AssertionError, match=r"loss 'term-per-sample': .* shape \(4,\).*\.mean\(\)"
    ):
        check()


class Misspelt(BCE):
    name = "misspelt"

    def generator_loss(self, step):
        return {"adversarial": torch.meen(step.fake.logits)}


class WrongShapes(BCE):
    name = "wrong-shapes"

    def generator_loss(self, step):
        return {"adversarial": torch.nn.functional.linear(step.fake.logits, torch.ones(3, 7))}


@pytest.mark.parametrize("loss", [Misspelt, WrongShapes])
def test_exception_is_told_with_the_plugins_own_line(loss):
    line = loss.generator_loss.__code__.co_firstlineno + 1
    message = mutants.failures(loss)["terms_are_finite_scalars"]
    assert message.endswith(f", at {__file__}:{line}")


def test_undeclared_input_gradient_is_a_contract_error():
    name = "declared_input_gradients_are_the_ones_used"
    check = next(c for c in checks_for(UndeclaredReal) if c.name == name)
    with pytest.raises(ContractError, match="loss 'undeclared-real': input_gradient was read"):
        check()


def test_checks_leave_the_random_state_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    check_plugin(WGANGP)
    assert torch.equal(torch.rand(1), expected)


def test_other_classes_have_no_checks():
    with pytest.raises(TypeError, match="int is no plugin"):
        checks_for(int)


def test_expected_failure_must_name_a_check():
    with pytest.raises(ValueError, match="no_such_check"):
        parametrize_with_checks(BCE, expected_failures={"no_such_check": "because"})


def test_expected_failure_is_strict():
    mark = parametrize_with_checks(
        SwappedGenerator, expected_failures={"generator_raises_fake_logits": "on purpose"}
    )
    marked = {case.id: case.marks for case in mark.args[1] if case.marks}
    ((xfail,),) = marked.values()
    assert list(marked) == ["swapped-generator-generator_raises_fake_logits"]
    assert xfail.name == "xfail"
    assert xfail.kwargs["strict"] is True
    assert xfail.kwargs["reason"] == "on purpose"


@parametrize_with_checks(
    SwappedGenerator, expected_failures={"generator_raises_fake_logits": "on purpose"}
)
def test_expected_failure_is_tolerated(check):
    check()
