import math

import pytest
import torch

from lit_vae.decoding import GREEDY
from lit_vae.distributions.l2 import L2Pixels
from lit_vae.noise import StreamNoise

LEVEL = 2 / 255


def test_above_a_grey_level_the_likelihood_is_the_squared_error_up_to_a_constant():
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(20, 235, (3, 2, 4, 4), generator=generator)
    means = 0.6 * torch.rand(3, 4, 4, 2, generator=generator) - 0.3
    sigma = 40 * LEVEL

    log_prob = L2Pixels(means, 256, torch.tensor(math.log(sigma))).log_prob(codes)

    errors = (codes * LEVEL - 1 - means.movedim(-1, 1)).square().flatten(1)
    constant = math.log(LEVEL) - math.log(sigma) - 0.5 * math.log(2 * math.pi)
    torch.testing.assert_close(log_prob, (constant - errors / (2 * sigma**2)).sum(1), rtol=1e-4, atol=0)


def test_its_picture_is_the_mean_rounded_and_clipped():
    means = torch.tensor([-1.4, -0.2, 0.1, 1.02]).view(1, 1, 4, 1)

    picture = L2Pixels(means, 256, torch.tensor(0.0)).picture

    assert picture.dtype == torch.uint8
    assert picture.flatten().tolist() == [0, 102, 140, 255]


def test_greedy_is_the_picture_and_the_mode_an_end_whose_tail_outweighs_it():
    means = torch.tensor([-0.9, 0.2]).view(1, 1, 2, 1)

    distribution = L2Pixels(means, 256, torch.tensor(0.0))

    assert torch.equal(distribution.draw(GREEDY, StreamNoise(0)), distribution.picture)
    assert distribution.picture.flatten().tolist() == [13, 153]
    assert distribution.mode.flatten().tolist() == [0, 255]


@pytest.mark.parametrize("hidden", [False, True])
def test_a_refit_scale_comes_from_the_squared_error_of_what_is_observed(hidden):
    codes = torch.tensor([10, 100, 250]).view(1, 1, 1, 3)
    means = torch.tensor([-0.9, 0.0, 0.2]).view(1, 1, 3, 1)
    mask = torch.tensor([True, True, not hidden]).view(1, 1, 1, 3)
    seen = []

    def refit(variance):
        seen.append(variance)
        return variance.log() / 2

    log_prob = L2Pixels(means, 256, torch.tensor(5.0), mask, refit).log_prob(codes)

    kept = 2 if hidden else 3
    variance = (codes.flatten() * LEVEL - 1 - means.flatten())[:kept].square().mean()
    torch.testing.assert_close(seen[0], variance)
    torch.testing.assert_close(log_prob, L2Pixels(means, 256, variance.log() / 2, mask).log_prob(codes))
