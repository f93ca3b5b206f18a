"""A training from its first iteration to its last: what is around the steps of both players."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from ganbench.contracts.images import LabeledImages
from ganbench.contracts.losses import Loss
from ganbench.contracts.optimizers import Optimizer
from ganbench.contracts.steps import Player
from ganbench.models import calibration, initial_weights
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.owned import OwnedNetworks
from ganbench.models.parts import ScheduledOption
from ganbench.models.trained import Snapshot, TrainingResult
from ganbench.records.training_settings import TrainingSettings
from ganbench.records.windows import Window
from ganbench.training import batch_norm, graphs, torch_settings
from ganbench.training.averages import Average
from ganbench.training.batches import Batches
from ganbench.training.changes import Changes
from ganbench.training.game import Game
from ganbench.training.log import Log
from ganbench.training.meters import average
from ganbench.training.optimizers import PlayerOptimizer
from ganbench.training.ranks import Ranks
from ganbench.training.state import Stateful, TrainerState
from ganbench.training.steps import Prior, Steps
from ganbench.util.random_streams import accelerators, seed_all, stream, undisturbed

LOOK_SECONDS = 5.0  # between two looks at a window that is open


class Trainer(Steps):
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
        on_open: Callable[[Window], None] | None = None,
        snapshots_at: Sequence[int] = (),
        on_snapshot: Callable[[Snapshot], None] = lambda snapshot: None,
        owned: OwnedNetworks | None = None,
        scheduled: Sequence[ScheduledOption] = (),
        optimizers: tuple[Optimizer, Optimizer],
    ) -> None:
        """Move both networks to the device, and make optimisers, random streams and meters.

        `generator`, `discriminator`: freshly initialised; they are trained in place.
        `losses`: the loss and its regularizers; the discriminator's conditioner may add terms.
        `data`: real images, shuffled anew each epoch.
        `prior`: draws G's latents.
        `settings`: all else that decides the training.
        `seed`: of the order of images, of latents, fake labels, and what losses draw.
        `on_window`: called with each window of the log, once it is over.
        `on_open`: called every few seconds with the window that is open, if it lasts so long.
        `snapshots_at`, `on_snapshot`: at which numbers of images shown to D a copy of the judged
        generator is handed over; the training's clock stands meanwhile.
        `owned`: networks of the losses and of the discriminator's conditioner.
        `scheduled`: options of the losses and transforms that change while they train.
        `optimizers`: G's and D's, which the settings name.
        """
        layout = torch_settings.memory_format(settings)
        self.generator = generator.to(device).to(memory_format=layout).train()
        self.discriminator = discriminator.to(device).to(memory_format=layout).train()
        self.owned = OwnedNetworks() if owned is None else owned
        for networks in self.owned:
            networks.to(device).train()
        self.iterations = settings.iterations
        self.ranks = Ranks.of(settings)
        self.game = Game(
            self.generator, self.discriminator, losses, self.owned, iterations=self.iterations
        )
        self.changes = Changes(self.iterations * settings.images_per_iteration)
        self.average = (
            Average(generator, self.owned.generator, settings, self.changes)
            if settings.ema
            else None
        )
        self.losses = self.game.losses
        self.prior = prior
        self.settings = settings
        self.device = device
        self.on_window, self.on_open = on_window, on_open
        self.snapshots_at = sorted(snapshots_at)
        self.on_snapshot = on_snapshot
        torch_settings.compile_networks(settings, generator, discriminator, losses)
        optimizer = partial(PlayerOptimizer, settings=settings, changes=self.changes)
        self.g_optimizer = optimizer(optimizers[0], "generator", self.game.g_parameters)
        self.d_optimizer = optimizer(optimizers[1], "discriminator", self.game.d_parameters)
        for option in scheduled:
            self.changes.follow(option.schedule, partial(setattr, option.plugin, option.name))
        players = (self.generator, self.discriminator, *self.owned)
        self.changes.tell(players, self.discriminator.transforms)
        self._rounding = torch_settings.rounding(settings)
        self._forward = torch_settings.autocast(settings, device)
        if settings.batch_norm == "synchronised" and self.ranks.count > 1:
            self._forward = batch_norm.synchronised(self._forward, self.ranks)
        self._now = partial(torch_settings.synchronized_seconds, device)
        self.batches = Batches(
            data,
            settings.batch_size,
            stream(seed, "data"),
            device,
            settings.channels_last,
            ranks=self.ranks,
            balanced=settings.batches == "balanced",
        )
        self.log = Log(settings, self.batches.per_epoch, self.iterations)
        self.latents = stream(seed, "latents", device)
        self.fake_labels = stream(seed, "fake labels", device)
        seed_all(seed, self.ranks.stream("losses"))  # what losses draw themselves
        self.stateful = self._all_that_changes()
        self.whole = graphs.of(self, self.changes)

    @property
    def judged_generator(self) -> ConditionalGenerator:
        """The generator that is sampled and judged: the average, where there is one.

        Its weights are averaged; what it keeps beside them is the live generator's.
        """
        if self.average is None:
            return self.generator
        self.average.copy_buffers()
        return self.average.generator

    @property
    def judged_owned(self) -> dict[Player, nn.ModuleDict]:
        """The networks of plugins' own by the player that trains them; averaged as G is."""
        of_generator = self.owned.generator
        if self.average is not None:
            self.average.copy_buffers()
            of_generator = self.average.own
        return {"generator": of_generator, "discriminator": self.owned.discriminator}

    def begin(self) -> None:
        """Take the weights of the model that the settings name, if any, before anything is trained.

        Raises DataError where it is not there as it was.
        """
        if self.settings.init_from is None:
            return
        initial_weights.load(self.settings.init_from, (self.generator, self.discriminator))
        if self.average is not None:
            self.average.generator.load_state_dict(self.generator.state_dict())

    def run(self) -> TrainingResult:
        """Train until the budget is spent, from wherever `restore` left it.

        Raises Diverged when a term or a signal of a window is not finite, ContractError when a
        plugin breaks its promise.
        """
        last = self.progress.iteration
        clock, next_look = self._now(), time.monotonic() + LOOK_SECONDS
        for iteration in range(last + 1, self.iterations + 1):
            self.iterate()
            if self.snapshots_at and self.progress.images >= self.snapshots_at[0]:
                clock += self._take_snapshot(self.log.seconds + self._now() - clock)
            if self.log.ends_window(iteration):
                self.on_window(self.close_window(self._now() - clock, iteration - last))
                clock, last = self._now(), iteration
            elif self.on_open and time.monotonic() >= next_look:
                self.on_open(self.log.so_far(self.progress, self._now() - clock, iteration - last))
                next_look = time.monotonic() + LOOK_SECONDS
        return TrainingResult(
            self.judged_generator,
            self.discriminator,
            self.progress,
            tuple(self.log.windows),
            self.log.seconds,
            self.judged_owned,
            self.whole.why_not if self.whole else "",
        )

    def state(self) -> TrainerState:
        """Return all that decides how training goes on, between two windows."""
        return self.stateful.state(
            progress=replace(self.progress),
            windows=list(self.log.windows),
            seconds=self.log.seconds,
            snapshots_at=list(self.snapshots_at),
        )

    def restore(self, state: TrainerState) -> None:
        """Go back to where `state` was taken; of the same cell, seed and device."""
        self.stateful.restore(state)
        self.game.progress = replace(state.progress)
        self.log.windows, self.log.seconds = list(state.windows), state.seconds
        self.snapshots_at = list(state.snapshots_at)
        # What was captured holds what optimisers kept then.
        self.whole = graphs.of(self, self.changes)

    def _all_that_changes(self) -> Stateful:
        networks: list[nn.Module] = [self.generator, self.discriminator]
        if self.average is not None:
            networks.append(self.average.generator)
        if self.owned:
            networks += self.owned
            if self.average is not None:
                networks.append(self.average.own)
        return Stateful(
            networks=networks,
            optimizers=(self.g_optimizer.torch, self.d_optimizer.torch),
            plugins=(*self.losses, *self.discriminator.transforms),
            batches=self.batches,
            latents=self.latents,
            fake_labels=self.fake_labels,
            device=self.device,
            ranks=self.ranks,
        )

    def _take_snapshot(self, seconds: float) -> float:
        """Hand over a copy of the generator as it is now, and return the seconds that this took."""
        began = self._now()
        self.snapshots_at = [n for n in self.snapshots_at if n > self.progress.images]
        generator = calibration.copied(self.judged_generator)
        # Training goes on as if nothing had been drawn.
        with undisturbed(accelerators(self.device)):
            self.on_snapshot(Snapshot(generator, self.progress.images, seconds))
        return self._now() - began

    def iterate(self) -> None:
        """Make `n_critic` steps of the discriminator and `n_gen` of the generator."""
        with self._rounding():
            self._iterate()

    def _iterate(self) -> None:
        if self.changes:
            self.changes.apply(self.progress.images)
        if self.settings.compile == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()  # what the last iteration made may go
        if self.whole is None or not self.whole.iterate():
            self.play(self.next_batch)
        if self.average is not None:
            with self.phase("average of weights"):
                self.average.update(self.progress)
        self.progress.iteration += 1
        if self.changes and self.progress.iteration == self.iterations:
            self.changes.apply(self.progress.images)  # as it is judged: all of the budget is spent

    def close_window(self, seconds: float, iterations: int) -> Window:
        """Return a window of the log of the last iterations, which took so long.

        Raises Diverged where one of its means is not finite, ContractError where the processes have
        come apart.
        """
        with self.phase("logging"):
            average((self.log.d_meter, self.log.g_meter, self.log.signals), self.ranks)
            window = self.log.close(self.progress, seconds, iterations)
            self.ranks.check_alike([*self.game.g_parameters, *self.game.d_parameters])
        return window
