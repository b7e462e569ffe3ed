"""Every family of the registry in a small version, for tests that try them all."""

import torch

from SpineInference import networks

SLIM_ENCODER = {
    "encoder": "tu-resnet18",
    "encoder_arguments": {"channels": [8, 16, 24, 32], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 4},
}
SMALL = {
    "unet": SLIM_ENCODER | {"decoder_channels": [32, 24, 16, 8, 8]},
    "fpn": SLIM_ENCODER,
    "linknet": SLIM_ENCODER,
    "pspnet": SLIM_ENCODER,
    "bifpn": SLIM_ENCODER | {"width": 8, "repeats": 2},
    "boundary-unet": SLIM_ENCODER | {"decoder_channels": [32, 24, 16, 8, 8], "stream_channels": 4},
    "segnet": {"width": 4},
    "urinet": {"width": 8},
    "poster-unet": {"width": 4},
    "residual-unet": {"filters": [4, 8, 12], "blocks": [1, 2, 2]},
}
FAMILIES = networks.families()


def small(family: str, in_channels: int = 1, classes: int = 1, **arguments) -> torch.nn.Module:
    """The family's network with random weights that are the same in every run, as small as it can be."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    return networks.build(family, in_channels, classes, **(SMALL.get(family, {}) | arguments))


def last_convolution(network: torch.nn.Module) -> torch.nn.Conv2d:
    """The one that gives the logits."""
    return [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)][-1]


@torch.no_grad()
def settle(network: torch.nn.Module, in_channels: int = 1) -> torch.nn.Module:
    """Give `network` running statistics as after training, and logits that spread over both classes."""
    side = max(64, 2 * network.pad_multiple)
    network.train()
    for _ in range(3):
        network(torch.randn(2, in_channels, side, side))
    network.eval()
    images = torch.randn(2, in_channels, side, side)
    head = last_convolution(network)
    head.weight.mul_(2 / network(images).std())
    head.bias.sub_(network(images).mean((0, 2, 3)))
    return network
