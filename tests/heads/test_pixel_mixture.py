import math

import pytest
import torch

from lit_vae.heads import LogisticPixelHead, NormalPixelHead

SHAPE = (3, 1, 2)


def log_scales(head):
    return head(torch.zeros(1, 1, 2, 4)).log_scales.detach()


def test_means_start_spread_over_the_range():
    head = LogisticPixelHead(4, 256, SHAPE, components=4)

    means = head.layout.split(head.project(torch.zeros(1, 1, 2, 4))).means

    torch.testing.assert_close(means[0, 0, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]).expand(3, 4))


@pytest.mark.parametrize("options", [{}, {"scale_form": "softplus"}, {"scale_form": "softplus", "softplus_beta": 0.4}])
@pytest.mark.parametrize("scale", ["pixel", "shared"])
def test_learned_scales_start_at_half_the_half_range(scale, options):
    head = NormalPixelHead(4, 256, SHAPE, scale=scale, **options)

    torch.testing.assert_close(log_scales(head), torch.full((1, 1, 2, 3, 10), math.log(0.5)))


def test_a_fixed_scale_is_in_grey_levels():
    head = NormalPixelHead(4, 256, SHAPE, components=2, scale="fixed", fixed_scale=3.0)

    torch.testing.assert_close(log_scales(head).exp(), torch.full((1, 1, 2, 3, 2), 3 * 2 / 255))


@pytest.mark.parametrize("num_values", [32, 256, 65536])
def test_the_floor_is_a_ninth_of_a_grey_level_unless_set(num_values):
    head = LogisticPixelHead(4, num_values, SHAPE, components=1)
    with torch.no_grad():
        head.output.bias.fill_(-1e3)

    assert log_scales(head).exp().max() * (num_values - 1) / 2 == pytest.approx(0.1163, rel=1e-3)


def test_the_floor_can_be_lowered():
    head = LogisticPixelHead(4, 256, SHAPE, components=1, log_scale_floor=-14.0)
    with torch.no_grad():
        head.output.bias.fill_(-1e3)

    assert log_scales(head).max() == -14.0


def test_autoregression_costs_a_coefficient_a_pair_and_component_and_one_component_no_weights():
    sizes = {
        (components, autoregressive): LogisticPixelHead(
            4, 256, (4, 1, 1), components=components, autoregressive=autoregressive
        ).output.out_channels
        for components in (1, 5)
        for autoregressive in (False, True)
    }

    assert sizes == {(1, False): 8, (1, True): 14, (5, False): 45, (5, True): 75}
