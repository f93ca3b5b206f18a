"""The built-in architectures."""

from collections.abc import Callable

from ganbench import Architecture, hookimpl
from ganbench.default_plugins.architectures.dcgan import DCGAN, initialise
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.architectures.resnet import ResNet

__all__ = ["DCGAN", "MLP", "ResNet", "initialise"]


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    for architecture in (MLP, DCGAN, ResNet):
        register(architecture)
