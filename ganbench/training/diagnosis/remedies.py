"""What textbooks advise, in the words of a benchmark file."""

DATA = (
    "look at the images with `ganbench datasets preview`",
    "check the folder, the file-name pattern and the label filter",
)
DIVERGENCE = (
    "lower training.g_lr and training.d_lr",
    "training.betas [0.5, 0.999] or [0.0, 0.9] in place of a first beta of 0.9",
    "bound the slope of D: the regularizer gradient-penalty beside any loss, or wgan-gp",
    "training.precision: float32",
)
STRONG_DISCRIMINATOR = (
    "lower training.d_lr, or raise training.g_lr; lower that too where samples jump about in "
    "progress.gif",
    "training.n_critic: 1",
    "a smaller discriminator, or one with dropout",
    "a loss with softer targets: {name: bce, real_target: 0.9, flip: 0.05}",
    "a loss that keeps its slope where D is right: lsgan, or wgan-gp",
    "the transform diffaugment where the data set is small",
)
STRONG_GENERATOR = (
    "raise training.d_lr or lower training.g_lr",
    "more discriminator steps: training.n_critic: 2 or more",
    "a larger discriminator, or one with less dropout",
    "targets that are not softened: real_target 1, flip 0",
)
COLLAPSE = (
    "lower training.g_lr, or let D keep up with a higher training.d_lr or training.n_critic",
    "training.betas with a first beta of 0.0 or 0.5",
    "wgan-gp, whose critic tells how far samples are",
    "let D see several samples at once (the transform pacgan)",
    "the regularizer mode-seeking or feature-matching",
)
WEAK_DISCRIMINATOR = (
    "raise training.d_lr where D hardly moves; lower it where D's loss is above that of a coin",
    "more discriminator steps: training.n_critic: 5 (Arjovsky et al., 2017)",
    "a positive gp_weight for wgan-gp, and one that does not drown the distance; a wider clip for "
    "wgan-clip",
    "check that images and labels belong together (`ganbench datasets preview`)",
)
