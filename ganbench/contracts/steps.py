"""What losses see of one step of a player: images, what D says of them, and the game around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property, partial
from types import MappingProxyType
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from ganbench.errors import ContractError

Player = Literal["generator", "discriminator"]


class DiscriminatorOutput(NamedTuple):
    """What the discriminator says of a batch. A NamedTuple, so that `torch.compile` returns it."""

    logits: Tensor  #: (N, ...) unbounded; never probabilities. (N,), or one for each patch or head
    features: Tensor  #: (N, F) what the head saw; under autocast, `Scored.features` is its float32
    class_logits: Tensor | None = None  #: (N, K) from an auxiliary classifier


def logit_per_image(logits: Tensor) -> Tensor:
    """Return the mean of each image's logits, (N, ...) -> (N,)."""
    return logits if logits.ndim == 1 else logits.flatten(1).mean(1)


def at_least_float32(values: Tensor) -> Tensor:
    """Return values in float32, or in float64 where they are that."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


Judge = Callable[[Tensor, Tensor | None], DiscriminatorOutput]
"""D, called as discriminator(images, labels)."""


class Scored:
    """Images, their labels and, on first use, what the discriminator says of them."""

    def __init__(
        self,
        images: Tensor,  # (N, C, H, W) in [-1, 1]
        labels: Tensor | None,  # (N,) class ids
        discriminator: Judge,
        *,
        track_inputs: bool = False,
        keep_graph: bool = False,
    ) -> None:
        """Detach the images where they are tracked, unless `keep_graph` and they have a graph."""
        if track_inputs and not (keep_graph and images.requires_grad):
            images = images.detach().requires_grad_()
        self.images = images
        self.labels = labels
        self.discriminator = discriminator
        self.is_tracked = track_inputs  # whether their `input_gradient` may be read

    @cached_property
    def output(self) -> DiscriminatorOutput:
        """All that D says of the images, asked once."""
        return self.discriminator(self.images, self.labels)

    @property
    def was_judged(self) -> bool:
        """Whether D has been asked about these images."""
        return "output" in vars(self)

    @property
    def logits(self) -> Tensor:
        """D's verdicts, (N, ...), unbounded: higher is more real.

        (N,), or some for each image, as of its patches or of several heads: a mean over all of
        them fits both, and `logit_per_image` gives one for each image.
        """
        return self.output.logits

    @property
    def features(self) -> Tensor:
        """What D's head saw, (N, F), in float32."""
        return at_least_float32(self.output.features)  # only where they are read

    @property
    def class_logits(self) -> Tensor | None:
        """What D says of the images' classes, (N, K); None where its head says nothing of them."""
        return self.output.class_logits

    @cached_property
    def input_gradient(self) -> Tensor:
        """The gradient of each image's logit at that image, (N, C, H, W), itself differentiable.

        Of an image with several logits it is their sum's. In the generator's step that of fakes has
        a graph to G, and reals have none. Raises ContractError where the loss did not declare it in
        `input_gradients`.
        """
        self._check_tracked("input_gradient")
        (gradient,) = torch.autograd.grad(self.logits.sum(), self.images, create_graph=True)
        return at_least_float32(gradient)

    @cached_property
    def shown_gradient(self) -> Tensor:
        """As `input_gradient`, at all that D's backbone is shown of an image, (N, C', H, W).

        That is the image as its conditioner leaves it, with label maps where it adds some. Read
        before the logits, it needs no further pass of D.
        """
        self._check_tracked("shown_gradient")
        network = self._network()
        backbone = getattr(network, "backbone", network)  # a D without parts is shown the image
        if not isinstance(backbone, nn.Module):
            raise ContractError(
                "shown_gradient is of what D's backbone is shown, and this D is no module: "
                f"{network}"
            )
        shown: list[Tensor] = []
        hook = backbone.register_forward_pre_hook(lambda _, given: shown.append(given[0]))
        try:
            output = self._asked()
        finally:
            hook.remove()
        (gradient,) = torch.autograd.grad(output.logits.sum(), shown[0], create_graph=True)
        return at_least_float32(gradient)

    def layers(self, *names: str) -> dict[str, Tensor]:
        """Return what D's modules of these names made of the images, (N, ...), in float32.

        `names` are patterns as of files, such as `backbone.layers.*`; what is returned bears the
        full names. Asked before the logits, it needs no further pass of D. A loss that asks this
        says `looks_ahead`, so that D is not compiled. Raises ContractError where nothing fits.
        """
        network = self._network()
        modules = dict(network.named_modules()) if isinstance(network, nn.Module) else {}
        modules.pop("", None)
        for name in names:
            if not any(fnmatchcase(module, name) for module in modules):
                raise ContractError(
                    f"D has no layer '{name}'; it has {', '.join(modules) or 'none'}"
                )
        chosen = {n: m for n, m in modules.items() if any(fnmatchcase(n, p) for p in names)}
        with _noted(chosen) as made:
            self._asked()
        return made

    def _asked(self) -> DiscriminatorOutput:
        """Ask D now: the first time this is `output` too."""
        output = self.discriminator(self.images, self.labels)
        vars(self).setdefault("output", output)
        return output

    def _network(self) -> object:
        """Return D itself, also where it is asked at other weights."""
        judge = self.discriminator
        return judge.args[0] if isinstance(judge, partial) else judge

    def _check_tracked(self, what: str) -> None:
        if not self.is_tracked:
            raise ContractError(
                f"{what} was read on images that are not tracked; declare them in the "
                "loss's `input_gradients`, or pass track_inputs=True to step.score()"
            )

    def of(self, images: Tensor, labels: Tensor | None = None) -> Scored:
        """Return other images (M, C, H, W) in the place of these, judged and tracked alike.

        `labels` are theirs, (M,); without them they bear the labels of these.
        """
        return Scored(
            images,
            self.labels if labels is None else labels,
            self.discriminator,
            track_inputs=self.is_tracked,
            keep_graph=True,
        )

    def kept(self, index: Tensor) -> Scored:
        """Return those at `index` (K,) with what was said of them; D is not asked again."""
        return _Kept(self, index)


@contextmanager
def _noted(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Note what each of these makes, by name; of one that is called twice, the last."""
    made: dict[str, Tensor] = {}

    def note(name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, given: object, output: object) -> None:
            if isinstance(output, Tensor):
                made[name] = at_least_float32(output)

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in modules.items()]
    try:
        yield made
    finally:
        for hook in hooks:
            hook.remove()


class _Kept(Scored):
    """Some of the images of another, which is the one that asks D."""

    def __init__(self, all_of_them: Scored, index: Tensor) -> None:
        self._all, self._index = all_of_them, index
        self.discriminator = all_of_them.discriminator
        self.is_tracked = all_of_them.is_tracked
        self.images = all_of_them.images[index]
        self.labels = None if all_of_them.labels is None else all_of_them.labels[index]

    @cached_property
    def output(self) -> DiscriminatorOutput:
        logits, features, classes = self._all.output
        return DiscriminatorOutput(
            logits[self._index],
            features[self._index],
            None if classes is None else classes[self._index],
        )

    @cached_property
    def input_gradient(self) -> Tensor:
        return self._all.input_gradient[self._index]

    @cached_property
    def shown_gradient(self) -> Tensor:
        return self._all.shown_gradient[self._index]

    def layers(self, *names: str) -> dict[str, Tensor]:
        return {name: made[self._index] for name, made in self._all.layers(*names).items()}


class Score(Protocol):
    """D, to be asked about images of a loss's own making."""

    def __call__(
        self, images: Tensor, labels: Tensor | None, *, track_inputs: bool = False
    ) -> Scored:
        """Return images (N, C, H, W) in [-1, 1] with what D says of them.

        Give `track_inputs` where their `input_gradient` will be read. In the generator's step they
        keep what graph they have to G; in the discriminator's they are detached.
        """


class Generate:
    """G, to be asked for images of latents of a loss's own choosing, or of styles."""

    def __init__(self, generator: Callable[[Tensor, Tensor | None], Tensor]) -> None:
        self._generator = generator

    def __call__(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return images (N, C, H, W) of latents (N, Z) and labels (N,)."""
        return self._generator(z, labels)

    def styles(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return styles (N, L, W) of latents. Raises ContractError where G has none."""
        return self._of_styles("styles")(z, labels)

    def of_styles(self, styles: Tensor) -> Tensor:
        """Return images of styles (N, L, W). Raises ContractError where G has none."""
        return self._of_styles("of_styles")(styles)

    def _of_styles(self, name: str) -> Callable[..., Tensor]:
        if not getattr(self._generator, "has_styles", False):
            raise ContractError(
                "this generator has no styles; take an architecture whose generator has styles() "
                "and synthesise(), and ask at its own weights"
            )
        found: Callable[..., Tensor] = getattr(self._generator, name)
        return found


class PlayerParameters(NamedTuple):
    """Both players' weights by name, as they are: to be read, never to be changed."""

    generator: Mapping[str, Tensor] = MappingProxyType({})
    discriminator: Mapping[str, Tensor] = MappingProxyType({})


class Lookahead(Protocol):
    """Who answers what a step is asked about other weights and about others' terms."""

    def at(
        self,
        step: Step,
        generator: Mapping[str, Tensor] | None,
        discriminator: Mapping[str, Tensor] | None,
    ) -> Step:
        """Return the step at other weights; see `Step.at`."""

    def objective(self, step: Step, player: Player) -> Tensor:
        """Return the sum of that player's terms; see `Step.objective`."""


@dataclass(frozen=True)
class Step:
    """What a loss sees of one player's step.

    `fake.images[i]` was generated for the label of `real.images[i]`, unless the benchmark asks for
    `fake_labels: random`, as it may for losses that do not say `pairs_labels`; `fake.labels` says
    for which.
    """

    real: Scored
    fake: Scored  #: graph to G in the generator's step, none in the discriminator's
    latents: Tensor  #: (N, Z) that made `fake`
    iteration: int
    score: Score  #: D on images of the loss's own making
    generate: Generate  #: G on latents of its own choosing
    progress: float = 0.0  #: share of the budget spent before this iteration, in [0, 1)
    parameters: PlayerParameters = field(default_factory=PlayerParameters)
    own: Mapping[str, nn.Module] = field(default_factory=dict)  #: of who is asked, by name
    lookahead: Lookahead | None = field(default=None, repr=False)

    def at(
        self,
        *,
        generator: Mapping[str, Tensor] | None = None,
        discriminator: Mapping[str, Tensor] | None = None,
    ) -> Step:
        """Return this step at other weights: some of `parameters`, or all, by name.

        The graph goes through them. With `generator`, the fakes are made anew of the same latents.
        A loss that asks this says `looks_ahead`.
        """
        return self._answering.at(self, generator, discriminator)

    def objective(self, player: Player) -> Tensor:
        """Return the sum of that player's terms in this step, a scalar.

        Without those of whoever asks; what losses remember is afterwards as it was.
        """
        return self._answering.objective(self, player)

    @property
    def _answering(self) -> Lookahead:
        if self.lookahead is None:
            raise ContractError("this step is of no game, so at() and objective() have no answer")
        return self.lookahead
