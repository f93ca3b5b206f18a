"""Files that the package carries: MNIST, and the weights of its judge."""
