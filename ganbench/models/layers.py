"""A cell's networks, layer by layer, without any of them being allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from ganbench.models.label_source import stand_ins
from ganbench.models.networks import shown_to_d
from ganbench.models.parts import Parts
from ganbench.records.cells import Cell
from ganbench.registry.registry import Registry

INSIDE = "parametrizations"  # how torch keeps normalised weights, which are no layers


@dataclass(frozen=True)
class Layer:
    """A module of a network that makes something of what it is given."""

    name: str  # in the network
    kind: str  # its class
    shape: tuple[int, ...] | None  # of what it makes of one image; None: it is not called as one
    parameters: int  # that are trained


@dataclass(frozen=True)
class Layers:
    """Those of a cell's networks, in the order in which they are called."""

    generator: tuple[Layer, ...]
    discriminator: tuple[Layer, ...]
    reason: str = ""  # why shapes are missing


def layers(cell: Cell, registry: Registry) -> Layers:
    """Return the layers of a cell's networks, whose parameters add up to those of the networks."""
    parts = Parts.of(cell, registry)
    count = cell.schedule.batch_size
    with FakeTensorMode(), torch.no_grad():  # shapes alone, as on `meta`, which autocast lacks
        generator, discriminator = (net.eval() for net in parts.networks(cell))
        shown = shown_to_d(parts.image, parts.transforms)
        images = torch.zeros(count, shown.channels, shown.resolution, shown.resolution)
        labels = stand_ins(parts.image, count)
        latents = torch.zeros(count, parts.architecture.latent_dim)
        discriminator.transforms = ()  # what they leave is what it gets
        g_layers, of_g = _called(generator, latents, labels)
        d_layers, of_d = _called(discriminator, images, labels)
    return Layers(g_layers, d_layers, of_g or of_d)


def _called(net: nn.Module, *inputs: Tensor | None) -> tuple[tuple[Layer, ...], str]:
    """Return a network's layers, and why it could not be called to the end."""
    reason = ""
    with _watched(net) as shapes:
        try:
            net(*inputs)
        except Exception as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
    modules = dict(_candidates(net))
    order = [*shapes, *(name for name in modules if name not in shapes)]
    owner = dict.fromkeys(order, 0)
    for name, parameter in net.named_parameters():
        owner[_nearest(name, modules)] += parameter.numel() * parameter.requires_grad
    return tuple(
        Layer(name, type(modules[name]).__name__, shapes.get(name), owner[name])
        for name in order
        if name in shapes or owner[name]
    ), reason


def _candidates(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield modules without parts, and those with parameters beside their parts."""
    for name, module in net.named_modules():
        plain = not [part for part, _ in module.named_children() if part != INSIDE]
        own = any(True for _ in module.parameters(recurse=False))
        if INSIDE not in name.split(".") and (plain or own):
            yield name, module


def _nearest(parameter: str, modules: dict[str, nn.Module]) -> str:
    """Return the innermost module that a parameter is of."""
    return max((m for m in modules if parameter.startswith(f"{m}." if m else "")), key=len)


@contextmanager
def _watched(net: nn.Module) -> Iterator[dict[str, tuple[int, ...]]]:
    """Note the shape that each module makes of an image, when it is called first."""
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for name, module in _candidates(net):

        def note(module: nn.Module, inputs: object, made: object, name: str = name) -> None:
            found = made[0] if isinstance(made, tuple) and made else made
            if isinstance(found, Tensor):
                shapes.setdefault(name, tuple(found.shape[1:]))

        handles.append(module.register_forward_hook(note))
    try:
        yield shapes
    finally:
        for handle in handles:
            handle.remove()
