"""Whether a GPU computes what it should: every loss, no wait, precision, repeats, checkpoints."""

from __future__ import annotations

import io

import torch
import torch.nn.functional as F
from common import CUDA, DEVICE, LARGE, MNIST, QUICK, attempt, data, judge, trainer

from ganbench.default_plugins.architectures import DCGAN
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.conditionings import (
    Concat,
    ConditionalBatchNorm,
    EmbedConcat,
    EmbedMul,
    ImageMul,
    Projection,
    Unconditional,
)
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.errors import OUT_OF_MEMORY, cause
from ganbench.models.networks import build
from ganbench.training.torch_settings import be_deterministic
from ganbench.training.trainer import Trainer
from ganbench.util import float32, gpus, process_settings

LOSSES = (BCE(), BCE(flip=0.1, target_noise=0.1), LSGAN(), WGANGP())
CONDITIONINGS = (
    Concat(),
    EmbedMul(),
    EmbedConcat(),
    ImageMul(),
    ConditionalBatchNorm(),
    Projection(),
)
PRECISIONS = ("float32", "tf32", "bfloat16") if CUDA else ("float32", "bfloat16")
BATCH = 16 if QUICK else 128


def norm(loss: object) -> str:
    return "layer" if isinstance(loss, WGANGP) else "batch"


def cdcgan(**how: object) -> Trainer:
    return trainer(CDCGAN(), EmbedMul(spread=None), BCE(), MNIST, batch_size=BATCH, **how)


def all_train() -> None:
    for loss in LOSSES[:: 3 if QUICK else 1]:
        for conditioning in CONDITIONINGS[:: 3 if QUICK else 1]:
            for precision in PRECISIONS:
                made = trainer(
                    DCGAN(width=8),
                    conditioning,
                    loss,
                    MNIST,
                    d_norm=norm(loss),
                    batch_size=64,
                    precision=precision,
                )
                made.iterate()
                made.iterate()
                made.close_window(1.0, 2)  # raises where a term is not finite
    judge(True, f"losses with conditionings train in {', '.join(PRECISIONS)}")


def nothing_waits() -> None:
    hows = (
        (BCE(), {}),
        (LSGAN(), {"precision": "bfloat16"}),
        (WGANGP(), {"n_critic": 2}),
        (BCE(flip=0.1), {"fake_labels": "random", "micro_batch": 32}),
        (BCE(), {"updates": "simultaneous"}),
    )
    for loss, how in hows:
        made = trainer(
            CDCGAN(),
            EmbedMul(spread=None),
            loss,
            MNIST,
            d_norm=norm(loss),
            **{"batch_size": 64, "log_every": 100, **how},
        )
        made.iterate()
        if CUDA:
            torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(2 if QUICK else 12):
                made.iterate()
        finally:
            if CUDA:
                torch.cuda.set_sync_debug_mode("default")
    if CUDA:
        judge(True, "no iteration waits for the device (set_sync_debug_mode error)")


def gradients(device: torch.device, precision: str = "float32") -> torch.Tensor:
    torch.manual_seed(0)
    conditioning = EmbedMul(spread=None)
    _, net = build(
        CDCGAN(dropout=0.0), conditioning, conditioning, MNIST, g_norm="batch", d_norm="batch"
    )
    net = net.to(device).to(memory_format=torch.channels_last)
    whole = data(MNIST).take(slice(0, 32 if QUICK else 256))
    images, labels = (whole.images.float() / 127.5 - 1).to(device), whole.labels
    assert labels is not None
    with (float32.tf32 if precision == "tf32" else float32.exact)():
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = net(images, labels.to(device)).logits.float()
        F.softplus(-logits).mean().backward()
    return torch.cat([p.grad.flatten().cpu().double() for p in net.parameters()])


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a - b).norm() / b.norm()).item()


def precisions() -> None:
    exact = gradients(torch.device("cpu"))
    for precision in PRECISIONS:
        found = relative(gradients(DEVICE, precision), exact)
        print(f"NOTE D's gradients on {DEVICE} in {precision}: {found:.1e} from the CPU's float32")
        if precision == "float32":
            judge(found < 1e-4, "float32 is float32, and no TF32")


def weights_after(iterations: int) -> torch.Tensor:
    made = cdcgan()
    for _ in range(iterations):
        made.iterate()
    return torch.cat([p.detach().flatten() for p in made.generator.parameters()])


def same_twice() -> None:
    count = 3 if QUICK else 200
    for asked in (False, True):
        with process_settings.put_back():
            if asked:
                be_deterministic()
            first, second = weights_after(count), weights_after(count)
        same = torch.equal(first, second)
        told = "identical" if same else f"{relative(first, second):.1e} apart"
        what = f"the same seed twice, {count} iterations, deterministic {asked}: {told}"
        if asked:
            judge(same, what)
        else:
            print(f"NOTE {what}")


def resumed() -> None:
    whole = cdcgan()
    kept = io.BytesIO()
    with process_settings.put_back():
        be_deterministic()
        for at in range(10):
            if at == 5:
                torch.save(whole.state().plain(), kept)
            whole.iterate()
        kept.seek(0)
        plain = torch.load(kept, map_location="cpu", weights_only=True)
        again = cdcgan()
        again.restore(type(whole.state()).from_plain(plain))
        for _ in range(5):
            again.iterate()
    pairs = zip(whole.generator.parameters(), again.generator.parameters(), strict=True)
    most = max((a - b).abs().max().item() for a, b in pairs)
    judge(most == 0, f"resumed after 5 of 10 iterations: largest difference of a weight {most:.1e}")


def no_room() -> None:
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.005)
    try:
        trainer(DCGAN(), Unconditional(), BCE(), LARGE, batch_size=4096).iterate()
    except Exception as error:
        judge(cause(error) == OUT_OF_MEMORY, f"a GPU without room: {type(error).__name__}")
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


if __name__ == "__main__":
    print(f"NOTE {gpus.described(str(DEVICE)) or DEVICE}; torch {torch.__version__}")
    attempt("losses and conditionings", all_train)
    attempt("an iteration waits", nothing_waits)
    attempt("precisions", precisions)
    attempt("the same twice", same_twice)
    attempt("resumed", resumed)
    if CUDA:
        attempt("no room", no_room)
