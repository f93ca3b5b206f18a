"""How samples become numbers."""

ORDER = (
    "frechet",
    "kernel",
    "class_score",
    "manifold",
    "clipped",
    "sliced",
    "diversity",
    "bins",
    "memorization",
    "conditional",
    "classifier_accuracy",
    "coverage",
    "speed",
    "numerics",
)
