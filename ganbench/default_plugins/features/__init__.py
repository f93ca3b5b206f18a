"""Fixed maps from images to features."""
