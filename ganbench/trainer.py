"""The only file that calls backward or steps an optimiser."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import reduce
from operator import or_
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ganbench.contracts.losses import InputGradients, Loss, Scored, Step, Terms
from ganbench.errors import ContractError, DataError, Diverged
from ganbench.models import ConditionalDiscriminator, ConditionalGenerator
from ganbench.randomness import stream, stream_seed
from ganbench.settings import Schedule
from ganbench.specs import LabeledImages, Window

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


State = dict[str, Any]
"""Tensors, numbers and words in dicts and lists: what `torch.load` takes with weights_only."""


class Objective(Protocol):
    """What adds terms to both players' losses: a loss, or a conditioner of the discriminator."""

    def discriminator_loss(self, step: Step) -> Terms: ...

    def generator_loss(self, step: Step) -> Terms: ...


@dataclass
class Progress:
    """How far training has come. `images` counts real images shown to the discriminator."""

    iteration: int = 0
    images: int = 0
    g_updates: int = 0
    d_updates: int = 0


@dataclass(frozen=True)
class Trained:
    generator: ConditionalGenerator  # with averaged weights, where there is an average
    discriminator: ConditionalDiscriminator
    progress: Progress
    windows: tuple[Window, ...]
    seconds: float


@dataclass(frozen=True)
class Probed:
    """A generator on its way, to be judged."""

    generator: ConditionalGenerator  # a copy
    images: int
    seconds: float  # of training so far


@contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Without gradients for a while; what a plugin froze for good stays frozen."""
    trained = [p for p in module.parameters() if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@dataclass
class Batches:
    """Shuffled batches without end, on the training device, scaled to [-1, 1]; the rest of an
    epoch that fills no batch is dropped."""

    data: LabeledImages
    batch_size: int
    generator: torch.Generator
    device: torch.device
    channels_last: bool
    _order: Tensor = field(default_factory=lambda: torch.empty(0, 0), init=False)  # of an epoch
    _taken: int = field(default=0, init=False)  # batches of it

    def __post_init__(self) -> None:
        if len(self.data) < self.batch_size:
            raise DataError(
                f"the data set has {len(self.data)} images, fewer than one batch of "
                f"{self.batch_size}; lower training.batch_size"
            )
        self._images = self.data.images.to(self.device)
        self._labels = None if self.data.labels is None else self.data.labels.to(self.device)

    def next(self) -> tuple[Tensor, Tensor | None]:
        if self._taken == len(self._order):
            order = torch.randperm(len(self.data), generator=self.generator)
            whole = len(order) // self.batch_size * self.batch_size
            self._order = order[:whole].view(-1, self.batch_size).to(self.device)
            self._taken = 0
        index = self._order[self._taken]
        self._taken += 1
        labels = None if self._labels is None else self._labels[index]
        return self._scaled(self._images[index]), labels

    def state(self) -> State:
        return {
            "generator": self.generator.get_state(),
            "order": self._order.cpu(),
            "taken": self._taken,
        }

    def restore(self, state: State) -> None:
        self.generator.set_state(state["generator"])
        self._order, self._taken = state["order"].to(self.device), state["taken"]

    def _scaled(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float().div_(127.5).sub_(1)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)


class Meter:
    """Sums of terms, kept on the device until a window ends."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, terms: Terms) -> None:
        for name, term in terms.items():
            self._sums[name] = self._sums[name] + term if name in self._sums else term
            self._counts[name] = self._counts.get(name, 0) + 1

    def read(self) -> dict[str, float]:
        means = {name: total.item() / self._counts[name] for name, total in self._sums.items()}
        self._sums, self._counts = {}, {}
        return means


def _check_term(said_by: str, name: str, term: object) -> None:
    if not isinstance(term, Tensor):
        raise ContractError(
            f"{said_by} returned term '{name}' as {type(term).__name__}; terms are scalar tensors"
        )
    if term.ndim:
        raise ContractError(
            f"{said_by} returned term '{name}' with shape {tuple(term.shape)}; "
            "terms are scalars — add .mean()"
        )


class Trainer:
    """Trains both players for one trial's budget."""

    def __init__(
        self,
        generator: ConditionalGenerator,
        discriminator: ConditionalDiscriminator,
        losses: Sequence[Loss],
        data: LabeledImages,
        latent_dim: int,
        schedule: Schedule,
        *,
        seed: int,
        device: torch.device,
        on_window: Callable[[Window], None] = lambda window: None,
        probes: Sequence[int] = (),
        on_probe: Callable[[Probed], None] = lambda probed: None,
    ) -> None:
        """`on_probe` is called when as many images as `probes` say were shown; the clock stands."""
        layout = torch.channels_last if schedule.channels_last else torch.contiguous_format
        self.generator = generator.to(device).to(memory_format=layout).train()
        self.discriminator = discriminator.to(device).to(memory_format=layout).train()
        self.average = copy.deepcopy(generator) if schedule.ema else None
        self.losses = tuple(losses)
        self.objectives: tuple[Objective, ...] = (*losses, discriminator.conditioner)
        self.input_gradients = reduce(or_, (x.input_gradients for x in losses), InputGradients.NONE)
        self.latent_dim = latent_dim
        self.schedule = schedule
        self.device = device
        self.on_window = on_window
        self.probes = sorted(probes)
        self.on_probe = on_probe
        self.g_optimizer = self._optimizer(generator, schedule.g_lr)
        self.d_optimizer = self._optimizer(discriminator, schedule.d_lr)
        self.batches = Batches(
            data, schedule.batch_size, stream(seed, "data"), device, schedule.channels_last
        )
        self.latents = stream(seed, "latents", device)
        torch.manual_seed(stream_seed(seed, "losses"))  # what losses draw themselves
        self.progress = Progress()
        self.windows: list[Window] = []
        self.seconds = 0.0  # of training, up to the last window
        self.d_meter, self.g_meter = Meter(), Meter()

    def run(self) -> Trained:
        """Train until the budget is spent, from wherever `restore` left it. Raises Diverged when a
        loss is not finite."""
        images_per_iteration = self.schedule.n_critic * self.schedule.batch_size
        iterations = math.ceil(round(1000 * self.schedule.kimg) / images_per_iteration)
        last = self.progress.iteration
        clock = self._now()
        for iteration in range(last + 1, iterations + 1):
            self.iterate()
            if self.probes and self.progress.images >= self.probes[0]:
                clock += self._probe(self.seconds + self._now() - clock)
            if iteration % self.schedule.log_every == 0 or iteration == iterations:
                now = self._now()
                self.windows.append(self._window(now - clock, iteration - last))
                self.seconds += now - clock
                self.on_window(self.windows[-1])
                clock, last = self._now(), iteration
        return Trained(
            self._judged_generator(),
            self.discriminator,
            self.progress,
            tuple(self.windows),
            self.seconds,
        )

    def state(self) -> State:
        """All that decides how training goes on, between two windows."""
        return {
            "networks": [net.state_dict() for net in self._networks()],
            "optimizers": [self.g_optimizer.state_dict(), self.d_optimizer.state_dict()],
            "plugins": [dict(vars(plugin)) for plugin in self._plugins()],
            "batches": self.batches.state(),
            "latents": self.latents.get_state(),
            "random": torch.get_rng_state(),
            "device random": [torch.cuda.get_rng_state(device) for device in self._forked()],
            "progress": dict(vars(self.progress)),
            "windows": [asdict(window) for window in self.windows],
            "seconds": self.seconds,
            "probes": list(self.probes),
        }

    def restore(self, state: State) -> None:
        """Go back to where `state` was taken; of the same cell, seed and device."""
        for net, found in zip(self._networks(), state["networks"], strict=True):
            net.load_state_dict(found)
        optimizers = (self.g_optimizer, self.d_optimizer)
        for optimizer, found in zip(optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(found)
        for plugin, found in zip(self._plugins(), state["plugins"], strict=True):
            vars(plugin).update(found)
        self.batches.restore(state["batches"])
        self.latents.set_state(state["latents"])
        torch.set_rng_state(state["random"])
        for device, found in zip(self._forked(), state["device random"], strict=True):
            torch.cuda.set_rng_state(found, device)
        self.progress = Progress(**state["progress"])
        self.windows = [Window(**window) for window in state["windows"]]
        self.seconds, self.probes = state["seconds"], list(state["probes"])

    def _networks(self) -> Iterator[nn.Module]:
        yield self.generator
        yield self.discriminator
        if self.average is not None:
            yield self.average

    def _plugins(self) -> Iterator[object]:
        """Losses and transforms may keep something from one step to the next."""
        yield from self.losses
        yield from self.discriminator.transforms

    def _judged_generator(self) -> ConditionalGenerator:
        return self.average if self.average is not None else self.generator

    def _probe(self, seconds: float) -> float:
        """Show a copy of the generator as it is now. Returns the seconds that this took."""
        began = self._now()
        self.probes = [images for images in self.probes if images > self.progress.images]
        generator = copy.deepcopy(self._judged_generator())
        with torch.random.fork_rng(self._forked()):  # training goes on as if nothing had been drawn
            self.on_probe(Probed(generator, self.progress.images, seconds))
        return self._now() - began

    def _forked(self) -> list[torch.device]:
        return [self.device] if self.device.type == "cuda" else []

    def iterate(self) -> None:
        """`n_critic` steps of the discriminator and one of the generator."""
        if self.schedule.updates == "simultaneous":
            d_terms, g_terms = self.simultaneous_step(*self.batches.next())
            self.d_meter.add(d_terms)
        else:
            for _ in range(self.schedule.n_critic):
                images, labels = self.batches.next()
                self.d_meter.add(self.discriminator_step(images, labels))
            g_terms = self.generator_step(images, labels)
        self.g_meter.add(g_terms)
        self._update_average()
        self.progress.iteration += 1

    def discriminator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        with frozen(self.generator):  # so that fakes carry no graph
            terms = self._discriminator_gradients(images, labels, *self._fakes(labels, len(images)))
        self._update_discriminator()
        return terms

    def generator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        with frozen(self.discriminator):
            terms = self._generator_gradients(images, labels, *self._fakes(labels, len(images)))
        self._update_generator()
        return terms

    def simultaneous_step(self, images: Tensor, labels: Tensor | None) -> tuple[Terms, Terms]:
        """Both gradients at the same weights and for the same fakes, and then both updates."""
        latents, fakes = self._fakes(labels, len(images))
        with frozen(self.generator):
            d_terms = self._discriminator_gradients(images, labels, latents, fakes.detach())
        with frozen(self.discriminator):
            g_terms = self._generator_gradients(images, labels, latents, fakes)
        self._update_discriminator()
        self._update_generator()
        return d_terms, g_terms

    def _fakes(self, labels: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Latents, and the images that the generator makes of them."""
        latents = torch.randn(count, self.latent_dim, generator=self.latents, device=self.device)
        with self._autocast():
            return latents, self.generator(latents, labels)

    def _discriminator_gradients(
        self, images: Tensor, labels: Tensor | None, latents: Tensor, fakes: Tensor
    ) -> Terms:
        with self._autocast():
            step = self._step(images, labels, latents, fakes, self.input_gradients)
            terms = self._merged([(o, o.discriminator_loss(step)) for o in self.objectives])
        return self._backward(self.d_optimizer, terms)

    def _generator_gradients(
        self, images: Tensor, labels: Tensor | None, latents: Tensor, fakes: Tensor
    ) -> Terms:
        with self._autocast():
            step = self._step(images, labels, latents, fakes, InputGradients.NONE)
            terms = self._merged([(o, o.generator_loss(step)) for o in self.objectives])
        return self._backward(self.g_optimizer, terms)

    def _update_discriminator(self) -> None:
        self.d_optimizer.step()
        for loss in self.losses:
            loss.after_discriminator_step(self.discriminator)
        self.progress.images += self.schedule.batch_size
        self.progress.d_updates += 1

    def _update_generator(self) -> None:
        self.g_optimizer.step()
        self.progress.g_updates += 1

    def _step(
        self,
        images: Tensor,
        labels: Tensor | None,
        latents: Tensor,
        fakes: Tensor,
        tracked: InputGradients,
    ) -> Step:
        return Step(
            real=self._score(images, labels, track_inputs=InputGradients.REAL in tracked),
            fake=self._score(fakes, labels, track_inputs=InputGradients.FAKE in tracked),
            latents=latents,
            iteration=self.progress.iteration,
            score=self._score,
            generate=self.generator,
        )

    def _score(
        self, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False
    ) -> Scored:
        return Scored(images, labels, self.discriminator, track_inputs=track_inputs)

    @staticmethod
    def _merged(contributions: list[tuple[object, Terms]]) -> Terms:
        merged: Terms = {}
        for source, terms in contributions:
            said_by = f"'{getattr(source, 'name', type(source).__name__)}'"
            if not isinstance(terms, dict):
                raise ContractError(
                    f"{said_by} returned {type(terms).__name__}, not a dict of named terms"
                )
            for name, term in terms.items():
                _check_term(said_by, name, term)
                if name in merged:
                    raise ContractError(
                        f"{said_by} returned a term '{name}' that another loss returned too; "
                        "terms of one player need different names"
                    )
                merged[name] = term
        if not any(term.requires_grad for term in merged.values()):
            raise ContractError(
                "no term of one player's losses has a gradient; there is none, or it is detached"
            )
        return merged

    @staticmethod
    def _backward(optimizer: torch.optim.Optimizer, terms: Terms) -> Terms:
        optimizer.zero_grad(set_to_none=True)
        torch.stack([term.float() for term in terms.values()]).sum().backward()
        return {name: term.detach() for name, term in terms.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        updates = self.progress.g_updates
        decay = min(self.schedule.ema, (1 + updates) / (10 + updates))  # forget the start quickly
        averaged: list[Tensor] = list(self.average.parameters())
        live: list[Tensor] = list(self.generator.parameters())
        torch._foreach_lerp_(averaged, live, 1 - decay)

    def _window(self, seconds: float, iterations: int) -> Window:
        d_terms, g_terms = self.d_meter.read(), self.g_meter.read()
        where = f"after {self.progress.images / 1000:.1f} kimg"
        for player, terms in (("discriminator", d_terms), ("generator", g_terms)):
            for name, value in terms.items():
                if not math.isfinite(value):
                    raise Diverged(f"the {player}'s term '{name}' became {value} {where}")
        images = iterations * self.schedule.n_critic * self.schedule.batch_size
        return Window(
            kimg=self.progress.images / 1000,
            iteration=self.progress.iteration,
            seconds=seconds,
            images_per_second=images / seconds,
            g_steps_per_second=iterations / seconds,
            d_terms=d_terms,
            g_terms=g_terms,
        )

    def _optimizer(self, module: nn.Module, lr: float) -> torch.optim.Optimizer:
        name = self.schedule.optimizer
        options: dict[str, object] = {"lr": lr}
        if name in ("adam", "adamw"):
            options["betas"] = self.schedule.betas
            options["fused"] = self.device.type in ("cpu", "cuda")
        return OPTIMIZERS[name](module.parameters(), **options)

    def _autocast(self) -> torch.autocast:
        enabled = self.schedule.precision == "bfloat16"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled)

    def _now(self) -> float:
        """The clock, after the device has caught up."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()
