"""What every optimiser must do."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from ganbench.contracts.optimizers import Optimizer
from ganbench.models.optimizers import built
from ganbench.records.training_settings import PlayerSettings
from ganbench.testing.rulebook import Rulebook

SETTINGS = PlayerSettings(lr=0.01, betas=(0.5, 0.9))
OTHERS = {"lr": 0.03, "betas": (0.2, 0.7), "weight_decay": 0.3, "momentum": 0.4, "eps": 0.2}
CURVATURES = (0.5, 1.0, 2.0)
LOWEST = 1.0  # where all weights are to go; at 0, decay and gradients would point the same way
STEPS = 8
rules = Rulebook()


class Descent:
    """Weights on a bowl of three curvatures, and an optimiser that follows their gradients.

    These are noisy unless said otherwise, as some methods go by nothing but their signs.
    """

    def __init__(
        self, plugin: Optimizer, settings: PlayerSettings | None = None, *, noise: float = 1.0
    ) -> None:
        self.noise, self.drawn = noise, torch.Generator().manual_seed(0)
        shapes = ((4,), (2, 3), (5,))
        self.weights = [nn.Parameter(self._draw(shape)) for shape in shapes]
        self.plugin, self.torch = plugin, built(plugin, self.weights, settings or _told(plugin))
        self.trained = list(self.weights)  # those that get gradients

    def go(self, steps: int) -> Descent:
        """Update the weights so many times."""
        for _ in range(steps):
            if self.plugin.extrapolates:
                self._differentiate()
                self.torch.extrapolate()  # type: ignore[attr-defined]
            self._differentiate()
            self.torch.step()
        return self

    def now(self) -> list[torch.Tensor]:
        """Return the weights as they are."""
        return [weight.detach().clone() for weight in self.weights]

    @property
    def height(self) -> float:
        """Return how high on the bowl the weights are."""
        pairs = zip(self.weights, CURVATURES, strict=True)
        return float(sum(c * (w.detach() - LOWEST).square().sum() for w, c in pairs))

    def _differentiate(self) -> None:
        self.torch.zero_grad(set_to_none=True)
        for weight, curvature in zip(self.weights, CURVATURES, strict=True):
            if any(weight is one for one in self.trained):
                slope = curvature * (weight.detach() - LOWEST)
                weight.grad = slope + self.noise * self._draw(tuple(weight.shape))

    def _draw(self, shape: tuple[int, ...]) -> torch.Tensor:
        return torch.randn(shape, generator=self.drawn)


def _same(a: Descent, b: Descent) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a.now(), b.now(), strict=True))


@rules.rule
def is_built_as_promised(optimizer: Optimizer) -> None:
    descent = Descent(optimizer)
    (group,) = descent.torch.param_groups
    assert {id(weight) for weight in group["params"]} == {id(w) for w in descent.weights}, (
        "its parameter group does not hold all the weights that it is given; hand them on to "
        "torch.optim.Optimizer"
    )
    assert group.get("lr") == SETTINGS.lr, (
        f"its parameter group has lr {group.get('lr')!r}, and it was told {SETTINGS.lr}; keep the "
        "rate there, where the trainer changes it"
    )


@rules.rule
def descends_a_quadratic(optimizer: Optimizer) -> None:
    descent = Descent(optimizer, noise=0.0)
    before = descent.height
    descent.go(150)
    assert descent.height < 0.5 * before, (
        f"in 150 steps down a bowl the height went from {before:.3g} to {descent.height:.3g}; "
        "gradients point upwards: subtract them"
    )


@rules.rule
def weights_without_gradients_stay(optimizer: Optimizer) -> None:
    descent = Descent(optimizer)
    idle = descent.trained.pop(1)
    before = idle.detach().clone()
    try:
        descent.go(STEPS)
    except (TypeError, AttributeError) as error:
        raise AssertionError(
            f"a weight whose grad is None makes step() raise {type(error).__name__} ({error}); "
            "leave such weights out"
        ) from error
    assert torch.equal(idle.detach(), before), (
        "a weight whose grad is None was changed; leave such weights as they are"
    )


@rules.rule
def goes_on_from_its_state_dict(optimizer: Optimizer) -> None:
    """As a checkpoint keeps it: in a file of tensors and plain values."""
    whole, file = Descent(optimizer).go(STEPS), io.BytesIO()
    torch.save(whole.torch.state_dict(), file)
    file.seek(0)
    try:
        kept = torch.load(file, weights_only=True)
    except Exception as error:
        raise AssertionError(
            f"its state_dict() holds more than tensors and plain values ({error}), so that no "
            "checkpoint can be read back"
        ) from error
    other = Descent(optimizer)
    with torch.no_grad():
        for weight, value in zip(other.weights, whole.now(), strict=True):
            weight.copy_(value)
    other.torch.load_state_dict(kept)
    other.drawn.set_state(whole.drawn.get_state())
    assert _same(whole.go(STEPS), other.go(STEPS)), (
        "after load_state_dict(state_dict()) it goes on otherwise than it would have; keep all "
        "that decides a step in `self.state` and the parameter group"
    )


@rules.rule
def rate_is_read_at_each_step(optimizer: Optimizer) -> None:
    _assert_read_from_group(optimizer, "lr")


@rules.rule_where(lambda cls: bool(getattr(cls, "uses_betas", True)))
def betas_are_read_at_each_step(optimizer: Optimizer) -> None:
    _assert_takes_effect(optimizer, "betas", "say `uses_betas = False`, or hand them on")
    _assert_read_from_group(optimizer, "betas")


@rules.rule_for_each(lambda cls: tuple(getattr(cls, "defaults", ())))
def numbers_that_it_names_take_effect(name: str, optimizer: Optimizer) -> None:
    assert name in ("weight_decay", "momentum", "eps"), (
        f"its `defaults` name '{name}', which no benchmark file can say of a player; it has "
        "weight_decay, momentum and eps, and what else it needs is an option"
    )
    _assert_takes_effect(optimizer, name, f"hand `settings.{name}` on, or leave it out there")
    if name == "weight_decay":
        _assert_read_from_group(optimizer, name)


@rules.rule
def two_of_one_plugin_are_apart(optimizer: Optimizer) -> None:
    alone = Descent(optimizer).go(STEPS)
    first, second = Descent(optimizer), Descent(optimizer)
    for _ in range(STEPS):
        first.go(1)
        second.go(1)
    assert _same(alone, first), (
        "one plugin built two optimisers, and what one does changes the other; keep their state "
        "in themselves"
    )
    assert _same(alone, second), "the second optimiser that a plugin builds goes another way"


@rules.rule_where(lambda cls: bool(getattr(cls, "extrapolates", False)))
def settles_where_players_turn_around_each_other(optimizer: Optimizer) -> None:
    """On the game x · y, gradient steps of both players at once lead outwards."""
    x, y = (nn.Parameter(torch.tensor([value])) for value in (1.0, 0.5))
    told = _told(optimizer, momentum=0.0, betas=(0.0, 0.9), lr=0.05)
    players = [built(optimizer, [weight], told) for weight in (x, y)]
    distance = float(x.detach().square() + y.detach().square())
    for _ in range(400):
        for move in ("extrapolate", "step"):
            x.grad, y.grad = y.detach().clone(), -x.detach()
            for player in players:
                getattr(player, move)()
    found = float(x.detach().square() + y.detach().square())
    assert found < 0.5 * distance, (
        f"in the game x · y the squared distance from its solution went from {distance:.3g} to "
        f"{found:.3g} in 400 updates; `step()` must start from where `extrapolate()` began"
    )


def _told(optimizer: Optimizer, **changes: Any) -> PlayerSettings:
    known: dict[str, Any] = {**optimizer.defaults, **changes}
    return replace(SETTINGS, **known)


def _assert_takes_effect(optimizer: Optimizer, name: str, advice: str) -> None:
    told = _told(optimizer)
    plain = Descent(optimizer, told).go(STEPS)
    other = Descent(optimizer, _told(optimizer, **{name: OTHERS[name]})).go(STEPS)
    assert not _same(plain, other), (
        f"{name} {getattr(told, name)} and {OTHERS[name]} lead to the same weights; {advice}"
    )


def _assert_read_from_group(optimizer: Optimizer, name: str) -> None:
    """What is changed before the first step counts as if it had been told, and later at once."""
    otherwise = Descent(optimizer, _told(optimizer, **{name: OTHERS[name]}))
    changed = Descent(optimizer)
    changed.torch.param_groups[0][name] = OTHERS[name]
    advice = f'read group["{name}"] anew at each step'
    assert _same(otherwise.go(STEPS), changed.go(STEPS)), (
        f"{name} that is changed in the parameter group does not count as if it had been told at "
        f"first; {advice}"
    )
    kept, later = Descent(optimizer).go(STEPS), Descent(optimizer).go(STEPS)
    later.torch.param_groups[0][name] = OTHERS[name]
    assert not _same(kept.go(2), later.go(2)), (
        f"{name} that is changed in the parameter group after {STEPS} steps has no effect; {advice}"
    )
