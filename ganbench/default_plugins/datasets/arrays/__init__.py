"""Arrays of images in files: which they are, how they are read, and how they become images."""
