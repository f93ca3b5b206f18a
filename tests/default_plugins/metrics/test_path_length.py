"""PPL: closed forms, torchmetrics' own, noise that is the same at both ends, and runs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from helpers import outside as made
from torch import Tensor, nn
from torchmetrics.functional.image import perceptual_path_length

import ganbench
from ganbench import ImageSpec, LabeledImages, Unavailable
from ganbench.cli import cli
from ganbench.default_plugins.metrics.path_length import PerceptualPathLength, path_length
from ganbench.evaluation.evaluate import evaluate
from ganbench.evaluation.real_data import digest
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.models.mapped import Mapped
from ganbench.models.networks import ConditionalGenerator
from ganbench.models.sampling import Sampler
from ganbench.registry.registry import Registry
from ganbench.testing.fixtures.evaluations import KitPictures

WIDTH, COUNT = 5, 300
STYLEGAN2 = Path(__file__).parents[3] / "plugins/ganbench-stylegan2/ganbench_stylegan2.py"
BENCHMARK = """\
version: 1
name: paths
dataset: {{name: tensor, path: {path}, images: images, labels: labels}}
matrix:
  architecture:
    - {{name: stylegan2, latent_dim: 6, style_dim: 5, mapping_depth: 2, width: 2, max_width: 4}}
    - {{name: mlp, width: 8, depth: 1}}
loss: bce
conditioning: none
training: {{batch_size: 20, budget: {{kimg: 0.4}}, precision: float32}}
evaluation:
  num_samples: 60
  controls: []
  samplers: [plain, {{name: truncation, psi: 0.7}}]
  metrics: [{metrics}]
execution: {{threads: 1, executor: inline}}
reporters: [json]
"""


class Linear:
    """Images that are a linear function of styles, and of noise where there is some."""

    def __init__(self, image: ImageSpec, noise: float = 0.0) -> None:
        source = torch.Generator().manual_seed(1)
        self.noise, self.image = noise, image
        size = image.channels * image.resolution**2
        self.matrix = torch.randn(WIDTH, size, generator=source) / 100
        self.styles = torch.randn(2, COUNT, 1, WIDTH, generator=source)
        self.asked: list[tuple[int, int]] = []

    def pairs(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        begins, ends = self.styles[:, :count]
        yield from zip(begins.split(128), ends.split(128), strict=True)

    def images(self, styles: Tensor, noise: int = 0) -> Tensor:
        self.asked.append((len(styles), noise))
        source = torch.Generator().manual_seed(noise)
        made = styles[:, 0] @ self.matrix
        made = made + self.noise * torch.randn(made.shape, generator=source)
        return made.view(-1, self.image.channels, self.image.resolution, self.image.resolution)

    @property
    def distances(self) -> Tensor:
        begins, ends = self.styles[:, :, 0]
        return ((ends - begins) @ self.matrix).square().sum(1)


@pytest.fixture
def seen(plugins: Registry, tmp_path: Path) -> Any:
    """What a metric sees of a generator."""

    def seen(generator: Any) -> TrialEvaluation:
        dataset = KitPictures()
        train = dataset.load("train", tmp_path)
        return TrialEvaluation(dataset, train, train, plugins, tmp_path, generator=generator)

    return seen


@pytest.mark.parametrize("where", ["full", "end"])
@pytest.mark.parametrize("epsilon", [1e-2, 0.3])
def test_a_linear_generator_has_the_length_of_its_steps(
    seen: Any, where: Any, epsilon: float
) -> None:
    generator = Linear(KitPictures().image_spec())
    metric = PerceptualPathLength(
        features="pixels", num_samples=COUNT, epsilon=epsilon, where=where
    )
    (found,) = metric.compute(seen(generator)).values()
    assert found == pytest.approx(path_length(generator.distances), rel=1e-3)
    assert generator.asked == [(n, i) for i, n in enumerate((128, 128, 44)) for _ in range(2)]


def test_noise_is_the_same_at_both_ends(seen: Any) -> None:
    quiet, noisy = (Linear(KitPictures().image_spec(), noise) for noise in (0.0, 0.5))
    metric = PerceptualPathLength(features="pixels", num_samples=COUNT, epsilon=0.1)
    (without,), (found,) = (metric.compute(seen(g)).values() for g in (quiet, noisy))
    assert found == pytest.approx(without, rel=1e-3)


def test_the_first_and_last_percentile_do_not_count() -> None:
    distances = torch.arange(1.0, 102.0)  # 1 … 101, whose percentiles are 2 and 100
    assert path_length(distances) == pytest.approx(51.0)
    distances[-1] = 1e9
    assert path_length(distances) == pytest.approx(51.0)
    assert path_length(torch.tensor([3.0])) == 3.0


def test_torchmetrics_finds_the_same_distances(seen: Any) -> None:
    image = KitPictures().image_spec()
    linear = Linear(image)

    class Theirs(nn.Module):
        """The same generator, in their range, whose latents are our styles."""

        ends = 0

        def sample(self, count: int) -> Tensor:
            self.ends += 1
            return linear.styles[self.ends - 1, :count, 0]

        def forward(self, latents: Tensor) -> Tensor:
            return 127.5 * linear.images(latents[:, None]) + 127.5

    class Squares(nn.Module):
        def forward(self, a: Tensor, b: Tensor) -> Tensor:
            return (a - b).flatten(1).square().sum(1)

    *_, distances = perceptual_path_length(
        Theirs(), COUNT, epsilon=1e-2, sim_net=Squares(), lower_discard=None, upper_discard=None
    )
    metric = PerceptualPathLength(features="pixels", num_samples=COUNT, epsilon=1e-2, where="end")
    (found,) = metric.compute(seen(linear)).values()
    assert found == pytest.approx(path_length(distances), rel=5e-3)  # of float32 differences


class Backbone(nn.Module):
    """Styles that are latents, and images of them with noise of the process's own."""

    def styles(self, z: Tensor, condition: Tensor | None) -> Tensor:
        assert not self.training
        return z[:, None] + (0 if condition is None else condition[:, None])

    def synthesise(self, styles: Tensor) -> Tensor:
        assert not self.training
        return styles[:, 0].view(-1, 1, 2, 2) + torch.randn(len(styles), 1, 2, 2)


class Plain(nn.Module):
    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return z

    def condition(self, labels: Tensor | None) -> Tensor | None:
        return None if labels is None else labels[:, None].float()


class Prior:
    latent_dim = 4

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, 4, generator=rng)


class Labels:
    def draw(self, count: int, seed: int, name: str) -> Tensor:
        return 100 * (torch.arange(count) % 2)


def mapped(draw: int = 0, asked: Any = None) -> Mapped:
    generator = ConditionalGenerator(Plain(), Backbone(), ImageSpec(1, 2))
    sampler = Sampler(Prior(), asked, 3, torch.device("cpu"), torch.uint8)  # type: ignore[arg-type]
    found = Mapped.of(generator, sampler, draw)
    assert found is not None
    generator.train()
    return found


def test_pairs_are_always_the_same_and_have_one_label_each() -> None:
    (here, there), (again, _), (other, _) = (next(mapped(draw).pairs(40)) for draw in (0, 0, 1))
    assert here.shape == there.shape == (40, 1, 4)
    assert torch.equal(here, again)
    assert not torch.equal(here, there)
    assert not torch.equal(here, other)
    first, second = next(mapped(asked=Labels()).pairs(40))
    for styles in (first, second):
        assert styles[::2].mean() < 10
        assert styles[1::2].mean() > 90
    assert sum(len(begin) for begin, _ in mapped().pairs(1201)) == 1201


def test_images_have_the_noise_of_their_number_and_leave_the_process_as_it_was() -> None:
    found, styles = mapped(), torch.zeros(6, 1, 4)
    state = torch.random.get_rng_state()
    first, again, other = (found.images(styles, number) for number in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert found.generator.training


def test_a_generator_without_a_mapping_network_has_none(seen: Any) -> None:
    assert Mapped.of(
        ConditionalGenerator(Plain(), nn.Linear(2, 2), ImageSpec(1, 2)), mapped().sampler
    ) is None  # fmt: skip
    with pytest.raises(Unavailable, match="a generator with a mapping network"):
        PerceptualPathLength(features="pixels").compute(seen(None))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"num_samples": 0}, "num_samples must be positive"),
        ({"epsilon": 0.0}, "epsilon must be between 0 and 1"),
        ({"epsilon": 1.0}, "epsilon must be between 0 and 1"),
    ],
)
def test_other_options_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        PerceptualPathLength(**options)


def test_floats_are_the_bytes_that_they_round_to(plugins: Registry, tmp_path: Path) -> None:
    """What a picture's features are does not depend on how its values come."""
    dataset = KitPictures(resolution=28)
    train = dataset.load("train", tmp_path)
    seen = TrialEvaluation(dataset, train, train, plugins, tmp_path)
    for name in ("mnist-cnn-v1", "random-conv"):
        found = seen.embed(name, train.images[:20].float() / 127.5 - 1).embedding
        torch.testing.assert_close(found, seen.features(name).embedding[:20])
    with pytest.raises(Unavailable, match="stacked"):
        seen.embed("stacked-mnist-cnn-v1", train.images[:20])


@pytest.mark.parametrize("paths", [COUNT, 20])
def test_its_protocol_says_how_many_paths_however_many_samples_there_are(
    seen: Any, paths: int
) -> None:
    generator = Linear(KitPictures().image_spec())
    metric = PerceptualPathLength(features="pixels", num_samples=paths)
    evaluation = seen(generator)
    found = evaluate([metric], evaluation)
    (protocol,) = found.protocols.values()
    assert protocol["paths"] == paths
    assert protocol["num_samples"] == len(evaluation.fake) != paths


def call(*arguments: object) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that measures it, and one that does not."""
    place = tmp_path_factory.mktemp("paths")
    path = made.write_data(place, side=16)
    for name, metrics in (("with", "throughput, ppl@pixels"), ("without", "throughput")):
        file = place / f"{name}.yaml"
        file.write_text(BENCHMARK.format(path=path, metrics=metrics))
        call("run", file, "--out", place / name, "--plugin", STYLEGAN2, "--quiet")
    return place


def value(run: Path, architecture: str, sampler: str = "plain") -> Any:
    """Return what a run says of it: the number, and why there is none."""
    frame = ganbench.load_run(run).frame()
    frame = frame[(frame["metric"] == "ppl@pixels") & (frame["sampler"] == sampler)]
    (row,) = frame[frame["architecture"].str.startswith(architecture)].to_dict("records")
    return row["value"], row["reason"]


def test_a_run_measures_what_has_a_mapping_network_and_says_why_not(finished: Path) -> None:
    run = finished / "with"
    found, _ = value(run, "stylegan2")
    assert found > 0
    for other in (("mlp", "plain"), ("stylegan2", "truncation")):
        nothing, reason = value(run, *other)
        assert math.isnan(nothing)
        assert "a generator with a mapping network" in reason


def test_a_models_own_seed_draws_what_was_judged_noise_and_all(finished: Path) -> None:
    (trial,) = (finished / "with" / "trials").glob("*stylegan2*")
    model = ganbench.load_model(trial, plugins=[str(STYLEGAN2)])
    strengths = [t for name, t in model.generator.named_parameters() if name.endswith("strength")]
    assert any(float(strength.detach().abs().max()) for strength in strengths)
    judged = json.loads((trial / "result.json").read_text("utf-8"))["drawn"]
    for _ in range(2):
        found = model.sample(60, seed=0)
        assert digest(LabeledImages(found.images, found.labels)) == judged


def test_a_finished_run_is_given_it_to_the_bit(finished: Path) -> None:
    call("evaluate", finished / "without", "--metrics", "ppl@pixels")
    (added,) = (finished / "without" / "trials").glob("*stylegan2*/added.json")
    (one,) = json.loads(added.read_text("utf-8"))["additions"]
    assert one["about"]["redrawn"] == "identical"
    assert value(finished / "without", "stylegan2") == value(finished / "with", "stylegan2")
