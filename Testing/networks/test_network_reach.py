"""Which sizes the networks take, and how far they see: their receptive fields, measured with gradients."""

import pytest
import torch
from network_cases import FAMILIES, small
from torch import nn

from SpineInference.networks import bifpn, boundary_unet
from SpineInference.networks.published import custom, fdn, scintigraphy_baselines

ANY_SIZE = [f"fdn{variant}" for variant in ("5", "11", "11e", "11be", "13", "16", "16e", "16be")] + [
    "custom-v1",
    "custom-v2",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_have_the_size_of_the_input(family):
    network = small(family, in_channels=3, classes=2).eval()
    multiple = network.pad_multiple
    assert 32 % multiple == 0, "what slices are padded to by default must do"
    for rows, cols in ((1, 3), (5, 2)):
        with torch.inference_mode():
            logits = network(torch.randn(2, 3, rows * multiple, cols * multiple))
        assert logits.shape == (2, 2, rows * multiple, cols * multiple)


@pytest.mark.parametrize("family", ANY_SIZE)
def test_networks_that_take_any_size(family):
    network = small(family).eval()
    assert network.pad_multiple == 1
    for size in ((37, 21), (1, 5)):
        with torch.inference_mode():
            logits = network(torch.randn(1, 1, *size))
        assert logits.shape == (1, 1, *size)
        assert logits.isfinite().all()


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(ANY_SIZE) - {"unet"}))  # smp's U-Net pads by itself
def test_the_others_cannot_do_without_their_multiple(family):
    network = small(family).eval()
    side = 32 + network.pad_multiple // 2
    with torch.inference_mode():
        try:
            shape = tuple(network(torch.randn(1, 1, side, side)).shape)
        except RuntimeError:
            shape = None
    assert shape != (1, 1, side, side)


def test_residual_unet_outputs_for_deep_supervision():
    network = small("residual-unet", filters=[4, 4, 8, 8], blocks=[1, 1, 1, 1], classes=2).eval()
    images = torch.randn(2, 1, 32, 48)
    outputs = network.deep_supervision_outputs(images)
    assert [output.shape for output in outputs] == [(2, 2, 32, 48), (2, 2, 16, 24)]
    torch.testing.assert_close(network(images), outputs[0])
    assert isinstance(network.train()(images), torch.Tensor)


def test_residual_unet_of_two_levels_has_one_scale():
    network = small("residual-unet", filters=[4, 8], blocks=[1, 1])
    assert [output.shape for output in network.deep_supervision_outputs(torch.randn(2, 1, 8, 8))] == [(2, 1, 8, 8)]


def test_boundary_stream_gives_borders_of_full_size():
    network = small("boundary-unet", classes=3).eval()
    logits, borders = network.boundary_outputs(torch.randn(2, 1, 64, 96))
    assert (logits.shape, borders.shape) == ((2, 3, 64, 96), (2, 1, 64, 96))


def test_gradient_is_steep_at_edges_only():
    images = torch.zeros(1, 1, 6, 8)
    images[..., 4:] = 3.0
    steep = boundary_unet.gradient(images)[0, 0]
    assert (steep > 1).nonzero()[:, 1].unique().tolist() == [3, 4] and steep[:, :3].max() < 1e-2


def test_bifpn_weighs_what_meets_in_a_node():
    fusion = bifpn.Fusion(2, 4).eval()
    fusion.features = nn.Identity()
    first, second = torch.ones(1, 4, 2, 2), torch.full((1, 4, 2, 2), 5.0)
    torch.testing.assert_close(fusion(first, second), torch.full_like(first, 3.0), atol=1e-3, rtol=0)
    with torch.no_grad():
        fusion.weights[0] = -2.0  # never negative: it does not count
    torch.testing.assert_close(fusion(first, second), second, atol=1e-3, rtol=0)


# ---- receptive field


def positive(network: nn.Module) -> nn.Module:
    """`network` with kernels that let every gradient through."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network.double().eval()  # at the ends gradients are smaller than single precision can tell from 0


def extent_of_gradients(network: nn.Module, size: tuple[int, int], axis: int) -> int:
    """How many rows (axis 0) or cols (axis 1) have an effect on one pixel, at most over the pixels of one period.

    The images are ramps up and down: every max-pooling then takes the same end of its window, once each.
    """
    middle = [side // 2 for side in size]
    found: dict[int, list[int]] = {}
    for sign in (1, -1):
        ramp = 2 * size[axis] + sign * torch.arange(float(size[axis]), dtype=torch.float64).unsqueeze(1 - axis)
        images = ramp.expand(1, 1, *size).clone().requires_grad_()
        logits = network(images)[0, 0]
        for step in range(network.pad_multiple):
            place = list(middle)
            place[axis] += step
            (gradient,) = torch.autograd.grad(logits[tuple(place)], images, retain_graph=True)
            reached = gradient[0, 0].abs().sum(1 - axis).nonzero().flatten()
            found.setdefault(step, []).extend((int(reached.min()), int(reached.max())))
    return max(max(ends) - min(ends) + 1 for ends in found.values())


@pytest.fixture
def few_filters(monkeypatch):
    """Networks whose filters are fixed get one or two everywhere: what they see stays the same."""
    monkeypatch.setattr(fdn, "_BLOCKS", {name: [(1, n) for _, n in blocks] for name, blocks in fdn._BLOCKS.items()})
    monkeypatch.setattr(custom, "_FLAT", {name: [1] * len(filters) for name, filters in custom._FLAT.items()})
    halves = {name: ([1] * len(down), [1] * len(up)) for name, (down, up) in custom._DOWN_AND_UP.items()}
    monkeypatch.setattr(custom, "_DOWN_AND_UP", halves)
    monkeypatch.setattr(scintigraphy_baselines, "_DLN_FILTERS", [1] * len(scintigraphy_baselines._DLN_FILTERS))


@pytest.mark.parametrize(
    ("family", "arguments", "expected"),
    [
        ("fdn5", {}, 16),
        ("fdn11", {}, 156),
        ("fdn11be", {}, 156),
        ("fdn13", {}, 212),
        ("fdn16", {}, 436),
        ("custom-v1", {}, 5),
        ("custom-v2", {}, 11),
        ("custom-v3-small32", {}, 110),
        ("custom-v3-large32", {}, 222),
        ("dln11", {}, 220),
        ("urinet", {}, 204),
        ("poster-unet", {}, 204),
        ("poster-unet", {"upsampling": "bilinear"}, 236),
        ("residual-unet", {"filters": [4, 4, 4], "blocks": [1, 2, 1]}, 41),
        ("residual-unet", {"filters": [1] * 6, "blocks": [1, 3, 4, 6, 6, 6]}, 1441),
    ],
)
@pytest.mark.parametrize("axis", [0, 1])
def test_receptive_field(few_filters, family, arguments, expected, axis):
    network = positive(small(family, **arguments))
    multiple = network.pad_multiple
    size = [2 * multiple if multiple > 1 else 64] * 2
    size[axis] = (expected // multiple + 4) * multiple
    assert extent_of_gradients(network, tuple(size), axis) == expected


def test_dilated_pooling_equals_strided_on_every_grid():
    """What makes an FDN: pooling with dilation 2 is the plain pooling of every second row and column."""
    images = torch.randn(1, 2, 16, 16)
    dilated = fdn.DilatedMaxPool(2)(images)[..., 1:-1, 1:-1]
    for row in (0, 1):
        for col in (0, 1):
            plain = nn.functional.max_pool2d(images[..., row::2, col::2], 2, stride=1)
            torch.testing.assert_close(dilated[..., row::2, col::2], plain)
