"""Fixed maps from images to features."""

ORDER = ("builtin", "inception", "efficientnet", "random_conv", "dinov2", "clip")
