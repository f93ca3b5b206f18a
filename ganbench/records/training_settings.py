"""What a cell's training is told, once the plan has resolved every default."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Literal

from ganbench.records.schedules import Schedule
from ganbench.records.windows import Unit

Precision = Literal["float32", "tf32", "bfloat16"]
Control = Literal["test", "train-half", "drop-class", "memorised"]
FakeLabels = Literal["real", "random"]
Compile = Literal["none", "default", "reduce-overhead", "graph"]
Updates = Literal["alternating", "simultaneous"]
CriticBatches = Literal["own", "shared"]
BatchesOf = Literal["shuffled", "balanced"]
BatchNorm = Literal["local", "synchronised"]
SpectralNorm = Literal["each-pass", "each-step"]
PlayerName = Literal["generator", "discriminator"]


@dataclass(frozen=True, kw_only=True)
class PlayerSettings:
    """What an optimiser is told of the player that it trains, with nothing left open."""

    lr: float
    betas: tuple[float, float]
    weight_decay: float = 0.0
    momentum: float = 0.0
    eps: float = 1e-8
    clip_grad_norm: float | None = None  #: the trainer's part: gradients are clipped before `step`


@dataclass(frozen=True, kw_only=True)
class OwnSettings:
    """What is said of one player's updates beside `TrainingSettings.optimizer`, `g_lr` and so on.

    None: nothing is. G's `optimizer` and `betas` are those of `TrainingSettings`, and D's too
    unless they stand here.
    """

    optimizer: str | None = None
    betas: tuple[float | Schedule, float | Schedule] | None = None
    weight_decay: float | Schedule | None = None
    momentum: float | None = None
    eps: float | None = None
    clip_grad_norm: float | Schedule | None = None


@dataclass(frozen=True, kw_only=True)
class HalfLife:
    """An average of weights in which those of so long ago count half."""

    half_life: float | Schedule  #: kimg
    ramp_up: float | None = None  #: the half-life is at most this share of what has been shown
    start: float = 0.0  #: kimg until which the average is the generator itself


@dataclass(frozen=True, kw_only=True)
class InitialWeights:
    """The trained model whose weights players begin with, and which of them stay as they are."""

    weights_sha256: str
    players: tuple[PlayerName, ...]
    freeze: tuple[str, ...] = ()  #: patterns of names, as in `backbone.layers.0.*`
    model: str = ""  #: its folder as the run was planned; in no id

    def freezes(self, name: str) -> bool:
        """Whether the weight of this name stays as it is."""
        return any(fnmatchcase(name, pattern) for pattern in self.freeze)


@dataclass(frozen=True, kw_only=True)
class Continued:
    """The training that another one goes on from, which has ended."""

    training: str  #: its id
    kimg: float  #: thousands of real images that D was shown until then
    cell: str = ""  #: of it, as all below in no id: what it was judged by, and where it lies
    label: str = ""
    run: str = ""

    @property
    def short(self) -> str:
        """What the cell's label says of it."""
        return f"from {self.kimg:g} kimg"

    @property
    def text(self) -> str:
        """Where the training began, in words."""
        return f"continued from {self.run}, cell {self.label} ({self.cell}), at {self.kimg:g} kimg"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """A moment at which the fixed latents are drawn, and the picture kept."""

    images: int  #: real ones shown to D
    title: str  #: the moment in the file's own unit, such as `epoch 5`


@dataclass(frozen=True, kw_only=True)
class Followed:
    """How a training is watched, which changes nothing of it: no part of any id."""

    unit: Unit = "kimg"  #: what its budget is told in
    frames: tuple[Frame, ...] = ()  #: that are kept; (): progress.gif has its own, and none is
    probes: tuple[int, ...] = ()  #: images after which cheap columns are measured


BY_ITSELF = Followed()
"""Watched as any training is, where nothing is asked for."""


def batches_per_iteration(
    n_critic: int, critic_batches: CriticBatches, *, extrapolates: bool
) -> int:
    """Return how many batches of real images an iteration takes for the discriminator."""
    return (n_critic if critic_batches == "own" else 1) * (2 if extrapolates else 1)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides a training run, given the networks, the losses and the data."""

    batch_size: int
    kimg: float  #: thousands of real images shown to the discriminator
    n_critic: int  #: discriminator steps per generator step
    updates: Updates  #: simultaneous: both gradients at the same weights and for the same fakes
    optimizer: str  #: by its name, G's, as `betas`; D's too unless `discriminator` says another
    g_lr: float | Schedule
    d_lr: float | Schedule
    betas: tuple[float | Schedule, float | Schedule]
    ema: float | HalfLife  #: of the generator's weight average: its decay; 0: none
    precision: Precision  #: tf32: float32, rounded to ten bits within convolutions and products
    channels_last: bool
    log_every: int | Literal["epoch"]  #: iterations per window, or as many as end an epoch
    fake_labels: FakeLabels = "real"  #: of the real batch, or drawn anew, uniform over the classes
    micro_batch: int | None = None  #: images that go through the networks at once; None: all
    compile: Compile = "none"  #: the mode of `torch.compile`, or whole iterations as CUDA graphs
    n_gen: int = 1  #: generator steps per iteration
    extrapolates: bool = False  #: whether an iteration takes a second gradient, of the next batch
    generator: OwnSettings = OwnSettings()
    discriminator: OwnSettings = OwnSettings()
    init_from: InitialWeights | None = None
    batches: BatchesOf = "shuffled"  #: balanced: each class as often as any other
    critic_batches: CriticBatches = "own"  #: of each step of D, or one that an iteration's share
    continues: Continued | None = None  #: where another run ended
    deterministic: bool = False  #: whether torch may only compute what comes out the same each time
    processes: int = 1  #: that train together, each with an equal share of every batch
    batch_norm: BatchNorm = "local"  #: of each process's share, or of what all have
    spectral_norm: SpectralNorm = "each-pass"  #: when weights are divided by their norm anew

    @property
    def iterations(self) -> int:
        """One iteration or as many as show D the budget; the last may go beyond it."""
        return max(1, math.ceil(round(1000 * self.kimg) / self.images_per_iteration))

    @property
    def images(self) -> int:
        """Real images that D has been shown at the end, each counted once."""
        return self.iterations * self.images_per_iteration

    @property
    def of_one_process(self) -> TrainingSettings:
        """The same, but for one process that has all of every batch."""
        return replace(self, processes=1, batch_norm="local")

    @property
    def at_once(self) -> int:
        """Images that go through a network of one process at once."""
        return self.micro_batch or self.batch_size // self.processes

    @property
    def images_per_iteration(self) -> int:
        """Real images that an iteration shows to the discriminator, each counted once."""
        return self.batch_size * self.batches_per_iteration

    @property
    def batches_per_iteration(self) -> int:
        """Batches of real images that an iteration shows to the discriminator."""
        return batches_per_iteration(
            self.n_critic, self.critic_batches, extrapolates=self.extrapolates
        )

    def of(self, player: PlayerName, name: str) -> Any:
        """Return what is set of one player under the name of its block; None: nothing is."""
        shared = {
            "optimizer": self.optimizer,
            "betas": self.betas,
            "lr": self.g_lr if player == "generator" else self.d_lr,
        }
        own = getattr(getattr(self, player), name, None)
        return shared.get(name) if own is None else own

    def told(
        self,
        player: PlayerName,
        defaults: Mapping[str, float],
        first: Callable[[float | Schedule], float],
    ) -> PlayerSettings:
        """Return what a player's optimiser is told at the start.

        `defaults`: what it goes by where nothing is set. `first`: what a schedule begins with.
        """
        chosen = {name: self.of(player, name) for name in ("lr", *vars(self.generator))}
        known = {name: first(value) for name, value in chosen.items() if _is_number(value)}
        beta1, beta2 = chosen["betas"]
        numbers: dict[str, Any] = {**defaults, **known}
        return PlayerSettings(betas=(first(beta1), first(beta2)), **numbers)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Schedule)
