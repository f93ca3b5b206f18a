"""Where images come from."""

ORDER = (
    "mnist",
    "mixtures",
    "stacked_mnist",
    "image_folder",
    "image_csv",
    "celeba_attributes",
    "tensor",
)
