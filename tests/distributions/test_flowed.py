"""What a posterior promises that a flow bends after the draw."""

import pytest
import torch
from torch.distributions import kl_divergence

from lit_vae.distributions import FlowedGaussian, Gaussian


class Shear:
    """Adds the cube of the first variable to the second; counts how often it is inverted."""

    def __init__(self):
        self.inversions = 0

    def __call__(self, z):
        return torch.stack([z[..., 0], z[..., 1] + z[..., 0] ** 3], -1)

    def inverse(self, z):
        self.inversions += 1
        return torch.stack([z[..., 0], z[..., 1] - z[..., 0] ** 3], -1)


@pytest.fixture
def base():
    return Gaussian(torch.tensor([[0.3, -0.2]]), torch.tensor([[-0.5, 0.1]]))


@pytest.fixture
def flowed(base):
    return FlowedGaussian(base, Shear())


def test_a_draw_is_the_image_of_a_draw_of_the_base(base, flowed):
    noise = torch.randn(1, 2)

    assert torch.equal(flowed.push(noise), Shear()(base.push(noise)))
    assert flowed.batch_shape == base.batch_shape


def test_the_density_at_a_draw_needs_no_inverse_and_is_the_same_with_one(flowed):
    noise = torch.randn(1, 2)
    z, _ = flowed.push(noise), flowed.mode

    known = flowed.log_prob(flowed.push(noise))
    inverted = flowed.log_prob(z.clone())

    assert flowed.flow.inversions == 1
    torch.testing.assert_close(known, inverted)


def test_the_density_sums_to_one(flowed):
    side = torch.linspace(-12, 12, 1201)
    grid = torch.cartesian_prod(side, side)

    density = flowed.log_prob(grid).sum(-1).exp()

    assert density.sum().item() * (24 / 1200) ** 2 == pytest.approx(1, abs=1e-3)


def test_the_mean_that_reconstructs_is_where_the_density_is_highest(flowed):
    side = torch.linspace(-0.5, 0.5, 101)
    near = flowed.mean + torch.cartesian_prod(side, side)

    highest = flowed.log_prob(flowed.mode).sum()

    assert torch.equal(flowed.mean, flowed.mode)
    assert (flowed.log_prob(near).sum(-1) <= highest + 1e-6).all()


def test_there_is_no_closed_form_for_its_divergence(base, flowed):
    with pytest.raises(NotImplementedError):
        kl_divergence(flowed, base)
