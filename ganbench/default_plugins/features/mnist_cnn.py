"""The network of the feature extractor `mnist-cnn-v1`, a small judge of handwritten digits."""

from __future__ import annotations

from torch import Tensor, nn


class MnistCNN(nn.Module):
    """Four 3x3 convolutions, global average pooling, one linear layer: (N, 1, 28, 28) in [0, 1].

    Batch normalisation is part of the training script only: the shipped weights have it folded
    into the convolutions, so that nothing here depends on a batch.
    """

    feature_dim = 96
    num_classes = 10

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 24, 3, padding=1)
        self.conv2 = nn.Conv2d(24, 48, 3, padding=1)
        self.conv3 = nn.Conv2d(48, 48, 3, padding=1)
        self.conv4 = nn.Conv2d(48, self.feature_dim, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.classifier = nn.Linear(self.feature_dim, self.num_classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the pooled features (N, 96) and the class logits (N, 10)."""
        h = self.pool(self.conv1(images).relu())
        h = self.conv2(h).relu()
        h = self.pool(self.conv3(h).relu())
        features = self.conv4(h).relu().mean((2, 3))
        return features, self.classifier(features)
