"""Iterations that are captured and replayed are those of Python; else the reason is kept.

No GPU is needed: operations of the CPU are noted and done again, as a graph's are.
"""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from helpers import recorded_graph, tiny
from helpers.recorded_graph import RecordedGraph
from helpers.tiny_trainer import data_of, same, trainer_of
from torch import Tensor

from ganbench import Loss, Schedule, load_run
from ganbench.default_plugins.constraints import GradientPenalty
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.models.parts import ScheduledOption
from ganbench.training import graphs
from ganbench.training.phases import unobserved
from ganbench.training.state import TrainerState
from ganbench.training.trainer import Trainer

LONG = {"kimg": 0.2, "log_every": 40, "data": data_of(80)}  # 25 iterations, ten of them an epoch


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[RecordedGraph]:
    """All graphs that the test makes, on the CPU."""
    monkeypatch.setitem(graphs.KINDS, "cpu", recorded_graph.KIND)
    monkeypatch.setattr(RecordedGraph, "made", [])
    return RecordedGraph.made


def everything(trainer: Trainer) -> list[Tensor]:
    nets = (trainer.generator, trainer.discriminator, trainer.judged_generator)
    return [value for net in nets for value in net.state_dict().values()]


def both(*losses: Loss, **how: object) -> tuple[Trainer, Trainer]:
    """A training whose iterations are captured, and the same without; both have ended."""
    trained = []
    for more in ({"compile": "graph"}, {}):
        trained.append(trainer_of(*copy.deepcopy(losses), **LONG, **how, **more))
        trained[-1].run()  # before the other draws from the same generator
    return trained[0], trained[1]


def assert_alike(captured: Trainer, plain: Trainer) -> None:
    assert captured.progress == plain.progress
    assert same(everything(captured), everything(plain))
    for mine, other in zip(captured.log.windows, plain.log.windows, strict=True):
        assert mine.d_terms == pytest.approx(other.d_terms, rel=1e-5)
        assert mine.g_terms == pytest.approx(other.g_terms, rel=1e-5)
        assert mine.signals == pytest.approx(other.signals, rel=1e-5)
        assert mine.signals


HOWS = [
    {},
    {"n_critic": 2, "ema": 0.9, "n_gen": 2},
    {"n_critic": 2, "critic_batches": "shared", "optimizer": "sgd"},
    {"precision": "bfloat16", "channels_last": True, "optimizer": "adamw"},
    {"updates": "simultaneous"},
    {"micro_batch": 4, "fake_labels": "random"},
]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_what_is_replayed_is_what_python_computes(how: dict, made: list) -> None:
    captured, plain = both(**how)
    assert captured.whole.why_not == ""
    assert len(made) == 2  # one measures signals, too
    iterations = captured.progress.iteration
    assert sum(graph.replays for graph in made) == iterations - graphs.WARM_UP
    assert min(graph.replays for graph in made) > 1
    assert_alike(captured, plain)


@pytest.mark.parametrize(
    ("losses", "norm"),
    [
        ((WGANGP(),), "layer"),
        ((BCE(flip=0.1),), "spectral"),
        ((LSGAN(), GradientPenalty(at="real", target=0.0)), "layer"),
    ],
    ids=str,
)
def test_penalties_draws_and_norms_are_captured_too(losses: tuple, norm: str, made: list) -> None:
    captured, plain = both(*losses, d_norm=norm)
    assert captured.whole.why_not == ""
    assert_alike(captured, plain)


def test_a_graph_is_told_of_both_generators_that_are_drawn_from(made: list) -> None:
    trainer = trainer_of(compile="graph", **LONG)
    trainer.run()
    assert all(graph.generators == [trainer.latents, trainer.fake_labels] for graph in made)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_a_training_goes_on_from_a_checkpoint_to_the_last_bit(optimizer: str, made: list) -> None:
    how = {**LONG, "compile": "graph", "optimizer": optimizer, "log_every": 10, "ema": 0.9}
    whole, states = trainer_of(**how), []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    whole.run()
    later = trainer_of(**how)
    for _ in range(5):
        later.iterate()  # to be forgotten, with what was captured
    later.restore(TrainerState.from_plain(states[1]))
    before = len(made)
    later.run()
    assert len(made) == before + 1 or len(made) == before + 2
    assert same(everything(later), everything(whole))
    assert later.progress == whole.progress


def test_optimisers_keep_their_numbers_where_graphs_find_them(made: list) -> None:
    trainer = trainer_of(compile="graph", **LONG)
    for optimizer in (trainer.g_optimizer, trainer.d_optimizer):
        assert all(group["capturable"] for group in optimizer.torch.param_groups)
    plain = trainer_of(**LONG)
    assert not plain.g_optimizer.torch.param_groups[0]["capturable"]


@dataclass(kw_only=True)
class Remembering(BCE):
    """Weighs its terms by an average that is another tensor after each step."""

    name = "remembering"
    average: Tensor = field(default_factory=lambda: torch.ones(()), init=False)

    def discriminator_loss(self, step):
        self.average = 0.9 * self.average + 0.1 * step.real.logits.detach().mean()
        return {k: v * self.average for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class InPlace(BCE):
    """As that, in the same tensor all the time."""

    name = "in-place"
    average: Tensor = field(default_factory=lambda: torch.ones(()), init=False)

    def discriminator_loss(self, step):
        self.average.lerp_(step.real.logits.detach().mean(), 0.1)
        return {k: v * self.average.clone() for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class Counting(BCE):
    """Weighs its terms by how often it was asked."""

    name = "counting"
    asked: list[int] = field(default_factory=lambda: [0], init=False)

    def generator_loss(self, step):
        self.asked[0] += 1
        return {k: v / self.asked[0] for k, v in super().generator_loss(step).items()}


@dataclass(kw_only=True)
class Lazy(BCE):
    """Does every second iteration something else."""

    name = "lazy"

    def discriminator_loss(self, step):
        weight = 2.0 if step.iteration % 2 else 1.0
        return {k: v * weight for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class Fading(BCE):
    """Counts for less as the training goes on."""

    name = "fading"

    def generator_loss(self, step):
        return {k: v * (1 - step.progress) for k, v in super().generator_loss(step).items()}


@dataclass(kw_only=True)
class Scaling(BCE):
    """The same, with the number on the other side, and within an operation."""

    name = "scaling"

    def generator_loss(self, step):
        terms = super().generator_loss(step)
        return {k: torch.mul(v, step.progress) + v for k, v in terms.items()}


@dataclass(kw_only=True)
class Throwing(BCE):
    """Throws dice of the host."""

    name = "throwing"
    dice: str = "numpy"

    def generator_loss(self, step):
        thrown = np.random.rand() if self.dice == "numpy" else random.random()
        return {k: v * thrown for k, v in super().generator_loss(step).items()}


@dataclass(kw_only=True)
class LookingAhead(BCE):
    """Says that it asks at other weights."""

    name = "looking-ahead"
    looks_ahead = True


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        (Remembering(), "'remembering'.average is another after each iteration"),
        (Counting(), "'counting'.asked.0 is another after each iteration"),
        (Lazy(), "what is computed goes by the number of the iteration"),
        (Fading(), "what is computed goes by the number of the iteration"),
        (Scaling(), "what is computed goes by the number of the iteration"),
        (Throwing(), "something is drawn from NumPy's generator, which is the host's"),
        (Throwing(dice="own"), "something is drawn from Python's generator, which is the host's"),
        (LookingAhead(), "'looking-ahead' looks ahead"),
        (GradientPenalty(at="real", every=2), "what is computed goes by the number of the iter"),
    ],
    ids=str,
)
def test_what_a_graph_would_freeze_is_not_captured(loss, why: str, made: list) -> None:
    losses = (loss,) if not isinstance(loss, GradientPenalty) else (BCE(), loss)
    captured, plain = both(*losses)
    assert captured.whole.why_not.startswith(why)
    assert made == []
    assert_alike(captured, plain)


def test_what_a_plugin_changes_in_place_is_captured(made: list) -> None:
    captured, plain = both(InPlace())
    assert captured.whole.why_not == ""
    assert_alike(captured, plain)
    assert torch.equal(captured.losses[0].average, plain.losses[0].average)


class Peeking(LSGAN):
    """Waits for a value."""

    def discriminator_loss(self, step):
        return {k: v for k, v in super().discriminator_loss(step).items() if v.item() > -1}


def test_what_cannot_be_captured_is_computed_by_python(made: list) -> None:
    trainer = trainer_of(Peeking(), compile="graph", **LONG)
    trained = trainer.run()
    assert trained.without_graph.startswith(f"it cannot be captured: {recorded_graph.REFUSED}")
    assert (trained.progress.iteration, trained.progress.d_updates) == (25, 25)
    assert trained.progress.g_updates == 25


def test_batches_of_another_shape_end_what_was_captured(made: list) -> None:
    trainer = trainer_of(compile="graph", **LONG)
    for _ in range(6):
        trainer.iterate()
    plain = trainer.batches.next
    trainer.batches.next = lambda: tuple(x[:4] for x in plain())
    trainer.iterate()
    assert trainer.whole.why_not == "batches are of (8, 1, 4, 4) and (4, 1, 4, 4)"
    assert trainer.progress.d_updates == trainer.progress.g_updates == 7


def test_schedules_keep_iterations_from_being_captured(made: list) -> None:
    captured, plain = both(g_lr=Schedule(start=2e-3, end=1e-3))
    assert captured.whole.why_not.startswith("numbers are set before each iteration")
    assert_alike(captured, plain)
    loss = GradientPenalty(weight=1.0)
    option = ScheduledOption(loss, "weight", Schedule(start=1.0, end=0.0))
    other = trainer_of(BCE(), loss, scheduled=[option], compile="graph")
    assert other.whole.why_not.startswith("numbers are set")


def test_who_observes_phases_sees_python(made: list) -> None:
    trainer = trainer_of(compile="graph", **LONG)
    seen: list[str] = []
    trainer.phase = lambda name: seen.append(name) or unobserved(name)
    for _ in range(6):
        trainer.iterate()
    assert seen.count("generator step") == 6
    assert made == []
    trainer.phase = unobserved
    for _ in range(6):
        trainer.iterate()
    assert seen.count("generator step") == 6
    assert made


def test_where_there_is_no_cuda_the_trial_says_so(tmp_path) -> None:
    text = tiny.INLINE.replace("log_every: 5", "log_every: 5, compile: graph").replace(
        "num_samples: 200", "num_samples: 200, controls: []"
    )
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--only", "loss=bce", "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    (outcome,) = load_run(tmp_path / "run").outcomes
    why = "CUDA graphs are NVIDIA's, and this trains on cpu"
    assert outcome.result.timings.without_graph == why
    assert f"no graph of its iterations: {why}" in done.stderr
    (found,) = tiny.results(tmp_path / "run").values()
    assert found["timings"]["without_graph"] == why
    plain = tiny.ganbench(
        "run", tmp_path / "tiny.yaml", "--only", "loss=bce", "--set", "training.compile=none",
        "--out", "plain", cwd=tmp_path,
    )  # fmt: skip
    assert plain.returncode == 0
    (other,) = tiny.results(tmp_path / "plain").values()
    assert "without_graph" not in other["timings"]
    values = [{m["name"]: m["value"] for m in r["metrics"][:5]} for r in (found, other)]
    assert values[0] == values[1]
