"""The networks of textbooks and courses, layer by layer as they are printed."""

ORDER = ("cdcgan", "bricks", "faces", "eyeglasses")
