"""Every built-in obeys the rules of its kind, and the rules catch what they are there for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import ModuleType
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Architecture,
    Column,
    Conditioning,
    ContractError,
    DiscriminatorConditioner,
    Evaluation,
    GeneratorConditioner,
    ImageSpec,
    InputGradients,
    Loss,
    Metric,
    NormFactory,
    Step,
    Terms,
)
from ganbench.default_plugins import (
    architectures,
    conditionings,
    coverage,
    executors,
    features,
    image_folder,
    losses,
    mixtures,
    mnist,
    quality,
    reporters,
    speed,
)
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.conditionings import (
    Concat,
    ConditionalBatchNorm,
    EmbedConcat,
    EmbedMul,
    ImageMul,
    Projection,
    Unconditional,
)
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.models import BatchNorm
from ganbench.testing import check_plugin, checks_for, parametrize_with_checks
from ganbench.testing.networks import TinyConv


@parametrize_with_checks(BCE, LSGAN, WGANGP)
def test_loss_conforms(check):
    check()


@parametrize_with_checks(BCE(saturating=True), BCE(real_target=0.9), WGANGP(gp_weight=0.1))
def test_loss_with_options_conforms(check):
    check()


@parametrize_with_checks(
    BCE(flip=0.3),
    expected_failures={"discriminator_terms_are_means_over_samples": "targets swap at random"},
)
def test_label_noise_conforms(check):
    check()


CONDITIONINGS = (
    Unconditional,
    Concat,
    EmbedMul,
    EmbedConcat,
    ImageMul,
    ConditionalBatchNorm,
    Projection,
)


@parametrize_with_checks(*CONDITIONINGS)
def test_conditioning_conforms(check):
    check()


@parametrize_with_checks(
    MLP,
    TinyConv,
    DCGAN(width=4, max_width=32),
    DCGAN(width=4, max_width=32, upsampling="nearest", g_width=8, dropout=0.2),
    ResNet(width=8),
)
def test_architecture_conforms(check):
    check()


def registered(hook: str, *modules: ModuleType) -> list[type]:
    """What these modules would register."""
    found: list[type] = []
    for module in modules:
        getattr(module, hook)(found.append)
    return found


@parametrize_with_checks(*registered("register_metrics", coverage, quality, speed))
def test_metric_conforms(check):
    check()


@parametrize_with_checks(
    *registered("register_datasets", image_folder, mixtures, mnist),
    *registered("register_feature_extractors", features),
    *registered("register_reporters", reporters),
    *registered("register_executors", executors),
)
def test_declaration_conforms(check):
    check()


def test_every_built_in_loss_conditioning_and_architecture_is_checked():
    assert registered("register_losses", losses) == [BCE, LSGAN, WGANGP]
    assert set(registered("register_conditionings", conditionings)) == set(CONDITIONINGS)
    assert set(registered("register_architectures", architectures)) == {MLP, DCGAN, ResNet}


# What goes wrong in other suites, written down as losses. Each names the checks that catch it.


@dataclass(kw_only=True)
class WholeBatchNorm(WGANGP):
    """One norm over the batch instead of one per sample."""

    name = "whole-batch-norm"
    caught_by: ClassVar[set[str]] = {"discriminator_terms_are_means_over_samples"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        penalty = 10 * (scored.input_gradient.norm() - 1).square()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class NormOverChannels(WGANGP):
    """The norm of each pixel, over channels alone."""

    name = "norm-over-channels"
    caught_by: ClassVar[set[str]] = {"penalty_sees_the_norm_over_whole_images"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        slope = (scored.input_gradient.square().sum(1) + 1e-12).sqrt()
        penalty = 10 * (slope - 1).square().mean()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class SumOverSamples(BCE):
    """A sum where a mean belongs."""

    name = "sum-over-samples"
    caught_by: ClassVar[set[str]] = {"discriminator_terms_are_means_over_samples"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"d": F.softplus(-step.real.logits).sum() + F.softplus(step.fake.logits).sum()}


@dataclass(kw_only=True)
class SwappedDiscriminator(BCE):
    """D is taught that fakes are real."""

    name = "swapped-discriminator"
    caught_by: ClassVar[set[str]] = {"discriminator_separates_real_from_fake"}

    def discriminator_loss(self, step: Step) -> Terms:
        return super().discriminator_loss(replace(step, real=step.fake, fake=step.real))


@dataclass(kw_only=True)
class SwappedGenerator(WGANGP):
    """G lowers the logits of its images."""

    name = "swapped-generator"
    caught_by: ClassVar[set[str]] = {"generator_raises_fake_logits"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.mean()}


@dataclass(kw_only=True)
class TermPerSample(BCE):
    """A term that nobody took the mean of."""

    name = "term-per-sample"
    caught_by: ClassVar[set[str]] = {"terms_are_finite_scalars"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits)}


@dataclass(kw_only=True)
class DoublePrecision(BCE):
    """Terms in float64."""

    name = "double-precision"
    caught_by: ClassVar[set[str]] = {"terms_are_finite_scalars"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits.double()).mean()}


@dataclass(kw_only=True)
class Unfreezes(BCE):
    """G's step thaws a discriminator that the loss has kept."""

    name = "unfreezes"
    caught_by: ClassVar[set[str]] = {"generator_terms_reach_only_the_generator"}

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        self._kept = discriminator

    def generator_loss(self, step: Step) -> Terms:
        if kept := getattr(self, "_kept", None):
            kept.requires_grad_(True)
        return super().generator_loss(step)


@dataclass(kw_only=True)
class RemembersReals(Loss):
    """Relativistic, with the reals' logits kept from D's step, graph and all."""

    name = "remembers-reals"
    caught_by: ClassVar[set[str]] = {"generator_terms_reach_only_the_generator"}

    def discriminator_loss(self, step: Step) -> Terms:
        self._reals = step.real.logits
        return {"d": F.softplus(step.fake.logits - step.real.logits).mean()}

    def generator_loss(self, step: Step) -> Terms:
        reals = getattr(self, "_reals", step.real.logits)
        return {"g": F.softplus(reals - step.fake.logits).mean()}


@dataclass(kw_only=True)
class TrainsGenerator(BCE):
    """G's loss is added to D's, through a generator that the loss has thawed."""

    name = "trains-generator"
    caught_by: ClassVar[set[str]] = {"discriminator_terms_reach_only_the_discriminator"}

    def discriminator_loss(self, step: Step) -> Terms:
        step.generate.requires_grad_(True)
        images = step.generate(step.latents, step.fake.labels)
        fakes = step.score(images, step.fake.labels).logits
        return {"real": F.softplus(-step.real.logits).mean(), "fake": F.softplus(fakes).mean()}


@dataclass(kw_only=True)
class LogOfLogit(BCE):
    """The logarithm of D's output, as if it were a probability."""

    name = "log-of-logit"
    caught_by: ClassVar[set[str]] = {"logits_are_unbounded"}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"d": -(step.real.logits.log().mean() + (1 - step.fake.logits).log().mean())}


@dataclass(kw_only=True)
class LogOfSigmoid(BCE):
    """The logarithm of a sigmoid, which underflows."""

    name = "log-of-sigmoid"
    caught_by: ClassVar[set[str]] = {"logits_are_unbounded"}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits.sigmoid(), step.fake.logits.sigmoid()
        return {"d": -(real.log().mean() + (1 - fake).log().mean())}


@dataclass(kw_only=True)
class SigmoidTwice(BCE):
    """A sigmoid before a loss that applies its own."""

    name = "sigmoid-twice"
    caught_by: ClassVar[set[str]] = {"confident_mistakes_still_give_a_gradient"}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits.sigmoid(), step.fake.logits.sigmoid()
        return {"d": F.softplus(-real).mean() + F.softplus(fake).mean()}


@dataclass(kw_only=True)
class DetachedPenalty(WGANGP):
    """A penalty that is logged but trains nothing."""

    name = "detached-penalty"
    caught_by: ClassVar[set[str]] = {
        "penalty_gradient_reaches_the_weights",
        "discriminator_terms_reach_only_the_discriminator",
    }

    def discriminator_loss(self, step: Step) -> Terms:
        return {k: v.detach() if "penalty" in k else v for k, v in _wgan(self, step).items()}


@dataclass(kw_only=True)
class PenaltyWithoutGraph(WGANGP):
    """autograd.grad without create_graph, summed into the one term that has a gradient."""

    name = "penalty-without-graph"
    caught_by: ClassVar[set[str]] = {"penalty_gradient_reaches_the_weights"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        (slope,) = torch.autograd.grad(scored.logits.sum(), scored.images)
        penalty = 10 * (slope.flatten(1).norm(dim=1) - 1).square().mean()
        return {"d": step.fake.logits.mean() - step.real.logits.mean() + penalty}


@dataclass(kw_only=True)
class UndeclaredReal(BCE):
    """R1 inside the loss, without its declaration."""

    name = "undeclared-real"
    caught_by: ClassVar[set[str]] = {"declared_input_gradients_are_the_ones_used"}

    def discriminator_loss(self, step: Step) -> Terms:
        penalty = step.real.input_gradient.square().flatten(1).sum(1).mean()
        return {**super().discriminator_loss(step), "r1": penalty}


@dataclass(kw_only=True)
class UndeclaredOwn(WGANGP):
    """The penalty of WGAN-GP, but D may have batch norm."""

    name = "undeclared-own"
    input_gradients = InputGradients.NONE
    caught_by: ClassVar[set[str]] = {"declared_input_gradients_are_the_ones_used"}


@dataclass(kw_only=True)
class DeclaredInVain(BCE):
    """Input gradients that are declared and never read."""

    name = "declared-in-vain"
    input_gradients = InputGradients.REAL
    caught_by: ClassVar[set[str]] = {"declared_input_gradients_are_the_ones_used"}


@dataclass(kw_only=True)
class ClampsInPlace(BCE):
    """The step's own images are clamped."""

    name = "clamps-in-place"
    caught_by: ClassVar[set[str]] = {"inputs_are_not_modified"}

    def discriminator_loss(self, step: Step) -> Terms:
        step.real.images.clamp_(-0.5, 0.5)
        return super().discriminator_loss(step)


@dataclass(kw_only=True)
class SquaresInPlace(LSGAN):
    """The logits that other losses share are overwritten."""

    name = "squares-in-place"
    caught_by: ClassVar[set[str]] = {"inputs_are_not_modified"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.sub_(1).square().mean()}


@dataclass(kw_only=True)
class NoEpsilon(WGANGP):
    """A root whose gradient at zero is not a number."""

    name = "no-epsilon"
    caught_by: ClassVar[set[str]] = {"constant_discriminator_has_finite_gradients"}

    def discriminator_loss(self, step: Step) -> Terms:
        scored = step.score(step.fake.images.detach(), step.real.labels, track_inputs=True)
        slope = scored.input_gradient.flatten(1).square().sum(1).sqrt()
        penalty = 10 * (slope - 1).square().mean()
        return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}


@dataclass(kw_only=True)
class LabelsInSecret(BCE):
    """Labels are used but not asked for."""

    name = "labels-in-secret"
    caught_by: ClassVar[set[str]] = {"missing_labels_work"}

    def generator_loss(self, step: Step) -> Terms:
        weights = 1.0 + step.fake.labels.float()
        return {"adversarial": (weights * F.softplus(-step.fake.logits)).mean()}


@dataclass(kw_only=True)
class KeepsAFunction(BCE):
    """A field that cannot travel to another process."""

    name = "keeps-a-function"
    caught_by: ClassVar[set[str]] = {"survives_deepcopy_and_pickle"}

    def __post_init__(self) -> None:
        self._softplus = lambda x: F.softplus(x)


@dataclass(kw_only=True)
class NeedsTwo(BCE):
    """A standard deviation over the batch, which one sample does not have."""

    name = "needs-two"
    caught_by: ClassVar[set[str]] = {"any_batch_size_and_channel_count_works"}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean() / step.fake.logits.std()}


def _wgan(loss: WGANGP, step: Step) -> Terms:
    return WGANGP.discriminator_loss(loss, step)


MUTANTS = [
    WholeBatchNorm,
    NormOverChannels,
    SumOverSamples,
    SwappedDiscriminator,
    SwappedGenerator,
    TermPerSample,
    DoublePrecision,
    Unfreezes,
    RemembersReals,
    TrainsGenerator,
    LogOfLogit,
    LogOfSigmoid,
    SigmoidTwice,
    DetachedPenalty,
    PenaltyWithoutGraph,
    UndeclaredReal,
    UndeclaredOwn,
    DeclaredInVain,
    ClampsInPlace,
    SquaresInPlace,
    NoEpsilon,
    LabelsInSecret,
    KeepsAFunction,
    NeedsTwo,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_wrong_loss_is_caught(mutant):
    results = check_plugin(mutant)
    failed = {result.check for result in results if not result.passed}
    assert mutant.caught_by <= failed
    assert len(failed) < len(results) - 2  # it runs, and something but its declarations is right


@pytest.mark.parametrize(
    "mutant",
    [SwappedGenerator, SumOverSamples, WholeBatchNorm, SigmoidTwice, NoEpsilon],
    ids=lambda mutant: mutant.name,
)
def test_wrong_loss_is_caught_by_nothing_else(mutant):
    failed = {result.check for result in check_plugin(mutant) if not result.passed}
    assert failed == mutant.caught_by


# The same for conditionings and architectures.


@dataclass(kw_only=True)
class ForgetsTheImage(Conditioning):
    """Labels for D alone, though G's conditioner claims to use them."""

    name = "forgets-the-image"
    caught_by: ClassVar[set[str]] = {"labels_change_the_image"}

    class Idle(GeneratorConditioner):
        pass

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Idle(latent_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Concat().discriminator(image)


@dataclass(kw_only=True)
class ForgetsTheLogit(Conditioning):
    """Labels for G alone, though D's conditioner claims to use them."""

    name = "forgets-the-logit"
    caught_by: ClassVar[set[str]] = {"labels_change_the_logits"}

    class Idle(DiscriminatorConditioner):
        pass

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return Concat().generator(latent_dim, num_classes)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Idle(image.channels)


@dataclass(kw_only=True)
class SecretlyConditional(Concat):
    """Labels are used but not asked for."""

    name = "secretly-conditional"
    needs_labels = False
    caught_by: ClassVar[set[str]] = {"labels_do_not_matter"}


class Multiplied(GeneratorConditioner):
    def __init__(self, latent_dim: int, num_classes: int) -> None:
        super().__init__(latent_dim)
        self.embedding = nn.Embedding(num_classes, latent_dim)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return z * self.embedding(labels)


@dataclass(kw_only=True)
class IdleEmbedding(Conditioning):
    """An embedding that is made and never used."""

    name = "idle-embedding"
    caught_by: ClassVar[set[str]] = {"every_parameter_gets_a_gradient"}

    class Idle(Multiplied):
        def __init__(self, latent_dim: int, num_classes: int) -> None:
            super().__init__(latent_dim, num_classes)
            self.spare = nn.Embedding(num_classes, 2)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Idle(latent_dim, num_classes)


@dataclass(kw_only=True)
class MixesTheBatch(Conditioning):
    """Every latent is multiplied by the mean embedding of the batch."""

    name = "mixes-the-batch"
    caught_by: ClassVar[set[str]] = {"samples_do_not_depend_on_their_neighbours"}

    class Mean(Multiplied):
        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return super().latent(z, labels) + self.embedding(labels).mean(0)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Mean(latent_dim, num_classes)


@dataclass(kw_only=True)
class WrongSize(Conditioning):
    """The latent grows and `latent_dim` does not say so."""

    name = "wrong-size"
    caught_by: ClassVar[set[str]] = {"sizes_are_true"}

    class Wider(GeneratorConditioner):
        def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
            return torch.cat([z, labels[:, None].float()], dim=1)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Wider(latent_dim)


@pytest.mark.parametrize(
    "mutant",
    [
        ForgetsTheImage,
        ForgetsTheLogit,
        SecretlyConditional,
        IdleEmbedding,
        MixesTheBatch,
        WrongSize,
    ],
    ids=lambda mutant: mutant.name,
)
def test_wrong_conditioning_is_caught(mutant):
    results = check_plugin(mutant)
    failed = {result.check for result in results if not result.passed}
    assert mutant.caught_by <= failed
    assert len(failed) < len(results) - 2  # it runs, and something but its declarations is right


@dataclass(kw_only=True)
class HiddenBatchNorm(TinyConv):
    """Batch norm in D whatever the plan says."""

    name = "hidden-batch-norm"
    caught_by: ClassVar[set[str]] = {
        "discriminator_is_per_sample[none]",
        "discriminator_norm_layers_are_made_by_the_factory",
    }

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return super().discriminator(image, BatchNorm)


@dataclass(kw_only=True)
class Unsquashed(TinyConv):
    """Images beyond [-1, 1]."""

    name = "unsquashed"
    caught_by: ClassVar[set[str]] = {"images_are_in_range"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Louder(nn.Module):
            def __init__(self, quiet: nn.Module) -> None:
                super().__init__()
                self.quiet = quiet

            def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
                return 3 * self.quiet(z, condition)

        return Louder(super().generator(image, latent_dim, norm))


@dataclass(kw_only=True)
class WrongFeatureDim(TinyConv):
    """`feature_dim` is not what comes out."""

    name = "wrong-feature-dim"
    caught_by: ClassVar[set[str]] = {"claimed_sizes_build"}

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = super().discriminator(image, norm)
        net.feature_dim += 1
        return net


@dataclass(kw_only=True)
class ClaimsEverySize(TinyConv):
    """Odd sizes are claimed and come out wrong."""

    name = "claims-every-size"
    caught_by: ClassVar[set[str]] = {"claimed_sizes_build"}

    def unsupported(self, image: ImageSpec) -> str | None:
        return None


@dataclass(kw_only=True)
class RefusesCurtly(TinyConv):
    """A refusal that explains nothing."""

    name = "refuses-curtly"
    caught_by: ClassVar[set[str]] = {"unsupported_sizes_get_a_sentence"}

    def unsupported(self, image: ImageSpec) -> str | None:
        return "unsupported" if super().unsupported(image) else None


@dataclass(kw_only=True)
class DropsTheCondition(TinyConv):
    """Norm layers that are called without the condition."""

    name = "drops-the-condition"
    caught_by: ClassVar[set[str]] = {"generator_norm_layers_receive_the_condition"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        class Deaf(nn.Module):
            def __init__(self, layer: nn.Module) -> None:
                super().__init__()
                self.layer = layer

            def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
                return self.layer(h, None)

        return super().generator(image, latent_dim, lambda channels: Deaf(norm(channels)))


@dataclass(kw_only=True)
class OwnLatentDim(TinyConv):
    """The latents that a conditioning adds are thrown away."""

    name = "own-latent-dim"
    caught_by: ClassVar[set[str]] = {"images_depend_on_the_latent"}

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        size = self.latent_dim

        class Cut(nn.Module):
            def __init__(self, net: nn.Module) -> None:
                super().__init__()
                self.net = net

            def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
                return self.net(z[:, :size], condition)

        return Cut(super().generator(image, size, norm))


@pytest.mark.parametrize(
    "mutant",
    [
        HiddenBatchNorm,
        Unsquashed,
        WrongFeatureDim,
        ClaimsEverySize,
        RefusesCurtly,
        DropsTheCondition,
        OwnLatentDim,
    ],
    ids=lambda mutant: mutant.name,
)
def test_wrong_architecture_is_caught(mutant):
    results = check_plugin(mutant)
    failed = {result.check for result in results if not result.passed}
    assert mutant.caught_by <= failed
    assert len(failed) < len(results) - 2  # it runs, and something but its declarations is right


@dataclass(kw_only=True)
class Count(Metric):
    """How many samples there are."""

    name = "count"
    columns = (Column("count", direction="max"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"count": float(len(evaluation.fake))}


@dataclass(kw_only=True)
class CountTwice(Count):
    """Two columns of one name, one pointing nowhere."""

    name = "count-twice"
    columns = (Column("count"), Column("count", direction="up"))  # type: ignore[arg-type]

    def protocol(self) -> dict[str, object]:
        return {"images": torch.zeros(1)}


def test_right_metric_passes():
    assert [result for result in check_plugin(Count) if not result.passed] == []


def test_wrong_metric_is_caught():
    failed = {result.check for result in check_plugin(CountTwice) if not result.passed}
    assert failed == {
        "columns_are_declared_once",
        "columns_have_a_direction",
        "protocol_is_json",
        "protocol_holds_the_version",
    }


class Undeclared(BCE):
    name = "Not Kebab"


def test_declarations_are_checked():
    failed = {result.check: result.message for result in check_plugin(Undeclared)}
    assert "lower case with hyphens" in failed["name_is_kebab_case"]
    assert "docstring" in failed["is_a_documented_dataclass"]


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


def test_architecture_without_any_size_is_caught():
    @dataclass(kw_only=True)
    class Nothing(TinyConv):
        """It builds nothing."""

        name = "nothing"

        def unsupported(self, image: ImageSpec) -> str | None:
            return "it builds no size at all"

    failed = {result.check for result in check_plugin(Nothing) if not result.passed}
    assert "claimed_sizes_build" in failed
    assert issubclass(Nothing, Architecture)
