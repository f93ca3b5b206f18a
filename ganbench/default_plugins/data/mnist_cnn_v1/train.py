"""Train the judge that ganbench ships: `python -m THIS_MODULE OUT_DIR`.

Recipe: cross-entropy without label smoothing (smoothing flattens the scores of real digits),
shifts of up to two pixels, AdamW with a one-cycle rate, an exponential average of the weights,
a fixed number of epochs; the test set is looked at once, after the last one. Writes
`weights.safetensors` and `card.json`.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import lzma
import platform
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from ganbench.default_plugins.features.mnist_cnn import MnistCNN

MNIST = Path(__file__).parents[1] / "mnist"
EPOCHS, BATCH, MAX_RATE, AVERAGE, SEED = 12, 128, 4e-3, 0.998, 0


class TrainingNet(nn.Module):
    """The judge with a batch normalisation after each convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.net = MnistCNN()
        self.norms = nn.ModuleDict(
            {name: nn.BatchNorm2d(conv.out_channels) for name, conv in self.convs()}
        )

    def convs(self) -> list[tuple[str, nn.Conv2d]]:
        """Return the names and layers of the convolutions."""
        return [(n, m) for n, m in self.net.named_children() if isinstance(m, nn.Conv2d)]

    def forward(self, images: Tensor) -> Tensor:
        h = images
        for name, conv in self.convs():
            h = self.norms[name](conv(h)).relu()
            if name in ("conv1", "conv3"):
                h = self.net.pool(h)
        return self.net.classifier(h.mean((2, 3)))

    @torch.no_grad()
    def folded(self) -> MnistCNN:
        """Return the same function without normalisation layers."""
        net = copy.deepcopy(self.net)
        weights = net.state_dict()
        for name, _ in self.convs():
            norm = self.norms[name].state_dict()
            scale = norm["weight"] / (norm["running_var"] + 1e-5).sqrt()  # BatchNorm2d's own eps
            weights[f"{name}.weight"] *= scale[:, None, None, None]
            weights[f"{name}.bias"] -= norm["running_mean"]
            weights[f"{name}.bias"] *= scale
            weights[f"{name}.bias"] += norm["bias"]
        return net.eval()


def read(stem: str, offset: int) -> Tensor:
    """Return the bytes of one of MNIST's packed files, from an offset on."""
    raw = lzma.decompress((MNIST / f"{stem}.xz").read_bytes())
    return torch.frombuffer(bytearray(raw[offset:]), dtype=torch.uint8)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images moved by up to two pixels either way, all of them alike."""
    padded = F.pad(images, (2, 2, 2, 2))
    dy, dx = torch.randint(0, 5, (2,), generator=generator).tolist()
    return padded[:, :, dy : dy + 28, dx : dx + 28]


def train() -> MnistCNN:
    """Return the judge after its epochs on the training set, averaged and folded."""
    torch.manual_seed(SEED)
    generator = torch.Generator().manual_seed(SEED)
    images = read("train-images-idx3-ubyte", 16).view(-1, 1, 28, 28).float() / 255
    labels = read("train-labels-idx1-ubyte", 8).long()
    model = TrainingNet().to(memory_format=torch.channels_last)
    average = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=MAX_RATE, weight_decay=0.01)
    steps = len(images) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, MAX_RATE, total_steps=EPOCHS * steps)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images), generator=generator)
        for step in range(steps):
            index = order[step * BATCH : (step + 1) * BATCH]
            loss = F.cross_entropy(model(shifted(images[index], generator)), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            _follow(average, model)
        print(f"epoch {epoch + 1}/{EPOCHS}: last loss {loss.item():.4f}", flush=True)
    return average.eval().folded()


@torch.no_grad()
def _follow(average: TrainingNet, model: TrainingNet) -> None:
    pairs = zip(average.state_dict().values(), model.state_dict().values(), strict=True)
    for mine, theirs in pairs:
        if mine.is_floating_point():
            mine.lerp_(theirs, 1 - AVERAGE)
        else:
            mine.copy_(theirs)


@torch.no_grad()
def accuracy(net: MnistCNN) -> float:
    """Return the share of the test set that the judge puts into the right class."""
    images = read("t10k-images-idx3-ubyte", 16).view(-1, 1, 28, 28).float() / 255
    labels = read("t10k-labels-idx1-ubyte", 8).long()
    batches = zip(images.split(500), labels.split(500), strict=True)
    return sum((net(x)[1].argmax(1) == y).sum().item() for x, y in batches) / len(labels)


def main() -> None:
    """Train, and write the weights and their card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    net = train()
    weights = out / "weights.safetensors"
    save_file({k: v.contiguous() for k, v in net.state_dict().items()}, weights)
    card = {
        "name": "mnist-cnn-v1",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "test_accuracy": accuracy(net),
        "num_parameters": sum(p.numel() for p in net.parameters()),
        "trained_on": "MNIST train, 60,000 images",
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "max_rate": MAX_RATE,
        "weight_average": AVERAGE,
        "label_smoothing": 0.0,
        "seed": SEED,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    (out / "card.json").write_text(json.dumps(card, indent=2) + "\n", "utf-8")
    print(json.dumps(card, indent=2))


if __name__ == "__main__":
    main()
