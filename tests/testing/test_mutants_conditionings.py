"""Wrong conditionings are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from helpers import mutants
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    Step,
    Terms,
)
from ganbench.default_plugins.conditionings import Concat, ConcatPlanes


@dataclass(kw_only=True)
class ForgetsTheImage(Conditioning):
    """Labels for D alone, though G's conditioner claims to use them."""

    name = "forgets-the-image"
    caught_by = {"labels_change_the_image"}

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
    caught_by = {"labels_change_the_logits"}

    class Idle(DiscriminatorConditioner):
        pass

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return Concat().generator(latent_dim, num_classes)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Idle(image.channels)


@dataclass(kw_only=True)
class ForDAlone(Conditioning):
    """G's side was forgotten."""

    name = "for-d-alone"
    caught_by = {"labels_reach_the_generator"}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Concat().discriminator(image)


@dataclass(kw_only=True)
class TermOfTheWrongImages(Concat):
    """G's term is of reals, in which it has no part."""

    name = "term-of-the-wrong-images"
    label_kinds = ("ids",)
    caught_by = {"added_terms_reach_only_their_player"}

    class Judging(ConcatPlanes):
        def generator_loss(self, step: Step) -> Terms:
            return {"near": step.real.features.square().mean()}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Judging(image, 1.0)


@dataclass(kw_only=True)
class SecretlyConditional(Concat):
    """Labels are used but not asked for."""

    name = "secretly-conditional"
    needs_labels = False
    caught_by = {"labels_do_not_matter", "labels_do_not_matter[vectors]"}


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
    caught_by = {"every_parameter_gets_a_gradient"}

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
    caught_by = {"samples_do_not_depend_on_their_neighbours"}

    class Mean(Multiplied):
        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return super().latent(z, labels) + self.embedding(labels).mean(0)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Mean(latent_dim, num_classes)


@dataclass(kw_only=True)
class WrongSize(Conditioning):
    """The latent grows and `latent_dim` does not say so."""

    name = "wrong-size"
    caught_by = {"sizes_are_true"}
    also = mutants.MOST

    class Wider(GeneratorConditioner):
        def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
            return torch.cat([z, labels[:, None].float()], dim=1)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Wider(latent_dim)


@dataclass(kw_only=True)
class NeighboursLabels(Conditioning):
    """Every latent gets the label of the next sample."""

    name = "neighbours-labels"
    caught_by = {"samples_do_not_depend_on_their_neighbours"}

    class Rolled(Multiplied):
        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return super().latent(z, labels.roll(1))

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Rolled(latent_dim, num_classes)


@dataclass(kw_only=True)
class NormalisesTheBatch(Conditioning):
    """D's images are centred over the batch."""

    name = "normalises-the-batch"
    caught_by = {"samples_do_not_depend_on_their_neighbours"}
    also = {"labels_reach_the_generator"}

    class Centred(DiscriminatorConditioner):
        def __init__(self, inner: DiscriminatorConditioner) -> None:
            super().__init__(inner.channels)
            self.inner = inner

        def image(self, images: Tensor, labels: Tensor | None) -> Tensor:
            planes = self.inner.image(images, labels)
            return planes - planes.mean(0)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Centred(Concat().discriminator(image))


@dataclass(kw_only=True)
class TableOnCPU(Conditioning):
    """One-hot rows in a plain attribute, which stays where it was made."""

    name = "table-on-cpu"
    caught_by = {"stays_on_the_device"}

    class Table(GeneratorConditioner):
        def __init__(self, latent_dim: int, num_classes: int) -> None:
            super().__init__(latent_dim + num_classes)
            self.rows = torch.eye(num_classes)

        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return torch.cat([z, self.rows[labels]], dim=1)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Table(latent_dim, num_classes)


@dataclass(kw_only=True)
class GrayscaleOnly(Concat):
    """Planes for images of one channel, whatever there are."""

    name = "grayscale-only"
    caught_by = {"sizes_are_true"}
    also = {"any_channel_and_class_count_works"}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return super().discriminator(ImageSpec(1, image.resolution, image.num_classes))


@dataclass(kw_only=True)
class HiddenClassLogits(Concat):
    """A classifier that nobody is told of."""

    name = "hidden-class-logits"
    caught_by = {"class_logits_are_given_as_declared"}

    class Head(LinearHead):
        def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
            return super().forward(features, labels)._replace(class_logits=features[:, :3])

    class Side(DiscriminatorConditioner):
        def head(self, feature_dim: int) -> nn.Module:
            return HiddenClassLogits.Head(feature_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        side = Concat().discriminator(image)
        side.head = self.Side(image.channels).head
        return side


@dataclass(kw_only=True)
class NobodyIsTold(Conditioning):
    """Labels are asked for and go nowhere."""

    name = "nobody-is-told"
    caught_by = {"labels_reach_a_player"}


@dataclass(kw_only=True)
class TermPerSample(Concat):
    """An added term that nobody took the mean of."""

    name = "term-per-sample"
    caught_by = {"added_terms_are_finite_scalars"}

    class Side(DiscriminatorConditioner):
        def generator_loss(self, step: Step) -> Terms:
            return {"own": step.fake.logits.square()}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        side = Concat().discriminator(image)
        side.generator_loss = self.Side(image.channels).generator_loss
        return side


@dataclass(kw_only=True)
class ComparesTheBatch(Concat):
    """A term of how far the images of a batch lie apart, which nobody is told of."""

    name = "compares-the-batch"
    label_kinds = ("ids",)
    caught_by = {"whole_batches_are_declared"}

    class Judging(ConcatPlanes):
        def generator_loss(self, step: Step) -> Terms:
            return {"alike": -step.fake.features.var(0).mean()}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Judging(image, 1.0)


@dataclass(kw_only=True)
class DetachedHead(Concat):
    """A head whose logits have no slope at the images."""

    name = "detached-head"
    caught_by = {"gradient_penalty_passes_through"}
    also = {"every_parameter_gets_a_gradient"}

    class Head(LinearHead):
        def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
            return super().forward(features.detach() + 0 * features, labels)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        side = Concat().discriminator(image)
        side.head = self.Head
        return side


@dataclass(kw_only=True)
class TenClasses(Conditioning):
    """Embeddings for ten classes, whatever there are, and for nine of them at most."""

    name = "ten-classes"
    caught_by = {"any_channel_and_class_count_works"}

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return Multiplied(latent_dim, min(num_classes, 9))


@dataclass(kw_only=True)
class SharedEmbedding(Conditioning):
    """A function that holds on to the first embedding, however often it is copied."""

    name = "shared-embedding"
    caught_by = {"survives_deepcopy"}

    class Holding(Multiplied):
        def __init__(self, latent_dim: int, num_classes: int) -> None:
            super().__init__(latent_dim, num_classes)
            embedding = self.embedding
            self.call = lambda labels: embedding(labels)

        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return z * self.call(labels)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Holding(latent_dim, num_classes)


@dataclass(kw_only=True)
class CountsInAnAttribute(Concat):
    """Latents that fade in by a counter which no state_dict holds."""

    name = "counts-in-an-attribute"
    caught_by = {"what_the_generator_keeps_is_in_its_state"}
    also = {"samples_do_not_depend_on_their_neighbours"}

    class Fading(GeneratorConditioner):
        def __init__(self, net: GeneratorConditioner) -> None:
            super().__init__(net.latent_dim)
            self.net, self.steps = net, 0

        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            self.steps += self.training
            return self.net.latent(z, labels) * min(1.0, 0.9 + self.steps / 100)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return self.Fading(super().generator(latent_dim, num_classes))


@dataclass(kw_only=True)
class WholeNumbers(Concat):
    """Vectors cast as if they were class ids."""

    name = "whole-numbers"
    label_kinds = ("vectors",)
    caught_by = {"labels_change_the_image[vectors]"}

    class Cast(GeneratorConditioner):
        def __init__(self, latent_dim: int, condition_dim: int) -> None:
            super().__init__(latent_dim + condition_dim)

        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return torch.cat([z, labels.long().float()], 1)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return self.Cast(latent_dim, condition_dim)


@dataclass(kw_only=True)
class VectorsUnsaid(Conditioning):
    """A generator of vectors that nobody calls, as only class ids are declared."""

    name = "vectors-unsaid"
    caught_by = {"label_kinds_are_known"}

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return Concat().generator(latent_dim, num_classes)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return Concat().generator_of_vectors(latent_dim, condition_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Concat().discriminator(image)


@dataclass(kw_only=True)
class FirstNumberAlone(Concat):
    """The vectors of a whole batch are those of its first image."""

    name = "first-vector-alone"
    label_kinds = ("vectors",)
    caught_by = {"samples_do_not_depend_on_their_neighbours[vectors]"}

    class First(GeneratorConditioner):
        def __init__(self, latent_dim: int, condition_dim: int) -> None:
            super().__init__(latent_dim + condition_dim)

        def latent(self, z: Tensor, labels: Tensor) -> Tensor:
            return torch.cat([z, labels[:1].expand_as(labels)], 1)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return self.First(latent_dim, condition_dim)


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_conditioning_is_caught(mutant):
    mutants.assert_caught(mutant)
