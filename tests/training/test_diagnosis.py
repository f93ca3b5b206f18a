"""Each trouble is seen for what it is, and none is seen in healthy trainings."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pytest
import torch

from ganbench import Window
from ganbench.training.diagnosis import Evidence, Finding, diagnose, diversity, lines
from ganbench.training.diagnosis.remedies import COLLAPSE, applying

Values = float | Sequence[float]
NORMS = {"d_gradient_norm": 2.0, "g_gradient_norm": 1.0}
EVEN = {"d_real": 0.1, "d_fake": -0.1, "d_real_accuracy": 0.55, "d_fake_accuracy": 0.56}
GOOD = {"modes": 8.0, "high-quality": 0.9}
POOR = {"modes": 8.0, "high-quality": 0.02}


def windows(
    d_terms: Mapping[str, Values] | None = None,
    g_terms: Mapping[str, Values] | None = None,
    *,
    count: int = 16,
    iterations: int = 100,
    **signals: Values,
) -> list[Window]:
    """A training of windows; each value is one for all of them or one for each."""

    def at(i: int, values: Mapping[str, Values]) -> dict[str, float]:
        return {n: v if isinstance(v, float | int) else v[i] for n, v in values.items()}

    d_terms = {"real": 0.6, "fake": 0.6} if d_terms is None else d_terms
    g_terms = {"adversarial": 0.8} if g_terms is None else g_terms
    return [
        Window(
            kimg=float(i + 1),
            iteration=(i + 1) * iterations,
            seconds=1.0,
            images_per_second=1.0,
            g_steps_per_second=1.0,
            d_terms=at(i, d_terms),
            g_terms=at(i, g_terms),
            signals=at(i, signals),
        )
        for i in range(count)
    ]


def growing(first: float, last: float, count: int = 16) -> list[float]:
    """Evenly on a logarithmic scale."""
    return [first * (last / first) ** (i / (count - 1)) for i in range(count)]


def kinds(windows: Sequence[Window] = (), **more: Any) -> list[str]:
    evidence = Evidence(windows=windows, num_modes=8, num_samples=5000, **more)
    return [finding.kind for finding in diagnose(evidence)]


def only(windows: Sequence[Window] = (), **more: Any) -> Finding:
    (found,) = diagnose(Evidence(windows=windows, num_modes=8, num_samples=5000, **more))
    return found


def spread(*parts: float, real: float = 0.6) -> dict[str, Any]:
    """The samples' diversity frame by frame, as parts of the real images'."""
    return {
        "diversity": [(2.0**i, part * real) for i, part in enumerate(parts)],
        "real_diversity": real,
    }


def test_nothing_is_found_in_nothing():
    assert diagnose(Evidence()) == []
    assert lines([]) == ""


HEALTHY = {
    "equilibrium": (windows(**EVEN, **NORMS, g_accuracy=0.45), {"values": GOOD}),
    "equilibrium of unknown quality": (windows(**EVEN, **NORMS, g_accuracy=0.5), {}),
    "strong D": (windows(**{**EVEN, "d_real_accuracy": 0.93, "d_fake_accuracy": 0.96}), {}),
    "perfect D of good samples": (
        windows(d_real_accuracy=1.0, d_fake_accuracy=1.0, g_accuracy=0.0, **NORMS),
        {"values": GOOD},
    ),
    "growing norms": (windows(**EVEN, g_gradient_norm=growing(0.3, 6)), {"values": GOOD}),
    "critic whose distance shrinks": (
        windows({"wasserstein": -0.2}, d_real=growing(5, 0.5), d_fake=0.0, **NORMS),
        {"values": POOR},
    ),
    "critic that drifts": (
        windows(g_terms={"adversarial": growing(0.5, 90)}, d_real=-30.0, d_fake=-30.3, **NORMS),
        {"values": POOR},
    ),
    "penalty that begins high": (windows({"gradient_penalty": growing(9000, 0.1)}), {}),
    "diverse samples": (windows(**EVEN), spread(0.2, 0.5, 0.9, 1.05)),
    "samples that still spread": (windows(**EVEN, g_accuracy=0.4), spread(0.1, 0.2, 0.4)),
    "noise that became images": (windows(**EVEN), spread(1.3, 1.1, 0.9)),
    "modes not found yet": (windows(**EVEN), {"values": {"modes": 3, "high-quality": 0.3}}),
    "old log": (windows(), {"values": GOOD}),
    "short training": (
        windows(iterations=5, d_real_accuracy=1.0, d_fake_accuracy=1.0, g_accuracy=0.0),
        {"values": POOR, **spread(0.3, 0.3)},
    ),
    "metric without a value": (windows(**EVEN), {"values": {"modes": None, "precision@x": None}}),
}  # fmt: skip


@pytest.mark.parametrize(("seen", "more"), HEALTHY.values(), ids=HEALTHY)
def test_healthy_trainings_are_left_alone(seen, more):
    assert kinds(seen, **more) == []


def test_discriminator_that_is_always_right_overpowers():
    seen = windows(
        {"real": growing(0.5, 1e-6), "fake": 0.0},
        d_real_accuracy=1.0,
        d_fake_accuracy=0.995,
        g_accuracy=0.0,
        g_gradient_norm=growing(2, 1e-4),
    )
    found = only(seen, **spread(0.3, 0.4, 0.6))
    assert found.kind == "discriminator-overpowers"
    assert "100.0% of real images and 99.5% of fakes" in found.seen
    assert "its loss went from 0.5 to" in found.seen
    assert "from up to 2 to" in found.seen
    assert found.seen.endswith("vanished")
    assert any("training.d_lr" in remedy for remedy in found.remedies)


def test_one_moment_of_perfection_is_not_enough():
    accuracy = [1.0] * 10 + [0.8] * 6
    assert kinds(windows(d_real_accuracy=accuracy, d_fake_accuracy=accuracy)) == []


def test_discriminator_that_is_fooled_is_overpowered():
    signals = {"d_real_accuracy": 0.6, "d_fake_accuracy": 0.1, "g_accuracy": 0.97}
    found = only(windows(**signals, **NORMS))
    assert found.kind == "generator-overpowers"
    assert found.seen.endswith(
        "97.0% of G's images for real, and was right on 60.0% of real images and 10.0% of fakes"
    )
    assert kinds(windows(**signals, **NORMS), values=POOR) == ["generator-overpowers"]
    assert kinds(windows(**signals, **NORMS), values=GOOD) == []


@pytest.mark.parametrize("column", ["modes", "modes[ring8/pacgan]"])
def test_lost_modes_are_counted(column):
    found = only(windows(**EVEN), values={column: 5.0, "high-quality": 0.9})
    assert (found.kind, found.title) == ("mode-collapse", "the generator loses modes")
    assert found.seen == "samples reach 5 of 8 classes or modes"
    assert found.remedies == applying(COLLAPSE, None)


@pytest.mark.parametrize(("modes", "found", "samples", "lost"), [
    (10, 9.0, 5000, True),
    (10, 10.0, 5000, False),
    (10, 9.0, 99, False),
    (1000, 960.0, 26_000, False),
    (1000, 940.0, 26_000, True),
    (1000, 940.0, 5000, False),
    (0, 0.0, 5000, False),
])  # fmt: skip
def test_modes_missed_by_chance_are_not_lost(modes, found, samples, lost):
    evidence = Evidence(
        windows=windows(**EVEN), values={"modes": found}, num_modes=modes, num_samples=samples
    )
    assert bool(diagnose(evidence)) is lost


def test_samples_that_are_alike_have_collapsed():
    found = only(windows(d_real_accuracy=0.8, d_fake_accuracy=0.9), **spread(0.2, 0.1, 0.05))
    assert (found.kind, found.title) == ("mode-collapse", "the generator's samples hardly differ")
    assert "differ by 0.03 on average, which is 5% of what two real images do (0.6)" in found.seen


def test_samples_whose_diversity_goes_up_and_down_do_not_spread():
    seen = windows(d_real_accuracy=0.8, d_fake_accuracy=0.9)
    assert kinds(seen, **spread(0.12, 0.23, 0.17, 0.13, 0.21)) == ["mode-collapse"]
    assert kinds(seen, **spread(0.74, 0.3, 0.31, 0.32, 0.43)) == []  # noise first, and images now


def test_samples_whose_diversity_fell_have_collapsed():
    found = only(windows(**EVEN), **spread(0.9, 1.3, 0.6))
    assert found.kind == "mode-collapse"
    assert found.seen == "the mean difference of two samples fell from 0.78 to 0.36"


def test_generator_that_gives_one_image_is_not_called_overpowered():
    perfect = {"d_real_accuracy": 1.0, "d_fake_accuracy": 1.0, "g_accuracy": 0.0}
    found = only(windows(**perfect, g_gradient_norm=0.0), **spread(0.0, 0.0))
    assert found.kind == "mode-collapse"
    assert found.seen.endswith("G's gradient was 0 all the time")


def test_diverged_exception_is_a_divergence():
    found = only(failure="the discriminator's term 'real' became nan after 3.1 kimg")
    assert (found.kind, found.seen) == (
        "divergence",
        "the discriminator's term 'real' became nan after 3.1 kimg",
    )


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
def test_value_that_is_not_finite_is_a_divergence(wrong):
    found = only(windows(g_terms={"adversarial": [1.0] * 15 + [wrong]}))
    assert (found.kind, found.seen) == (
        "divergence",
        f"the generator's term 'adversarial' became {wrong}",
    )


@pytest.mark.parametrize(("first", "last", "diverges"), [
    (0.5, 1e6, True), (0.5, 60.0, False), (900.0, 3000.0, False),
])  # fmt: skip
def test_terms_and_norms_that_explode_are_a_divergence(first, last, diverges):
    sizes = [first] * 12 + [last] * 4
    assert (kinds(windows({"real": sizes})) == ["divergence"]) is diverges
    assert (kinds(windows(g_gradient_norm=sizes)) == ["divergence"]) is diverges


@pytest.mark.parametrize("size", [1e9, -1e17])
def test_what_is_enormous_all_the_time_is_a_divergence(size):
    for log in (
        windows({"gradient_penalty": size}),
        windows(g_terms={"adversarial": size}),
        windows(d_real=size, **NORMS),
        windows(d_fake=size, **NORMS),
        windows(g_gradient_norm=abs(size)),
        windows({"gradient_penalty": size}, iterations=5),
    ):
        found = only(log)
        assert found.kind == "divergence"
        assert f"{abs(size):.3g}" in found.seen


def test_what_was_enormous_at_first_and_is_no_more_is_no_divergence():
    assert kinds(windows({"gradient_penalty": growing(1e9, 0.1)})) == []


def test_critic_that_sees_the_distance_grow_diverges():
    seen = windows({"wasserstein": -1.0}, d_real=growing(0.05, 40), d_fake=0.0)
    found = only(seen)
    assert found.kind == "divergence"
    assert "it should shrink" in found.seen


def test_one_spike_is_no_divergence():
    assert kinds(windows({"real": [0.6] * 8 + [1e9] + [0.6] * 7})) == []


def test_coin_of_a_discriminator_is_uninformative_only_where_samples_are_poor():
    found = only(windows(**EVEN, **NORMS), values=POOR)
    assert found.kind == "uninformative-critic"
    assert "55.0% of real images and 56.0% of fakes, little better than a coin" in found.seen
    assert "2.0% of them lie near a mode" in found.seen
    assert kinds(windows(**EVEN, **NORMS), **spread(1.5, 1.5)) == ["uninformative-critic"]
    assert kinds(windows(**EVEN), values={"cond-accuracy": 0.1}) == ["uninformative-critic"]
    assert kinds(windows(**EVEN), values={"precision@pixels": 0.1}) == ["uninformative-critic"]


@pytest.mark.parametrize(
    ("d_real", "d_fake"),
    [
        (growing(5, 1e-3), 0.0),  # no longer
        (-0.2, 0.0),  # the wrong way round
        ([0.001 + 1e-11 * (-1) ** i for i in range(16)], 0.001),  # rounding
    ],
)
def test_critic_that_sees_no_distance_is_uninformative(d_real, d_fake):
    seen = windows({"wasserstein": 0.0}, d_real=d_real, d_fake=d_fake)
    assert kinds(seen, values=POOR) == ["uninformative-critic"]
    assert kinds(seen, values=GOOD) == []


def test_a_critic_the_wrong_way_round_is_lower_and_never_minus_something_higher():
    found = only(windows({"wasserstein": 0.0}, d_real=-0.84, d_fake=0.0), values=POOR)
    assert "the critic's output was 0.84 lower on real images than on fakes" in found.seen


# Short trainings


def short(**signals):
    return windows(iterations=20, **signals)  # 320 of them


def test_one_image_is_named_after_any_number_of_iterations():
    for iterations in (1, 20, 100):
        seen = windows(iterations=iterations, d_real_accuracy=0.8, d_fake_accuracy=0.8)
        assert kinds(seen, **spread(0.05, 0.04, 0.03)) == ["mode-collapse"]
    assert kinds(short(), **spread(0.01, 0.04, 0.09)) == []  # they still spread
    assert kinds(short(), **spread(0.2, 0.2)) == []  # too early to say


def test_one_image_before_a_d_that_is_always_right_is_told_with_remedies_for_that():
    found = only(short(d_real_accuracy=1.0, d_fake_accuracy=1.0), **spread(0.01, 0.01))
    assert found.kind == "mode-collapse"
    assert "D was right on 100.0% of real images and 100.0% of fakes" in found.seen
    assert any("lower training.d_lr" in remedy for remedy in found.remedies)
    assert not any("higher training.d_lr" in remedy for remedy in found.remedies)


def test_a_d_that_is_always_right_is_named_in_a_short_training_too():
    always = {"d_real_accuracy": 1.0, "d_fake_accuracy": 1.0}
    assert kinds(short(**always)) == ["discriminator-overpowers"]
    assert kinds(short(**always), **spread(0.3, 0.4)) == ["discriminator-overpowers"]
    for accuracy in ([1.0] * 8 + [0.98] * 8, [0.9] * 8 + [1.0] * 8):
        assert kinds(short(d_real_accuracy=accuracy, d_fake_accuracy=1.0)) == []
    assert kinds(windows(iterations=5, **always)) == []  # D is ahead at first


def test_data_of_one_image_is_named():
    found = only(windows(**EVEN), diversity=[(1.0, 0.0)], real_diversity=0.0)
    assert found.kind == "constant-data"
    assert "differ by 0 on average" in found.seen


def test_finding_goes_into_json_and_into_the_log():
    found = only(windows(**EVEN), values={"modes": 5.0, "high-quality": 0.9})
    assert json.loads(json.dumps(asdict(found), allow_nan=False))["kind"] == "mode-collapse"
    first, second = lines([found]).splitlines()
    assert first == ("diagnosis: the generator loses modes: samples reach 5 of 8 classes or modes")
    assert second.startswith("  try: lower training.g_lr")


def test_diversity_is_the_mean_distance_of_pairs():
    flat = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    assert diversity(flat) == pytest.approx(2.0)
    points = torch.tensor([[0.0, 0.0], [0.6, 0.8], [0.0, 0.0]])
    assert diversity(points) == pytest.approx((2 * math.sqrt(0.5) + 0) / 3)
    assert diversity(flat[:1].repeat(5, 1, 1, 1)) == 0
    assert math.isnan(diversity(flat[:1]))


def test_diversity_within_labels_ignores_the_difference_between_them():
    images = torch.tensor([0, 0, 255, 255, 80], dtype=torch.uint8).view(5, 1, 1, 1)
    assert diversity(images, torch.tensor([0, 0, 1, 1, 2])) == 0
    assert diversity(images, torch.tensor([0, 1, 1, 0, 2])) == pytest.approx(2.0)
    assert math.isnan(diversity(images, torch.arange(5)))


def test_diversity_of_many_is_that_of_some_spread_over_all():
    images = torch.linspace(-1, 1, 5000).view(-1, 1, 1, 1)
    assert diversity(images) == pytest.approx(2 / 3, abs=0.02)
