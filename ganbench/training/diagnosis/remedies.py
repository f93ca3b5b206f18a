"""What textbooks advise, in the words of a benchmark file, each where it can be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganbench.training.diagnosis.setup import Setup

SMALL_DATA = 20_000  # images, up to which augmentation helps (Zhao et al., 2020)
MOST_DROPOUT = 0.5  # that textbooks give a discriminator


def _always(setup: Setup) -> bool:
    return True


@dataclass(frozen=True)
class Remedy:
    """A sentence, and whether it can be done to what was trained."""

    text: str
    applies: Callable[[Setup], bool] = _always


def applying(remedies: Sequence[Remedy], setup: Setup | None) -> tuple[str, ...]:
    """Return those that apply; all of them where nothing is known of what was trained."""
    return tuple(one.text for one in remedies if setup is None or one.applies(setup))


BOTH_LOWER = Remedy(
    "lower training.g_lr and training.d_lr together, with a larger training.batch_size"
)
SMALLER_BETA = Remedy(
    "training.betas [0.5, 0.999] or [0.0, 0.9] in place of a first beta of 0.9",
    lambda setup: setup.d_optimizer.uses_betas and setup.beta1 > 0.5,
)
MORE_D_STEPS = Remedy(
    "more discriminator steps: a higher training.n_critic, with updates: alternating",
    lambda setup: setup.settings.n_critic < 5,
)
LESS_NOISE = "targets of D that are not softened: real_target: 1, flip: 0, target_noise: 0"


def _softened(setup: Setup) -> bool:
    noise = (setup.of_loss("flip"), setup.of_loss("target_noise"))
    return any(noise) or (setup.of_loss("real_target") or 1.0) < 1


def _has_boundary(setup: Setup) -> bool:
    return setup.loss.boundary is not None


DATA = (
    Remedy("look at the images with `ganbench datasets preview`"),
    Remedy("check the folder, the file-name pattern and the label filter"),
)
DIVERGENCE = (
    BOTH_LOWER,
    SMALLER_BETA,
    Remedy(
        "bound the slope of D: the regularizer gradient-penalty beside any loss, or wgan-gp",
        lambda setup: not setup.is_bounded,
    ),
    Remedy(
        "a larger gp_weight of the loss, or weight of gradient-penalty",
        lambda setup: bool(setup.of_loss("gp_weight")) or setup.has("gradient-penalty"),
    ),
    Remedy(
        "limit the norm of D's gradients: training.discriminator.clip_grad_norm: 1",
        lambda setup: setup.settings.of("discriminator", "clip_grad_norm") is None,
    ),
    Remedy(
        "training.precision: float32", lambda setup: setup.settings.precision != "float32"
    ),
)  # fmt: skip
STRONG_DISCRIMINATOR = (
    Remedy(
        "lower training.d_lr, or raise training.g_lr; lower that too where samples jump about in "
        "progress.gif"
    ),
    Remedy("training.n_critic: 1", lambda setup: setup.settings.n_critic > 1),
    Remedy(
        "more dropout in D: a higher architecture.dropout, up to 0.5",
        lambda setup: (
            (setup.of_architecture("dropout") or 0.0) < MOST_DROPOUT
            and hasattr(setup.architecture, "dropout")
        ),
    ),
    Remedy(
        "a D with fewer parameters: a smaller architecture.width, with g_width as G has it now",
        lambda setup: hasattr(setup.architecture, "g_width"),
    ),
    Remedy(
        "fewer parameters: a smaller architecture.width",
        lambda setup: (
            hasattr(setup.architecture, "width") and not hasattr(setup.architecture, "g_width")
        ),
    ),
    Remedy(
        "fewer parameters: smaller architecture.widths",
        lambda setup: hasattr(setup.architecture, "widths"),
    ),
    Remedy(
        "a D with fewer parameters: a smaller architecture.d_share",
        lambda setup: hasattr(setup.architecture, "d_share"),
    ),
    Remedy(
        "weight decay of D: training.discriminator.weight_decay: 1e-4",
        lambda setup: setup.d_weight_decay == 0 and not setup.has("weight-clipping"),
    ),
    Remedy(
        "label noise: target_noise: 0.1 of the loss",
        lambda setup: setup.of_loss("target_noise") == 0,
    ),
    Remedy(
        "labels of D flipped now and then: flip: 0.05 of the loss",
        lambda setup: setup.of_loss("flip") == 0,
    ),
    Remedy(
        "a softer target for real images: real_target: 0.9 of the loss",
        lambda setup: setup.of_loss("real_target") == 1,
    ),
    Remedy(
        "a loss that keeps its slope where D is right: lsgan, or wgan-gp",
        lambda setup: _has_boundary(setup) and setup.loss.name != "lsgan",
    ),
    Remedy(
        "a loss that keeps its slope where D is right: wgan-gp",
        lambda setup: setup.loss.name == "lsgan",
    ),
    Remedy(
        "the transform diffaugment, as the data set is small",
        lambda setup: setup.num_images <= SMALL_DATA and not setup.has("diffaugment"),
    ),
)
STRONG_GENERATOR = (
    Remedy("raise training.d_lr or lower training.g_lr"),
    BOTH_LOWER,
    MORE_D_STEPS,
    Remedy(
        "less dropout in D: a smaller architecture.dropout",
        lambda setup: bool(setup.of_architecture("dropout")),
    ),
    Remedy(
        "less weight decay of D: a smaller training.discriminator.weight_decay",
        lambda setup: bool(setup.d_weight_decay),
    ),
    Remedy(
        "a larger discriminator: a larger architecture.width or widths",
        lambda setup: hasattr(setup.architecture, "width")
        or hasattr(setup.architecture, "widths"),
    ),
    Remedy(LESS_NOISE, _softened),
)  # fmt: skip
COLLAPSE = (
    Remedy("lower training.g_lr, or let D keep up with a higher training.d_lr"),
    BOTH_LOWER,
    MORE_D_STEPS,
    SMALLER_BETA,
    Remedy(
        "wgan-gp, whose critic tells how far samples are",
        lambda setup: not setup.loss.name.startswith("wgan"),
    ),
    Remedy(
        "let D see several samples at once (the transform pacgan)",
        lambda setup: not setup.has("pacgan"),
    ),
    Remedy(
        "the regularizer mode-seeking or feature-matching",
        lambda setup: not (setup.has("mode-seeking") or setup.has("feature-matching")),
    ),
)
WEAK_DISCRIMINATOR = (
    Remedy("raise training.d_lr where D hardly moves; lower it where D's loss is above a coin's"),
    Remedy(
        "more discriminator steps: training.n_critic: 5 (Arjovsky et al., 2017)",
        lambda setup: setup.alternates and setup.settings.n_critic < 5,
    ),
    Remedy(
        "a positive gp_weight, and one that does not drown the distance",
        lambda setup: setup.of_loss("gp_weight") is not None,
    ),
    Remedy(
        "a weight of gradient-penalty that does not drown the distance",
        lambda setup: setup.has("gradient-penalty"),
    ),
    Remedy(
        "a wider clip",
        lambda setup: setup.of_loss("clip") is not None or setup.has("weight-clipping"),
    ),
    Remedy(LESS_NOISE, _softened),
    Remedy(
        "check that images and labels belong together (`ganbench datasets preview`)",
        lambda setup: setup.labelled,
    ),
)
CHECKERBOARD = (
    Remedy(
        "architecture.upsampling: nearest, which enlarges before it convolves (Odena et al., 2016)",
        lambda setup: getattr(setup.architecture, "upsampling", "") == "transposed",
    ),
    Remedy(
        "kernels of G that are multiples of their strides, such as 4 for a stride of 2",
        lambda setup: setup.uneven_kernels,
    ),
    Remedy(
        "an architecture that enlarges before it convolves: resnet, or dcgan with upsampling: "
        "nearest",
        lambda setup: (
            not hasattr(setup.architecture, "upsampling") and setup.architecture.name != "resnet"
        ),
    ),
    Remedy("a larger training.budget: they fade as G learns"),
)
