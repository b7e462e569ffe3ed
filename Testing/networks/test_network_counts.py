"""The networks are those of the documents: their numbers of parameters and of layers, and nothing that is dead."""

from collections import Counter

import pytest
import segmentation_models_pytorch as smp
import torch
from network_cases import FAMILIES, last_convolution, small
from torch import nn

from SpineInference import networks
from SpineInference.errors import SpineError
from SpineInference.networks.published.fdn import DilatedMaxPool
from SpineInference.networks.published.segnet import MaxPool, MaxUnpool


def parameters(family: str, in_channels: int = 1, classes: int = 1, **arguments) -> int:
    with torch.device("meta"):  # nothing is computed or initialised
        network = networks.build(family, in_channels, classes, **arguments)
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("family", "count"),
    [
        # printed in the scintigraphy document
        ("fdn5", 259_137),
        ("fdn11", 295_033),
        ("fdn13", 488_793),
        ("fdn16", 1_964_249),
        ("fdn11e", 295_033),
        ("fdn16e", 1_964_249),
        # two more for each filter: 2 x 2 x (8 + 16 + 32 + 64 + 128) and so on
        ("fdn11be", 295_033 + 992),
        ("fdn16be", 1_964_249 + 2_976),
        # ours, from Table 3.2 of the thesis: they are to stay what they are
        ("custom-v1", 74_817),
        ("custom-v2", 1_569_505),
        ("custom-v3-large32", 3_727_041),
        ("custom-v3-large64", 5_460_353),
        ("custom-v3-small32", 1_366_209),
        ("custom-v3-small64", 5_460_353),
        ("dln11", 470_145),
        ("urinet", 2_378_297),
        ("segnet", 29_442_433),
        ("residual-unet", 71_797_220),
        ("boundary-unet", 14_410_734),
    ],
)
def test_parameters_for_one_channel_and_one_class(family, count):
    assert parameters(family) == count


def test_parameters_of_a_bifpn():
    """Of nodes with a weight for each input, a depthwise and a pointwise convolution and batch normalisation."""
    node = 9 * 64 + 64 * 64 + 2 * 64
    whole, last = 6 * node + 3 * 2 + 2 * 3 + 2, 3 * node + 3 * 2
    entries = (64 + 128 + 256 + 512) * 64 + 4 * 2 * 64
    decoder = entries + 2 * whole + last + node + 64 + 1
    assert parameters("bifpn") == parameters("unet") - parameters_of_decoder("unet") + decoder
    assert round(parameters("bifpn", 3, encoder="efficientnet-b0") / 1e6, 1) == 4.1  # D0 has 3.9 with its boxes


def parameters_of_decoder(family: str) -> int:
    with torch.device("meta"):
        network = networks.build(family, 1, 1)
    inside = sum(parameter.numel() for parameter in network.encoder.parameters())
    return parameters(family) - inside


def test_parameters_of_the_poster_unet():
    assert parameters("poster-unet", 3, 2) == 31_037_698
    assert parameters("poster-unet", 3, 1, upsampling="bilinear") == 17_262_977


@pytest.mark.parametrize(
    ("family", "resnet", "inception"),
    # Of smp's, in millions; the PSPNets without the stages that never get a gradient (22.1 and 39.6 million).
    [("unet", 32.5, 48.8), ("fpn", 26.1, 43.6), ("linknet", 31.2, 46.2), ("pspnet", 2.2, 2.1)],
)
def test_parameters_with_the_encoders_of_the_thesis(family, resnet, inception):
    found = [parameters(family, 3, 1, encoder=encoder) for encoder in ("resnet50", "inceptionv4")]
    assert [round(count / 1e6, 1) for count in found] == [resnet, inception]


def kinds(network: nn.Module) -> Counter:
    return Counter(type(module) for module in network.modules())


def test_segnet_has_the_layers_of_the_article():
    found = kinds(small("segnet", 3, 2))
    assert (found[nn.Conv2d], found[nn.BatchNorm2d], found[nn.ReLU]) == (26, 25, 25)
    assert found[MaxUnpool] == found[MaxPool] == 5


@pytest.mark.parametrize(
    ("family", "convolutions", "poolings"), [("fdn5", 5, 2), ("fdn11", 11, 5), ("fdn13", 14, 5), ("fdn16", 17, 6)]
)
def test_dilation_doubles_after_each_pooling_of_an_fdn(family, convolutions, poolings):
    network = small(family)
    dilation, pools, seen = 1, 0, 0
    for layer in network:
        if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3):
            assert layer.dilation == layer.padding == (dilation, dilation)
            assert layer.stride == (1, 1)
        if isinstance(layer, DilatedMaxPool):
            assert layer.dilation == dilation
            dilation, pools = 2 * dilation, pools + 1
        seen += isinstance(layer, nn.Conv2d)
    assert (seen, pools) == (convolutions, poolings)
    assert last_convolution(network).kernel_size == (1, 1)


def test_variants_of_an_fdn():
    plain, elu, both = (kinds(small(f"fdn11{variant}")) for variant in ("", "e", "be"))
    assert (plain[nn.ReLU], plain[nn.ELU], plain[nn.BatchNorm2d]) == (10, 0, 0)
    assert (elu[nn.ReLU], elu[nn.ELU], elu[nn.BatchNorm2d]) == (0, 10, 0)
    assert (both[nn.ReLU], both[nn.ELU], both[nn.BatchNorm2d]) == (0, 10, 10)


@pytest.mark.parametrize(
    ("version", "filters", "levels"),
    [
        ("v1", [64, 128], 0),
        ("v2", [32, 64, 128, 256, 512], 0),
        ("v3-large32", [32, 64, 128, 256, 512, 256, 256, 128, 64, 32], 5),
        ("v3-large64", [64, 128, 256, 512, 512, 256, 128, 64], 4),
        ("v3-small32", [32, 64, 128, 256, 256, 128, 64, 32], 4),
        ("v3-small64", [64, 128, 256, 512, 512, 256, 128, 64], 4),
    ],
)
def test_custom_networks_are_those_of_table_3_2(version, filters, levels):
    network = small(f"custom-{version}")
    assert [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)] == [*filters, 1]
    found = kinds(network)
    assert (found[nn.BatchNorm2d], found[nn.ReLU]) == (len(filters), len(filters))
    assert found[nn.MaxPool2d] == found[nn.Upsample] == levels


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_learns(family):
    network = small(family).train()
    side = 4 * network.pad_multiple
    images = torch.randn(2, 1, max(16, side), max(16, side))
    outputs = network.deep_supervision_outputs(images) if family == "residual-unet" else [network(images)]
    sum(output.square().mean() for output in outputs).backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("encoder", ["resnet18", "inceptionv4"])
@pytest.mark.parametrize("family", ["unet", "pspnet"])
def test_shallow_encoder_has_no_unused_stages(family, encoder):
    network = networks.build(family, 1, 1, encoder=encoder, encoder_depth=2).train()
    network(torch.randn(2, 1, 64, 64)).sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


@pytest.mark.parametrize("size", [(48, 48), (64, 96), (8, 24), (104, 56)])
def test_pspnet_computes_what_the_library_does(size):
    torch.manual_seed(0)
    theirs = smp.PSPNet("resnet18", encoder_weights=None, in_channels=1, classes=2).eval()
    ours = networks.build("pspnet", 1, 2, encoder="resnet18").eval()
    state = {name.replace(".pool.1.", ".convolution."): tensor for name, tensor in theirs.state_dict().items()}
    ours.load_state_dict({name: state[name] for name in ours.state_dict()})
    images = torch.randn(2, 1, *size)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-5, rtol=1e-5)


def test_unpooling_is_that_of_torch():
    images = torch.randn(2, 3, 8, 6).relu()  # with windows of zeros only, where all four are the largest
    values, places = MaxPool()(images)
    expected, indices = nn.MaxPool2d(2, return_indices=True)(images)
    torch.testing.assert_close(values, expected)
    others = torch.randn_like(values)
    torch.testing.assert_close(MaxUnpool()(others, places), nn.MaxUnpool2d(2)(others, indices))


# ---- what a package from outside may ask for


@pytest.mark.parametrize(
    ("family", "arguments"),
    [
        ("unet", {"decoder_channels": [4096] * 5}),
        ("unet", {"encoder": "tu-resnet18", "encoder_arguments": {"channels": [8] * 4, "layers": [4000, 1, 1, 1]}}),
        ("unet", {"encoder": "tu-resnet18", "encoder_arguments": {"channels": [4096] * 4}}),
        ("segnet", {"width": 4096}),
        ("residual-unet", {"filters": [8, 8], "blocks": [10**12, 1]}),
    ],
)
def test_oversized_networks_are_refused_while_built(family, arguments):
    with pytest.raises(SpineError, match=f'"{family}" would be too large'), torch.device("meta"):
        networks.build(family, 1, 1, **arguments)


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        ("fpn", {"encoder_depth": 10**12}, "encoder_depth must be 3 to 5"),
        ("unet", {"encoder_depth": 0}, "encoder_depth must be 1 to 5"),
        (
            "unet",
            {"encoder": "tu-resnet18", "encoder_arguments": {"layers": [10**9] * 4}},
            '"layers" must be 0 to 4096',
        ),
        ("segnet", {"width": 10**30}, "cannot be built"),
        ("segnet", {"width": "64"}, "cannot be built"),
        ("segnet", {"width": -1}, "cannot be built"),
        ("urinet", {"width": 6}, "a multiple of 4"),
        ("poster-unet", {"upsampling": "cubic"}, 'upsampling must be "transposed" or "bilinear"'),
        ("residual-unet", {"filters": [8] * 100, "blocks": [1] * 100}, "2 to 8 levels"),
        ("fdn11", {"variant": "16"}, "it has none"),
    ],
)
def test_arguments_that_make_no_network(family, arguments, message):
    with pytest.raises(SpineError, match=message):
        networks.build(family, 1, 1, **arguments)


def test_a_refused_network_leaves_the_next_one_alone():
    with pytest.raises(SpineError, match="too large"), torch.device("meta"):
        networks.build("segnet", 1, 1, width=4096)
    assert nn.Linear(20_000, 20_000, device="meta").weight.numel() > networks.MOST_PARAMETERS
