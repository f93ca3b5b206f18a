"""The only file that calls backward or steps an optimiser."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add, or_
from typing import Protocol

import torch
from torch import Tensor, nn

from ganbench.contracts.images import LabeledImages
from ganbench.contracts.losses import InputGradients, Loss, Scored, Step, Terms
from ganbench.errors import ContractError, Diverged
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.models.trained import Probed, Progress, Trained
from ganbench.records.schedule import Schedule
from ganbench.records.windows import Window
from ganbench.training.batches import Batches, State
from ganbench.training.meters import (
    Meter,
    TermSums,
    gradient_norm,
    outputs_of_d,
    share_that_fools_d,
)
from ganbench.util.random_streams import stream, stream_seed

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "rmsprop": torch.optim.RMSprop,
    "sgd": torch.optim.SGD,
}


Prior = Callable[[int, torch.Generator, torch.device], Tensor]
"""As an architecture's `latents`: (count, latent_dim) drawn with a generator of that device."""

LOOKS = 10  # at D's outputs and the gradients, in each window


class Objective(Protocol):
    """What adds terms to both players' losses: a loss, or a conditioner of the discriminator."""

    def discriminator_loss(self, step: Step) -> Terms: ...

    def generator_loss(self, step: Step) -> Terms: ...


@contextmanager
def frozen(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Without gradients for a while; what a plugin froze for good stays frozen."""
    trained = [p for p in parameters if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)


@dataclass(frozen=True)
class Piece:
    """A part of a batch, or all of it, with what its fakes are made from."""

    images: Tensor
    labels: Tensor | None
    latents: Tensor
    fake_labels: Tensor | None
    share: float  # of the batch

    def split(self, size: int) -> Iterator[Piece]:
        if len(self.images) <= size:
            yield self
            return
        for start in range(0, len(self.images), size):
            part = slice(start, start + size)
            images, latents = self.images[part], self.latents[part]
            labels = None if self.labels is None else self.labels[part]
            fake_labels = None if self.fake_labels is None else self.fake_labels[part]
            yield Piece(images, labels, latents, fake_labels, len(images) / len(self.images))


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
        prior: Prior,
        schedule: Schedule,
        *,
        seed: int,
        device: torch.device,
        num_classes: int = 0,
        on_window: Callable[[Window], None] = lambda window: None,
        probes: Sequence[int] = (),
        on_probe: Callable[[Probed], None] = lambda probed: None,
    ) -> None:
        """`on_probe` is called when as many images as `probes` say were shown; the clock stands."""
        layout = torch.channels_last if schedule.channels_last else torch.contiguous_format
        self.generator = generator.to(device).to(memory_format=layout).train()
        self.discriminator = discriminator.to(device).to(memory_format=layout).train()
        self.average = copy.deepcopy(generator) if schedule.ema else None
        # Listed once: walking through the modules takes a small network's step much longer.
        self.g_parameters: list[Tensor] = [*generator.parameters()]
        self.d_parameters: list[Tensor] = [*discriminator.parameters()]
        self.averaged: list[Tensor] = [] if self.average is None else [*self.average.parameters()]
        self.losses = tuple(losses)
        self.objectives: tuple[Objective, ...] = (*losses, discriminator.conditioner)
        self.input_gradients = reduce(or_, (x.input_gradients for x in losses), InputGradients.NONE)
        self.prior = prior
        self.num_classes = num_classes
        self.schedule = schedule
        self.device = device
        self.on_window = on_window
        self.probes = sorted(probes)
        self.on_probe = on_probe
        if schedule.compile != "none":
            self._compile(None if schedule.compile == "default" else schedule.compile)
        self.g_optimizer = self._optimizer(generator, schedule.g_lr)
        self.d_optimizer = self._optimizer(discriminator, schedule.d_lr)
        self.batches = Batches(
            data, schedule.batch_size, stream(seed, "data"), device, schedule.channels_last
        )
        self.latents = stream(seed, "latents", device)
        self.fake_labels = stream(seed, "fake labels", device)
        torch.manual_seed(stream_seed(seed, "losses"))  # what losses draw themselves
        self.progress = Progress()
        self.windows: list[Window] = []
        self.seconds = 0.0  # of training, up to the last window
        self.d_meter, self.g_meter, self.signals = Meter(), Meter(), Meter()

    @property
    def iterations(self) -> int:
        """Of the whole budget."""
        images_per_iteration = self.schedule.n_critic * self.schedule.batch_size
        return math.ceil(round(1000 * self.schedule.kimg) / images_per_iteration)

    def run(self) -> Trained:
        """Train until the budget is spent, from wherever `restore` left it. Raises Diverged when a
        loss is not finite."""
        iterations = self.iterations
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
            "fake labels": self.fake_labels.get_state(),
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
        self.fake_labels.set_state(state["fake labels"])
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
        if self.schedule.compile == "reduce-overhead":
            torch.compiler.cudagraph_mark_step_begin()  # what the last iteration made may go
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
        self.d_optimizer.zero_grad(set_to_none=True)
        sums = TermSums()
        for piece in self._pieces(images, labels):
            with frozen(self.g_parameters):  # so that fakes carry no graph
                terms = self._discriminator_gradients(piece, self._generated(piece))
            sums.add(terms, piece.share)
        self._update_discriminator()
        return sums.terms

    def generator_step(self, images: Tensor, labels: Tensor | None) -> Terms:
        self.g_optimizer.zero_grad(set_to_none=True)
        sums = TermSums()
        for piece in self._pieces(images, labels):
            with frozen(self.d_parameters):
                terms = self._generator_gradients(piece, self._generated(piece))
            sums.add(terms, piece.share)
        self._update_generator()
        return sums.terms

    def simultaneous_step(self, images: Tensor, labels: Tensor | None) -> tuple[Terms, Terms]:
        """Both gradients at the same weights and for the same fakes, and then both updates."""
        self.d_optimizer.zero_grad(set_to_none=True)
        self.g_optimizer.zero_grad(set_to_none=True)
        d_sums, g_sums = TermSums(), TermSums()
        for piece in self._pieces(images, labels):
            fakes = self._generated(piece)
            with frozen(self.g_parameters):
                d_sums.add(self._discriminator_gradients(piece, fakes.detach()), piece.share)
            with frozen(self.d_parameters):
                g_sums.add(self._generator_gradients(piece, fakes), piece.share)
        self._update_discriminator()
        self._update_generator()
        return d_sums.terms, g_sums.terms

    def _pieces(self, images: Tensor, labels: Tensor | None) -> Iterator[Piece]:
        """What goes through the networks at once, with latents drawn for the whole batch."""
        count = len(images)
        latents = self.prior(count, self.latents, self.device)
        fake_labels = labels
        if self.schedule.fake_labels == "random" and labels is not None:
            fake_labels = torch.randint(
                self.num_classes, (count,), generator=self.fake_labels, device=self.device
            )
        whole = Piece(images, labels, latents, fake_labels, 1.0)
        yield from whole.split(self.schedule.micro_batch or count)

    def _generated(self, piece: Piece) -> Tensor:
        with self._autocast():
            return self.generator(piece.latents, piece.fake_labels)

    def _discriminator_gradients(self, piece: Piece, fakes: Tensor) -> Terms:
        with self._autocast():
            step = self._step(piece, fakes, self.input_gradients)
            terms = self._merged([(o, o.discriminator_loss(step)) for o in self.objectives])
        self._backward(terms, piece.share)
        if self._looking:
            self.signals.add(outputs_of_d(step.real, step.fake, self._boundary))
        return {name: term.detach() for name, term in terms.items()}

    def _generator_gradients(self, piece: Piece, fakes: Tensor) -> Terms:
        with self._autocast():
            step = self._step(piece, fakes, InputGradients.NONE)
            terms = self._merged([(o, o.generator_loss(step)) for o in self.objectives])
        self._backward(terms, piece.share)
        if self._looking:
            self.signals.add(share_that_fools_d(step.fake, self._boundary))
        return {name: term.detach() for name, term in terms.items()}

    @property
    def _looking(self) -> bool:
        """Whether this iteration is one of those whose outputs and gradients are measured."""
        # An odd stride meets every phase of what happens at each 2nd, 4th, 8th, … iteration.
        return not (self.progress.iteration + 1) % (self.schedule.log_every // LOOKS | 1)

    @property
    def _boundary(self) -> float | None:
        return self.losses[0].boundary

    def _update_discriminator(self) -> None:
        if self._looking:
            norm = gradient_norm(self.d_parameters)
            self.signals.add({"d_gradient_norm": norm})
        self.d_optimizer.step()
        for loss in self.losses:
            loss.after_discriminator_step(self.discriminator)
        self.progress.images += self.schedule.batch_size
        self.progress.d_updates += 1

    def _update_generator(self) -> None:
        if self._looking:
            self.signals.add({"g_gradient_norm": gradient_norm(self.g_parameters)})
        self.g_optimizer.step()
        self.progress.g_updates += 1

    def _step(self, piece: Piece, fakes: Tensor, tracked: InputGradients) -> Step:
        real, fake = InputGradients.REAL in tracked, InputGradients.FAKE in tracked
        return Step(
            real=self._score(piece.images, piece.labels, track_inputs=real),
            fake=self._score(fakes, piece.fake_labels, track_inputs=fake),
            latents=piece.latents,
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
    def _backward(terms: Terms, share: float) -> None:
        total = reduce(add, [term.float() for term in terms.values()])
        (total if share == 1 else total * share).backward()

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is None:
            return
        updates = self.progress.g_updates
        decay = min(self.schedule.ema, (1 + updates) / (10 + updates))  # forget the start quickly
        torch._foreach_lerp_(self.averaged, self.g_parameters, 1 - decay)

    def _window(self, seconds: float, iterations: int) -> Window:
        d_terms, g_terms, signals = self.d_meter.read(), self.g_meter.read(), self.signals.read()
        where = f"after {self.progress.images / 1000:.1f} kimg"
        for player, terms in (("discriminator", d_terms), ("generator", g_terms)):
            for name, value in terms.items():
                if not math.isfinite(value):
                    raise Diverged(f"the {player}'s term '{name}' became {value} {where}")
        for name, value in signals.items():
            if not math.isfinite(value):
                raise Diverged(f"{name.replace('_', ' ')} became {value} {where}")
        images = iterations * self.schedule.n_critic * self.schedule.batch_size
        return Window(
            kimg=self.progress.images / 1000,
            iteration=self.progress.iteration,
            seconds=seconds,
            images_per_second=images / seconds,
            g_steps_per_second=iterations / seconds,
            d_terms=d_terms,
            g_terms=g_terms,
            signals=signals,
        )

    def _compile(self, mode: str | None) -> None:
        self.generator.compile(mode=mode)
        if not self.input_gradients:  # compiled modules cannot be differentiated twice
            self.discriminator.compile(mode=mode)

    def _optimizer(self, module: nn.Module, lr: float) -> torch.optim.Optimizer:
        name = self.schedule.optimizer
        options: dict[str, object] = {"lr": lr}
        if name in ("adam", "adamw"):
            options["betas"] = self.schedule.betas
            options["fused"] = self.device.type in ("cpu", "cuda")
        return OPTIMIZERS[name](module.parameters(), **options)

    def _autocast(self) -> AbstractContextManager[None]:
        if self.schedule.precision == "float32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _now(self) -> float:
        """The clock, after the device has caught up."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()
