"""The built-in architectures."""

from ganbench import hookimpl
from ganbench.default_plugins.architectures.dcgan import DCGAN, initialise
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.architectures.resnet import ResNet

__all__ = ["DCGAN", "MLP", "ResNet", "initialise"]


@hookimpl
def register_architectures(register) -> None:
    for architecture in (MLP, DCGAN, ResNet):
        register(architecture)
