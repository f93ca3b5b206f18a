"""How samples become numbers."""

ORDER = (
    "frechet",
    "kernel",
    "class_score",
    "manifold",
    "bins",
    "memorization",
    "conditional",
    "classifier_accuracy",
    "coverage",
    "speed",
    "numerics",
)
