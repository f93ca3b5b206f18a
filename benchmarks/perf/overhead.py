"""What the trainer's contracts cost: its iterations beside those of the bare loop.

    python benchmarks/perf/overhead.py --net cdcgan --loss bce --precision bfloat16
    python benchmarks/perf/overhead.py --net ring

Both train the same networks in one process and take turns, a block of iterations each; a line of
JSON has the ratio of their times, block by block. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator

import bare_loop
import common
import torch
from reference_loop import LATENT, N_CRITIC
from torchvision import datasets

from ganbench import ImageSpec, LabeledImages, Loss
from ganbench.contracts.conditionings import Conditioning
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.conditionings import EmbedMul, Unconditional
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.default_plugins.optimizers import Adam
from ganbench.models.networks import build
from ganbench.records.training_settings import TrainingSettings
from ganbench.training.trainer import Trainer

LOSSES: dict[str, Callable[[], Loss]] = {"bce": BCE, "lsgan": LSGAN, "wgan-gp": WGANGP}
BLOCK_SECONDS = 1.5
WARM_UP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=["cdcgan", "ring"], default="cdcgan")
    parser.add_argument("--loss", choices=list(LOSSES), default="bce")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--batch-size", type=int, help="default: 128, or 100 on the ring")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    batch_size = asked.batch_size or (100 if asked.net == "ring" else 128)
    data = ring() if asked.net == "ring" else digits()
    bare = bare_steps(asked.net, asked.loss, asked.precision, data, batch_size)
    trainer = contracts(asked.net, asked.loss, asked.precision, data, batch_size)

    def ours() -> None:
        trainer.iterate()
        if not trainer.progress.iteration % trainer.settings.log_every:
            trainer.close_window(1.0, trainer.settings.log_every)

    sides: list[Callable[[], object]] = [lambda: next(bare), ours]
    for side in sides:
        seconds(side, WARM_UP)
    block = max(1, round(BLOCK_SECONDS * WARM_UP / seconds(ours, WARM_UP)))
    ratios, rates = [], []
    for turn in range(asked.rounds):
        order = sides if turn % 2 else sides[::-1]
        took = {side: seconds(side, block) for side in order}
        ratios.append(took[ours] / took[sides[0]])
        rates.append(block * N_CRITIC[asked.loss] * batch_size / took[ours])
    common.say(
        "overhead",
        net=asked.net,
        loss=asked.loss,
        precision=asked.precision,
        batch_size=batch_size,
        threads=asked.threads,
        block=block,
        times_as_long=common.spread(ratios),
        images_per_second=common.spread(rates),
    )


def seconds(step: Callable[[], object], count: int) -> float:
    started = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - started


def digits() -> LabeledImages:
    found = datasets.MNIST(str(common.mnist()))
    return LabeledImages(found.data[:, None], found.targets)


def ring() -> LabeledImages:
    torch.manual_seed(0)
    return LabeledImages(bare_loop.ring(), None)


def norm_of_d(loss: str) -> str:
    """A penalty per image forbids statistics of the batch."""
    return "layer" if loss == "wgan-gp" else "batch"


def bare_steps(
    net: str, loss: str, precision: str, data: LabeledImages, batch_size: int
) -> Iterator[None]:
    torch.manual_seed(0)
    on_ring = net == "ring"
    return bare_loop.train(
        loss,
        bare_loop.RingGenerator() if on_ring else bare_loop.FastGenerator(),
        bare_loop.RingDiscriminator() if on_ring else bare_loop.FastDiscriminator(norm_of_d(loss)),
        data.images,
        data.labels,
        (lambda count: torch.randn(count, 16))
        if on_ring
        else (lambda count: torch.rand(count, LATENT) * 2 - 1),
        batch_size=batch_size,
        precision=precision,
        channels_last=not on_ring,
        iterations=10**9,
    )


def contracts(net: str, loss: str, precision: str, data: LabeledImages, batch_size: int) -> Trainer:
    torch.manual_seed(0)
    on_ring = net == "ring"
    architecture = MLP() if on_ring else CDCGAN()
    method: Conditioning = Unconditional() if on_ring else EmbedMul(spread=None)
    generator, discriminator = build(
        architecture,
        method,
        method,
        ImageSpec(2, 1, 0) if on_ring else ImageSpec(1, 28, 10),
        g_norm="none" if on_ring else "batch",
        d_norm="none" if on_ring else norm_of_d(loss),
    )
    schedule = TrainingSettings(
        batch_size=batch_size,
        kimg=10**6,
        n_critic=N_CRITIC[loss],
        updates="alternating",
        optimizer="adam",
        g_lr=3e-4,
        d_lr=2e-4,
        betas=(0.5, 0.999),
        ema=bare_loop.EMA,
        precision=precision,  # type: ignore[arg-type]
        channels_last=not on_ring,
        log_every=100,
    )
    return Trainer(
        generator,
        discriminator,
        [LOSSES[loss]()],
        data,
        architecture.latents,
        schedule,
        seed=0,
        device=torch.device("cpu"),
        optimizers=(Adam(), Adam()),
    )


if __name__ == "__main__":
    common.keep_memory()
    main()
