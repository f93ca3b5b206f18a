"""The only file that calls backward or steps an optimiser."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from ganbench.contracts.images import LabeledImages
from ganbench.contracts.losses import Loss, Terms
from ganbench.contracts.steps import Player, Step
from ganbench.errors import Diverged
from ganbench.models import calibration
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.owned import OwnedNetworks
from ganbench.models.parts import ScheduledOption
from ganbench.models.trained import Progress, Snapshot, TrainingResult
from ganbench.records.training_settings import TrainingSettings
from ganbench.records.windows import Window
from ganbench.training import torch_settings
from ganbench.training.batches import Batches
from ganbench.training.changes import Changes, set_beta, set_in_group
from ganbench.training.game import Game, total
from ganbench.training.meters import (
    Meter,
    gradient_norm,
    outputs_of_d,
    share_that_fools_d,
)
from ganbench.training.micro_batches import MicroBatch
from ganbench.training.phases import Phase
from ganbench.training.state import TrainerState, on_device
from ganbench.training.terms import TermSums
from ganbench.util.random_streams import stream, stream_seed, undisturbed

Prior = Callable[[int, torch.Generator, torch.device], Tensor]
"""As an architecture's `latents`: (count, latent_dim) drawn with a generator of that device."""

SIGNAL_SAMPLES = 10
"""So many times a window D's outputs and the gradients' norms are measured."""


class Trainer:
    """Trains both players for one trial's budget.

    `phase` opens each named part of an iteration (see phases.py); who wants to time them sets it.
    """

    def __init__(
        self,
        generator: ConditionalGenerator,
        discriminator: ConditionalDiscriminator,
        losses: Sequence[Loss],
        data: LabeledImages,
        prior: Prior,
        settings: TrainingSettings,
        *,
        seed: int,
        device: torch.device,
        on_window: Callable[[Window], None] = lambda window: None,
        snapshots_at: Sequence[int] = (),
        on_snapshot: Callable[[Snapshot], None] = lambda snapshot: None,
        owned: OwnedNetworks | None = None,
        scheduled: Sequence[ScheduledOption] = (),
    ) -> None:
        """Move both networks to the device, and make optimisers, random streams and meters.

        `generator`, `discriminator`: freshly initialised; they are trained in place.
        `losses`: the loss and its regularizers; the discriminator's conditioner may add terms.
        `data`: real images, shuffled anew each epoch.
        `prior`: draws G's latents.
        `settings`: all else that decides the training.
        `seed`: of the order of images, of latents, fake labels, and what losses draw.
        `on_window`: called with each window of the log, once it is over.
        `snapshots_at`, `on_snapshot`: at which numbers of images shown to D a copy of the judged
        generator is handed over; the training's clock stands meanwhile.
        `owned`: networks of the losses and of the discriminator's conditioner.
        `scheduled`: options of the losses and transforms that change while they train.
        """
        layout = torch_settings.memory_format(settings)
        self.generator = generator.to(device).to(memory_format=layout).train()
        self.discriminator = discriminator.to(device).to(memory_format=layout).train()
        self.owned = OwnedNetworks() if owned is None else owned
        for networks in self.owned:
            networks.to(device).train()
        each = settings.n_critic * settings.batch_size
        self.iterations = math.ceil(round(1000 * settings.kimg) / each)  # of the whole budget
        self.game = Game(
            self.generator, self.discriminator, losses, self.owned, iterations=self.iterations
        )
        self.average = copy.deepcopy(generator) if settings.ema else None
        self.own_average = copy.deepcopy(self.owned.generator) if settings.ema else None
        self.averaged: list[Tensor] = []
        if self.average is not None and self.own_average is not None:
            self.averaged = [*self.average.parameters(), *self.own_average.parameters()]
        self.losses = self.game.losses
        self.prior = prior
        self.settings = settings
        self.device = device
        self.on_window = on_window
        self.snapshots_at = sorted(snapshots_at)
        self.on_snapshot = on_snapshot
        torch_settings.compile_networks(settings, generator, discriminator, losses)
        self.changes = Changes(self.iterations * each)
        beta1, beta2 = map(self.changes.first, settings.betas)
        at_first = replace(settings, betas=(beta1, beta2))
        self.g_optimizer = torch_settings.make_optimizer(
            at_first, self.game.g_parameters, self.changes.first(settings.g_lr), device
        )
        self.d_optimizer = torch_settings.make_optimizer(
            at_first, self.game.d_parameters, self.changes.first(settings.d_lr), device
        )
        self._follow_schedules(scheduled)
        self._autocast = torch_settings.autocast(settings, device)
        self._now = partial(torch_settings.synchronized_seconds, device)
        self.batches = Batches(
            data, settings.batch_size, stream(seed, "data"), device, settings.channels_last
        )
        # An odd stride meets every phase of what happens at each 2nd, 4th, 8th, … iteration.
        self.sample_every = self._window // settings.n_critic // SIGNAL_SAMPLES | 1
        self.latents = stream(seed, "latents", device)
        self.fake_labels = stream(seed, "fake labels", device)
        torch.manual_seed(stream_seed(seed, "losses"))  # what losses draw themselves
        self.windows: list[Window] = []
        self.seconds = 0.0  # of training, up to the last window
        self.d_meter, self.g_meter, self.signals = Meter(), Meter(), Meter()

    def _follow_schedules(self, scheduled: Sequence[ScheduledOption]) -> None:
        settings, follow = self.settings, self.changes.follow
        for find, lr in (
            (lambda: self.g_optimizer, settings.g_lr),
            (lambda: self.d_optimizer, settings.d_lr),
        ):
            follow(lr, partial(set_in_group, find, "lr"))
            for i, beta in enumerate(settings.betas):
                follow(beta, partial(set_beta, find, i))
        for option in scheduled:
            follow(option.schedule, partial(setattr, option.plugin, option.name))
        networks = (self.generator, self.discriminator, *self.owned)
        self.changes.tell(networks, self.discriminator.transforms)

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

    @property
    def judged_generator(self) -> ConditionalGenerator:
        """The generator that is sampled and judged: the average, where there is one.

        Its weights are averaged; what it keeps beside them is the live generator's.
        """
        if self.average is None:
            return self.generator
        calibration.copy_buffers(self.generator, self.average)
        return self.average

    @property
    def judged_owned(self) -> dict[Player, nn.ModuleDict]:
        """The networks of plugins' own by the player that trains them; averaged as G is."""
        of_generator = self.owned.generator
        if self.own_average is not None:
            calibration.copy_buffers(of_generator, self.own_average)
            of_generator = self.own_average
        return {"generator": of_generator, "discriminator": self.owned.discriminator}

    def run(self) -> TrainingResult:
        """Train until the budget is spent, from wherever `restore` left it.

        Raises Diverged when a term or a signal of a window is not finite, ContractError when a
        plugin breaks its promise.
        """
        last = self.progress.iteration
        clock = self._now()
        for iteration in range(last + 1, self.iterations + 1):
            self.iterate()
            if self.snapshots_at and self.progress.images >= self.snapshots_at[0]:
                clock += self._take_snapshot(self.seconds + self._now() - clock)
            if self._ends_window(iteration):
                now = self._now()
                self.windows.append(self.close_window(now - clock, iteration - last))
                self.seconds += now - clock
                self.on_window(self.windows[-1])
                clock, last = self._now(), iteration
        return TrainingResult(
            self.judged_generator,
            self.discriminator,
            self.progress,
            tuple(self.windows),
            self.seconds,
            self.judged_owned,
        )

    @property
    def _window(self) -> int:
        """The batches of D in a window of the log."""
        every = self.settings.log_every
        return self.batches.per_epoch if every == "epoch" else every * self.settings.n_critic

    def _ends_window(self, iteration: int) -> bool:
        """Whether an iteration is the first that reaches a window's end, or the last of all."""
        n_critic, window = self.settings.n_critic, self._window
        reached = n_critic * iteration // window > n_critic * (iteration - 1) // window
        return reached or iteration == self.iterations

    def state(self) -> TrainerState:
        """Return all that decides how training goes on, between two windows."""
        return TrainerState(
            networks=[net.state_dict() for net in self._networks()],
            optimizers=[self.g_optimizer.state_dict(), self.d_optimizer.state_dict()],
            plugins=[dict(vars(plugin)) for plugin in self._plugins()],
            batches=self.batches.state(),
            latents=self.latents.get_state(),
            fake_labels=self.fake_labels.get_state(),
            random=torch.get_rng_state(),
            device_random=[torch.cuda.get_rng_state(device) for device in self.cuda_devices],
            progress=replace(self.progress),
            windows=list(self.windows),
            seconds=self.seconds,
            snapshots_at=list(self.snapshots_at),
        )

    def restore(self, state: TrainerState) -> None:
        """Go back to where `state` was taken; of the same cell, seed and device."""
        for net, found in zip(self._networks(), state.networks, strict=True):
            net.load_state_dict(found)
        optimizers = (self.g_optimizer, self.d_optimizer)
        for optimizer, found in zip(optimizers, state.optimizers, strict=True):
            optimizer.load_state_dict(found)
        for plugin, found in zip(self._plugins(), state.plugins, strict=True):
            vars(plugin).update(on_device(found, self.device))
        self.batches.restore(state.batches)
        self.latents.set_state(state.latents)
        self.fake_labels.set_state(state.fake_labels)
        torch.set_rng_state(state.random)
        for device, random in zip(self.cuda_devices, state.device_random, strict=True):
            torch.cuda.set_rng_state(random, device)
        self.game.progress = replace(state.progress)
        self.windows = list(state.windows)
        self.seconds, self.snapshots_at = state.seconds, list(state.snapshots_at)

    def _networks(self) -> Iterator[nn.Module]:
        yield self.generator
        yield self.discriminator
        if self.average is not None:
            yield self.average
        if self.owned:
            yield from self.owned
            if self.own_average is not None:
                yield self.own_average

    def _plugins(self) -> Iterator[object]:
        """Losses and transforms may keep something from one step to the next."""
        yield from self.losses
        yield from self.discriminator.transforms

    def _take_snapshot(self, seconds: float) -> float:
        """Hand over a copy of the generator as it is now, and return the seconds that this took."""
        began = self._now()
        self.snapshots_at = [n for n in self.snapshots_at if n > self.progress.images]
        generator = calibration.copied(self.judged_generator)
        # Training goes on as if nothing had been drawn.
        with undisturbed(self.cuda_devices):
            self.on_snapshot(Snapshot(generator, self.progress.images, seconds))
        return self._now() - began

    @property
    def cuda_devices(self) -> list[torch.device]:
        """The devices whose generators count beside the CPU's."""
        return [self.device] if self.device.type == "cuda" else []

    def iterate(self) -> None:
        """Make `n_critic` steps of the discriminator and one of the generator."""
        if self.changes:
            self.changes.apply(self.progress.images)
        if self.settings.compile == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()  # what the last iteration made may go
        if self.settings.updates == "simultaneous":
            images, labels = self._next_batch()
            with self.phase("simultaneous step"):
                d_terms, g_terms = self.simultaneous_step(images, labels)
            self.d_meter.add(d_terms)
        else:
            for _ in range(self.settings.n_critic):
                images, labels = self._next_batch()
                with self.phase("discriminator step"):
                    d_terms = self.discriminator_step(images, labels)
                self.d_meter.add(d_terms)
            with self.phase("generator step"):
                g_terms = self.generator_step(images, labels)
        self.g_meter.add(g_terms)
        with self.phase("average of weights"):
            self._update_average()
        self.progress.iteration += 1
        if self.changes and self.progress.iteration == self.iterations:
            self.changes.apply(self.progress.images)  # as it is judged: all of the budget is spent

    def discriminator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        """Update D once by a batch (N, C, H, W) of real images and as many fakes.

        Returns the detached terms of D's losses.
        """
        self.d_optimizer.zero_grad(set_to_none=True)
        sums = TermSums()
        for micro_batch in self._micro_batches(images, labels):
            with self.game.turn("discriminator"):  # so that fakes carry no graph
                terms = self._gradients("discriminator", micro_batch, self._generated(micro_batch))
            sums.add(terms, micro_batch.weight)
        self._update_discriminator()
        return sums.terms

    def generator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        """Update G once, by fakes for the labels of a batch (N, C, H, W) of real images.

        Returns the detached terms of G's losses.
        """
        self.g_optimizer.zero_grad(set_to_none=True)
        sums = TermSums()
        for micro_batch in self._micro_batches(images, labels):
            with self.game.turn("generator"):
                terms = self._gradients("generator", micro_batch, self._generated(micro_batch))
            sums.add(terms, micro_batch.weight)
        self._update_generator()
        return sums.terms

    def simultaneous_step(self, images: Tensor, labels: Tensor | None) -> tuple[Terms, Terms]:
        """Take both gradients at the same weights and for the same fakes, and then update both.

        Returns the detached terms of D's losses and of G's.
        """
        self.d_optimizer.zero_grad(set_to_none=True)
        self.g_optimizer.zero_grad(set_to_none=True)
        d_sums, g_sums = TermSums(), TermSums()
        for micro_batch in self._micro_batches(images, labels):
            fakes, weight = self._generated(micro_batch), micro_batch.weight
            with self.game.turn("discriminator"):
                d_terms = self._gradients("discriminator", micro_batch, fakes.detach())
            d_sums.add(d_terms, weight)
            with self.game.turn("generator"):
                g_sums.add(self._gradients("generator", micro_batch, fakes), weight)
        self._update_discriminator()
        self._update_generator()
        return d_sums.terms, g_sums.terms

    def _next_batch(self) -> tuple[Tensor, Tensor | None]:
        with self.phase("data"):
            return self.batches.next()

    def _micro_batches(self, images: Tensor, labels: Tensor | None) -> Iterator[MicroBatch]:
        """Yield what goes through the networks at once.

        Latents and fakes' labels are drawn for the whole batch.
        """
        count = len(images)
        with self.phase("latents"):
            latents = self.prior(count, self.latents, self.device)
        fake_labels = labels
        if self.settings.fake_labels == "random" and labels is not None:
            num_classes = self.generator.image.num_classes
            fake_labels = torch.randint(
                num_classes, (count,), generator=self.fake_labels, device=self.device
            )
        whole = MicroBatch(images, labels, latents, fake_labels, 1.0)
        yield from whole.split(self.settings.micro_batch or count)

    def _generated(self, micro_batch: MicroBatch) -> Tensor:
        with self._autocast():
            return self.generator(micro_batch.latents, micro_batch.fake_labels)

    def _gradients(self, player: Player, micro_batch: MicroBatch, fakes: Tensor) -> Terms:
        with self._autocast():
            step = self.game.step(player, micro_batch, fakes)
            terms = self.game.terms(player, step)
        self._backward(terms, micro_batch.weight)
        if player == "discriminator" and self.game.observers:
            with self._autocast():
                self.game.observe(step)
        if self.samples_signals:
            self.signals.add(self._signals(player, step))
        return {name: term.detach() for name, term in terms.items()}

    def _signals(self, player: Player, step: Step) -> Terms:
        boundary = self.losses[0].boundary
        if player == "discriminator":
            return outputs_of_d(step.real, step.fake, boundary)
        return share_that_fools_d(step.fake, boundary)

    def _backward(self, terms: Terms, weight: float) -> None:
        with self.phase("backward"):
            value = total(terms)
            (value if weight == 1 else value * weight).backward()

    @property
    def samples_signals(self) -> bool:
        """Whether this iteration is one of those whose outputs and gradients are measured."""
        return not (self.progress.iteration + 1) % self.sample_every

    def _update_discriminator(self) -> None:
        if self.samples_signals:
            self.signals.add({"d_gradient_norm": gradient_norm(self.game.d_parameters)})
        with self.phase("optimiser"):
            self.d_optimizer.step()
        for loss in self.losses:
            loss.after_discriminator_step(self.discriminator)
        self.progress.images += self.settings.batch_size
        self.progress.d_updates += 1

    def _update_generator(self) -> None:
        if self.samples_signals:
            self.signals.add({"g_gradient_norm": gradient_norm(self.game.g_parameters)})
        with self.phase("optimiser"):
            self.g_optimizer.step()
        for loss in self.losses:
            loss.after_generator_step(self.generator)
        self.progress.g_updates += 1

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        updates = self.progress.g_updates
        decay = min(self.settings.ema, (1 + updates) / (10 + updates))  # forget the start quickly
        torch._foreach_lerp_(self.averaged, self.game.g_parameters, 1 - decay)

    def close_window(self, seconds: float, iterations: int) -> Window:
        """Return the means of the last iterations, which took so long, and begin the next window.

        Raises Diverged where one is not finite.
        """
        with self.phase("logging"):
            d_terms, g_terms = self.d_meter.read(), self.g_meter.read()
            signals = self.signals.read()
        self._check_finite(d_terms, g_terms, signals)
        images = iterations * self.settings.n_critic * self.settings.batch_size
        return Window(
            kimg=self.progress.images / 1000,
            iteration=self.progress.iteration,
            seconds=seconds,
            images_per_second=images / seconds,
            g_steps_per_second=iterations / seconds,
            d_terms=d_terms,
            g_terms=g_terms,
            signals=signals,
            epoch=self.progress.iteration * self.settings.n_critic / self.batches.per_epoch,
            progress=min(self.progress.iteration / self.iterations, 1.0),
        )

    def _check_finite(
        self, d_terms: dict[str, float], g_terms: dict[str, float], signals: dict[str, float]
    ) -> None:
        named = {
            **{f"the discriminator's term '{name}'": value for name, value in d_terms.items()},
            **{f"the generator's term '{name}'": value for name, value in g_terms.items()},
            **{name.replace("_", " "): value for name, value in signals.items()},
        }
        for name, value in named.items():
            if not math.isfinite(value):
                where = f"after {self.progress.images / 1000:.1f} kimg"
                raise Diverged(f"{name} became {value} {where}")
