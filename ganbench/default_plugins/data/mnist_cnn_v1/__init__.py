"""The weights of `mnist-cnn-v1`, their card, and the script that made them."""
