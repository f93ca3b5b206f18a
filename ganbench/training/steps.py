"""What both players' steps compute: the only file that calls backward, and has optimisers step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ganbench.contracts.losses import Loss, Terms
from ganbench.contracts.steps import Player
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.trained import Progress
from ganbench.records.training_settings import TrainingSettings
from ganbench.training import torch_settings
from ganbench.training.batches import Batches
from ganbench.training.game import Game, total
from ganbench.training.log import Log
from ganbench.training.meters import gradient_norm, signals_of
from ganbench.training.micro_batches import MicroBatch
from ganbench.training.optimizers import PlayerOptimizer
from ganbench.training.phases import Phase
from ganbench.training.ranks import Ranks
from ganbench.training.terms import TermSums

Batch = tuple[Tensor, Tensor | None]
"""Images (N, C, H, W) and their labels, if they have some."""

Prior = Callable[[int, torch.Generator, torch.device], Tensor]
"""As an architecture's `latents`: (count, latent_dim) drawn with a generator of that device."""


class Steps:
    """The steps of a training, which whoever trains makes from what is listed here."""

    generator: ConditionalGenerator
    discriminator: ConditionalDiscriminator
    losses: Sequence[Loss]
    game: Game
    settings: TrainingSettings
    device: torch.device
    ranks: Ranks
    prior: Prior
    batches: Batches
    log: Log
    latents: torch.Generator
    fake_labels: torch.Generator
    g_optimizer: PlayerOptimizer
    d_optimizer: PlayerOptimizer
    _forward: Callable[[], AbstractContextManager[None]]

    @property
    def progress(self) -> Progress:
        """How far the training is."""
        return self.game.progress

    @property
    def phase(self) -> Phase:
        """What opens each named part of an iteration."""
        return self.game.phase

    @phase.setter
    def phase(self, phase: Phase) -> None:
        self.game.phase = phase

    def play(self, next_batch: Callable[[], Batch]) -> None:
        """Make `n_critic` steps of D and `n_gen` of G, and add to the log what they measure."""
        if self.settings.updates == "simultaneous":
            images, labels = next_batch()
            with self.phase("simultaneous step"):
                if self.settings.extrapolates:
                    self.extrapolate(images, labels)
                    images, labels = next_batch()
                d_terms, g_terms = self.simultaneous_step(images, labels)
            self.log.d_meter.add(d_terms)
            self.log.g_meter.add(g_terms)
            return
        for step in range(self.settings.n_critic):
            if not step or self.settings.critic_batches == "own":
                images, labels = next_batch()
            with self.phase("discriminator step"):
                d_terms = self.discriminator_step(images, labels)
            self.log.d_meter.add(d_terms)
        for _ in range(self.settings.n_gen):
            with self.phase("generator step"):
                g_terms = self.generator_step(images, labels)
            self.log.g_meter.add(g_terms)

    def discriminator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        """Update D once by a batch (N, C, H, W) of real images and as many fakes.

        Returns the detached terms of D's losses.
        """
        self.d_optimizer.zero_grad()
        sums = TermSums()
        for micro_batch in self._micro_batches(images, labels):
            with self.game.turn("discriminator"):  # so that fakes carry no graph
                terms = self._gradients("discriminator", micro_batch, self._generated(micro_batch))
            sums.add(terms, micro_batch.weight)
        self.ranks.average_gradients(self.game.d_parameters)
        self._update_discriminator()
        return sums.terms

    def generator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        """Update G once, by fakes for the labels of a batch (N, C, H, W) of real images.

        Returns the detached terms of G's losses.
        """
        self.g_optimizer.zero_grad()
        sums = TermSums()
        for micro_batch in self._micro_batches(images, labels):
            with self.game.turn("generator"):
                terms = self._gradients("generator", micro_batch, self._generated(micro_batch))
            sums.add(terms, micro_batch.weight)
        self.ranks.average_gradients(self.game.g_parameters)
        self._update_generator()
        return sums.terms

    def simultaneous_step(self, images: Tensor, labels: Tensor | None) -> tuple[Terms, Terms]:
        """Take both gradients at the same weights and for the same fakes, and then update both.

        Returns the detached terms of D's losses and of G's.
        """
        terms = self._both_gradients(images, labels)
        self._update_discriminator()
        self._update_generator()
        return terms

    def extrapolate(self, images: Tensor, labels: Tensor | None) -> None:
        """Take both gradients and move to where the next ones are to be taken.

        A player whose optimiser does not extrapolate stays where it is.
        """
        self._both_gradients(images, labels)
        if self.d_optimizer.extrapolates:
            self.d_optimizer.extrapolate()
            for loss in self.losses:
                loss.after_discriminator_step(self.discriminator)
        if self.g_optimizer.extrapolates:
            self.g_optimizer.extrapolate()
            for loss in self.losses:
                loss.after_generator_step(self.generator)

    def _both_gradients(self, images: Tensor, labels: Tensor | None) -> tuple[Terms, Terms]:
        self.d_optimizer.zero_grad()
        self.g_optimizer.zero_grad()
        d_sums, g_sums = TermSums(), TermSums()
        for micro_batch in self._micro_batches(images, labels):
            fakes, weight = self._generated(micro_batch), micro_batch.weight
            with self.game.turn("discriminator"):
                d_terms = self._gradients("discriminator", micro_batch, fakes.detach())
            d_sums.add(d_terms, weight)
            with self.game.turn("generator"):
                g_sums.add(self._gradients("generator", micro_batch, fakes), weight)
        self.ranks.average_gradients(self.game.d_parameters)
        self.ranks.average_gradients(self.game.g_parameters)
        return d_sums.terms, g_sums.terms

    def next_batch(self) -> Batch:
        """Return the next images (N, C, H, W) and their labels, which count as shown."""
        self.progress.images += self.settings.batch_size
        with self.phase("data"):
            return self.batches.next()

    def _micro_batches(self, images: Tensor, labels: Tensor | None) -> Iterator[MicroBatch]:
        """Yield what goes through the networks at once.

        Latents and fakes' labels are drawn for the whole batch, of which each process takes its
        share.
        """
        count = len(images) * self.ranks.count
        with self.phase("latents"):
            latents = self.ranks.share(self.prior(count, self.latents, self.device))
        fake_labels = labels
        if self.settings.fake_labels == "random" and labels is not None:
            fake_labels = self.ranks.share(self._drawn_labels(count))
        whole = MicroBatch(images, labels, latents, fake_labels, 1.0)
        yield from whole.split(self.settings.micro_batch or len(images))

    def _drawn_labels(self, count: int) -> Tensor:
        """Return class ids, uniform over the classes, or the vectors of any images of the data."""
        image, data = self.generator.image, self.batches.data
        among = len(data) if image.condition_dim else image.num_classes
        drawn = torch.randint(among, (count,), generator=self.fake_labels, device=self.device)
        return self.batches.labels_of(drawn) if image.condition_dim else drawn

    def _generated(self, micro_batch: MicroBatch) -> Tensor:
        with self._forward():
            return self.generator(micro_batch.latents, micro_batch.fake_labels)

    def _gradients(self, player: Player, micro_batch: MicroBatch, fakes: Tensor) -> Terms:
        with self._forward(), self._normalised(player):
            step = self.game.step(player, micro_batch, fakes)
            terms = self.game.terms(player, step)
        self._backward(terms, micro_batch.weight)
        if player == "discriminator" and self.game.observers:
            with self._forward():
                self.game.observe(step)
        if self.samples_signals:
            self.log.signals.add(signals_of(player, step, self.losses[0].boundary))
        return {name: term.detach() for name, term in terms.items()}

    def _normalised(self, player: Player) -> AbstractContextManager[None]:
        """Return what opens the passes for which weights are normalised once, if they are."""
        if self.settings.spectral_norm == "each-pass":
            return nullcontext()
        own = () if player == "discriminator" else (self.generator,)
        return torch_settings.normalised_once(self.discriminator, *own)

    def _backward(self, terms: Terms, weight: float) -> None:
        with self.phase("backward"):
            value = total(terms)
            (value if weight == 1 else value * weight).backward()

    @property
    def samples_signals(self) -> bool:
        """Whether this iteration is one of those whose outputs and gradients are measured."""
        return self.log.samples(self.progress.iteration + 1)

    def _update_discriminator(self) -> None:
        if self.samples_signals:
            self.log.signals.add({"d_gradient_norm": gradient_norm(self.game.d_parameters)})
        with self.phase("optimiser"):
            self.d_optimizer.step()
        for loss in self.losses:
            loss.after_discriminator_step(self.discriminator)
        self.progress.d_updates += 1

    def _update_generator(self) -> None:
        if self.samples_signals:
            self.log.signals.add({"g_gradient_norm": gradient_norm(self.game.g_parameters)})
        with self.phase("optimiser"):
            self.g_optimizer.step()
        for loss in self.losses:
            loss.after_generator_step(self.generator)
        self.progress.g_updates += 1
